import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { SeedCluster } from "../fakes/seed_cluster.ts";
import { withDirectory } from "../fakes/testing.ts";
import { HELLO, PACKAGES, ROOT } from "./support/agent.ts";
import { testImage } from "./support/extension_image.ts";
import { type ExtensionOptions, ExtensionService, run } from "./support/extension_service.ts";
import { TalosApi } from "./support/talos_api.ts";
import { SmallDisk } from "./support/small_disk.ts";
import { WrongServers } from "./support/wrong_servers.ts";

/*
 * What may go wrong on a node, done to the extension's service in the real runc with what Talos makes
 * of its spec: it stays or is started again, says what is wrong, and goes on by itself.
 */

const LARGER = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;
const SOCKET = "/system/run/machined/machine.sock";

const { image } = await testImage();

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function staged(
  action: (service: ExtensionService) => Promise<void>,
  options: Partial<ExtensionOptions> = {},
): Promise<void> {
  await withDirectory(async (directory) => {
    await using service = new ExtensionService({ extension: image, directory, ...options });
    await action(service);
  });
}

/** From just after its start to when everything is taken in, in milliseconds. */
const KILL_MOMENTS = [0, 60, 130, 220, 350, 500, 700, 1_000];

Deno.test("killed at any moment it is started again, and ends with everything taken in", () =>
  staged(async (service) => {
    const paths = [
      await service.drop(LARGER, "larger.tar.zst"),
      await service.drop(HELLO, "hello.tar.zst"),
    ];
    service.pause = 0;
    await service.start();
    for (const moment of KILL_MOMENTS) {
      await sleep(moment);
      await service.kill();
    }
    service.pause = 5_000;
    await service.kill();
    await service.serves();
    for (const path of paths) await service.settled(path, ({ phase }) => phase === "Accepted");
    assert(await service.isServed("library/hello", "0.1.0"));
    await service.eventually(
      "an end of what was unfinished",
      () => [...Deno.readDirSync(`${service.data}/tmp`)].length === 0 || undefined,
    );
    assert.deepEqual(service.lines(/./).filter(({ level }) => level === "error"), []);
    assert.equal(service.starts, KILL_MOMENTS.length + 2);
    assert.equal((await service.stop()).code, 0);
  }));

Deno.test("machined's socket may come late, go, and come again", () =>
  staged(async (service) => {
    const [socket, path] = [service.node(SOCKET), await service.drop(HELLO, "hello.tar.zst")];
    await service.started();
    assert.equal(await service.says("Talos", /machined does not answer on /), false);
    const waits = await service.settled(path, ({ reason }) => reason === "NoKubeconfig");
    assert.match(waits.message, /no way to the cluster yet: .*machined does not answer on /);
    await using site = new SeedCluster();
    const machine = {
      machineType: "controlplane",
      kubernetes: site.api.peer.kubeconfig,
      nodename: "cp-1",
    } as const;
    {
      await using api = await TalosApi.start(socket);
      await api.change(machine);
      assert.equal(await service.says("Talos", /the control plane's kubeconfig is there/), true);
      assert.equal(await service.says("cluster", /the API server .* answers/), true);
      await service.settled(path, ({ node }) => node === "cp-1");
    }
    assert.equal(await service.says("Talos", /machined does not answer on /), false);
    assert.equal(await service.says("cluster", /the API server .* answers/), true);
    assert.equal(await service.says("node name", /^cp-1, as Talos said before/), true);
    await using api = await TalosApi.start(socket);
    await api.change({ ...machine, nodename: "cp-2" });
    assert.equal(await service.says("Talos", /the control plane's kubeconfig is there/), true);
    assert.equal(await service.says("node name", /^cp-2, as Talos says$/), true);
    assert(await service.isServed("library/hello", "0.1.0"));
    assert.equal(service.starts, 1);
  }, { hostname: "not-the-node" }));

Deno.test("an API server that never comes keeps nothing else from working", () =>
  staged(async (service) => {
    await using servers = new WrongServers();
    await using api = await TalosApi.start(service.node(SOCKET));
    await api.change({ machineType: "controlplane", nodename: "cp-1" });
    const path = await service.drop(HELLO, "hello.tar.zst");
    await service.started();
    for (const { name, kubeconfig, says, isQuick } of servers.all()) {
      await api.change({ kubernetes: kubeconfig });
      assert.equal(await service.says("cluster", says, 60_000), false, name);
      assert(await service.isServed("library/hello", "0.1.0"));
      if (!isQuick) continue;
      const waits = await service.settled(path, ({ message }) => says.test(message), 60_000);
      assert.deepEqual([waits.phase, waits.node], ["Accepted", "cp-1"], name);
      assert.match(waits.message, /^waiting for the cluster[,:] /);
    }
    await using site = new SeedCluster();
    site.starts = false;
    await api.change({ kubernetes: site.api.peer.kubeconfig });
    await service.eventually(
      "a lease under the node's name",
      () => site.api.find("leases", "holdfast")?.spec.holderIdentity === "cp-1" || undefined,
      60_000,
    );
    await service.settled(path, ({ reason }) => reason === "PreparingCluster");
    assert.equal(service.starts, 1);
  }));

Deno.test("a data directory that cannot be written to ends it, and it comes when it can", () =>
  staged(async (service) => {
    await using disk = await SmallDisk.at(service.data);
    await disk.remount("ro");
    await service.start();
    const line = await service.logs(/cannot lock the data directory: the file system is read-only/);
    assert.equal(line.level, "error");
    await service.eventually("another start", () => service.starts > 1 || undefined);
    await disk.remount("rw");
    await service.serves();
    const path = await service.drop(HELLO, "hello.tar.zst");
    await service.settled(path, ({ phase }) => phase === "Accepted");
    assert(await service.isServed("library/hello", "0.1.0"));
  }));

Deno.test("a disk that turns read-only is said, and what is there is served meanwhile", () =>
  staged(async (service) => {
    await using disk = await SmallDisk.at(service.data);
    await service.started();
    const path = await service.drop(HELLO, "hello.tar.zst");
    await service.settled(path, ({ phase }) => phase === "Accepted");
    await disk.fail();
    const larger = await service.drop(LARGER, "larger.tar.zst");
    const waits = await service.settled(larger, ({ reason }) => reason === "ReadOnly");
    assert.equal(waits.phase, "Receiving");
    assert.match(waits.message, /the file system is read-only.*mount the data disk writable/);
    assert(await service.isServed("library/hello", "0.1.0"));
    assert.equal(service.starts, 1);
    // As after a reboot that repairs the disk.
    await service.cut();
    await disk.repair();
    await service.started();
    for (const file of [path, larger]) {
      await service.settled(file, ({ phase }) => phase === "Accepted");
    }
    assert(await service.isServed("library/hello", "0.1.0"));
  }));

Deno.test("a full disk is said, at the start and later, what is there is served, and it passes by itself", () =>
  staged(async (service) => {
    await using disk = await SmallDisk.at(service.data);
    await Deno.writeTextFile(`${service.data}/holdfast.lock`, "");
    await disk.fill();
    await service.started();
    const full = /the data disk was full when the agent started.*free space on the data disk/;
    assert.equal(await service.says("store", full), false);
    const path = await service.drop(HELLO, "hello.tar.zst");
    await service.settled(
      path,
      ({ reason, message }) => reason === "DiskFull" && full.test(message),
    );
    await disk.free();
    await service.settled(path, ({ phase }) => phase === "Accepted", 60_000);
    await service.logs(/the registry's image is in the store/);
    await disk.fill();
    const larger = await service.drop(LARGER, "larger.tar.zst");
    const waits = await service.settled(larger, ({ reason }) => reason === "NotEnoughSpace");
    assert.match(waits.message, /needs \d+\.\d MB more on the data disk.*free space/);
    assert(await service.isServed("library/hello", "0.1.0"));
    assert.equal(service.starts, 1);
    for (const end of [() => service.kill(), () => service.stop().then(() => service.start())]) {
      await end();
      await service.serves();
      assert(await service.isServed("library/hello", "0.1.0"));
    }
    assert.equal(service.starts, 3);
    await disk.free();
    await service.settled(larger, ({ phase }) => phase === "Accepted", 120_000);
    assert.equal(await service.says("store", /^in order$/), true);
    assert(await service.isServed("library/hello", "0.1.0"));
    assert.equal(service.starts, 3);
  }));

for (const schema of [1, 2]) {
  Deno.test(`data that an agent with schema ${schema} has left are taken over and served`, () =>
    staged(async (service) => {
      const archive = `${ROOT}/test/fixtures/stores/schema-${schema}.tar.gz`;
      await run("tar", "-xzf", archive, "-C", service.data, "--strip-components=1");
      assert.equal(versionOf(service), schema);
      await service.started();
      assert(await service.isServed("library/sample", "1.0"));
      const packages = (await service.status())?.packages ?? [];
      assert.deepEqual(packages.map((one) => [one.package?.name, one.phase]), [[
        "web",
        "Accepted",
      ]]);
      assert.equal((await service.stop()).code, 0);
      assert.equal(versionOf(service), 3);
      assert.deepEqual(service.lines(/quarantine|moved aside|package accepted/), []);
    }));
}

function versionOf(service: ExtensionService): number {
  using db = new DatabaseSync(`${service.data}/holdfast.db`, { readOnly: true });
  return Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/** Debian's libfaketime moves the wall clock of one process, not the one by which it waits. */
const FAKETIME = "/usr/lib/faketime.so";
const CLOCK = "/usr/local/etc/holdfast/clock";

Deno.test("with a clock of 1970 packages are taken in, and with the right one it goes on", () =>
  staged(async (service) => {
    await using site = new SeedCluster();
    site.starts = false;
    await using api = await TalosApi.start(service.node(SOCKET));
    const kubernetes = site.api.peer.kubeconfig;
    await api.change({ machineType: "controlplane", nodename: "cp-1", kubernetes });
    const path = await service.drop(HELLO, "hello.tar.zst");
    await service.started();
    const says = /not valid yet.*by this node's clock it is 1970-01-0.*set the clock/;
    assert.equal(await service.says("cluster", says), false);
    const waits = await service.settled(path, ({ message }) => says.test(message));
    assert.match(waits.observedAt, /^1970-/);
    assert(await service.isServed("library/hello", "0.1.0"));
    await Deno.writeTextFile(service.container.file(CLOCK), "+0\n");
    const goes = await service.settled(path, ({ reason }) => reason === "PreparingCluster", 60_000);
    assert.notEqual(goes.observedAt.slice(0, 4), "1970");
    assert.equal(service.starts, 1);
    const late = await service.drop(LARGER, "larger.tar.zst");
    await service.settled(late, ({ phase }) => phase === "Accepted");
    assert.equal((await service.stop()).code, 0);
  }, {
    binds: { [FAKETIME]: `/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketimeMT.so.1` },
    files: { [CLOCK]: "@1970-01-02 00:00:00\n" },
    environment: [
      `LD_PRELOAD=${FAKETIME}`,
      `FAKETIME_TIMESTAMP_FILE=${CLOCK}`,
      "FAKETIME_NO_CACHE=1",
      "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ],
  }));
