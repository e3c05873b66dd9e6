import assert from "node:assert/strict";
import { buildPackage } from "../fixtures/make_package.ts";
import { HOLDFAST, PACKAGES } from "./support/agent.ts";
import { freeAddress } from "../fakes/free_address.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { storeState } from "./support/store_state.ts";

/** Why tests that mount something cannot run here. */
const CANNOT_MOUNT = Deno.build.os !== "linux" || Deno.uid() !== 0;
/** Longer than the agent waits between two attempts to listen, in milliseconds. */
const LISTEN_PAUSE = 6_000;
/** How long a disk stays full, in milliseconds. */
const FULL_TIME = 10_000;
const SMALL = `${PACKAGES}/zarf-package-hello-amd64-0.1.0.tar.zst`;
const LARGER = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;
/** A file that can be opened and not read: the loopback has no speed (Linux, net-sysfs). */
const UNREADABLE = "/sys/class/net/lo/speed";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function listenOn(address: string): Deno.Listener {
  const [hostname = "", port] = address.split(":");
  return Deno.listen({ hostname, port: Number(port) });
}

async function isServed(agent: LocalAgent): Promise<boolean> {
  const base = `http://${agent.addresses.registry}/v2/library/hello`;
  const manifest = await fetch(`${base}/manifests/0.1.0`);
  if (manifest.status !== 200) {
    await manifest.body?.cancel();
    return false;
  }
  const { layers: [layer] } = await manifest.json();
  const blob = await fetch(`${base}/blobs/${layer.digest}`);
  return (await blob.arrayBuffer()).byteLength === layer.size;
}

Deno.test("a taken port of the node registry is told once and healed", async () => {
  await using agent = new LocalAgent();
  const listener = listenOn(agent.addresses.registry);
  try {
    await agent.started();
    const part = await agent.part("node registry");
    assert.equal(part.ok, false);
    const sentence =
      `the node registry cannot listen on ${agent.addresses.registry}: another program listens there`;
    assert.ok(part.message.includes(sentence), part.message);
    assert.match(part.message, /free the address, or set another one with --registry-address/);
    assert.match(await agent.get("/readyz"), /node registry/);
    // Everything else works meanwhile.
    assert.equal((await agent.settled(await agent.drop(SMALL))).phase, "Accepted");
    await sleep(LISTEN_PAUSE);
    assert.equal(agent.logged(/node registry cannot listen/).length, 1);
  } finally {
    listener.close();
  }
  await agent.eventually(
    "node registry",
    () => isServed(agent).then((served) => served || undefined).catch(() => undefined),
  );
  assert.equal((await agent.part("node registry")).ok, true);
});

Deno.test("a taken port of the status page is told once and healed", async () => {
  await using agent = new LocalAgent();
  const listener = listenOn(agent.addresses.status);
  try {
    agent.start();
    assert.equal((await agent.settled(await agent.drop(SMALL))).phase, "Accepted");
    assert.ok(await isServed(agent));
    await sleep(LISTEN_PAUSE);
    const said = agent.logged(/the status page cannot listen/);
    assert.equal(said.length, 1, agent.log());
    assert.match(said[0] ?? "", /another program listens there.*--status-address/);
  } finally {
    listener.close();
  }
  await agent.eventually(
    "status page",
    () => agent.get("/livez").then(() => true).catch(() => undefined),
  );
});

Deno.test("a drop directory may come late, go, and come again", async () => {
  await using agent = new LocalAgent();
  await Deno.remove(agent.dropDir);
  await agent.started();
  await agent.eventually(
    "a word about it",
    () => agent.logged(/the drop directory is not there; it is looked for again/)[0],
  );
  for (const name of ["first", "second", "third"]) {
    await Deno.mkdir(agent.dropDir);
    const path = await agent.drop(buildPackage({ name }), "package.tar.zst");
    // The verdict on the file before may have been on its way.
    await agent.settled(path, {
      phases: ["Accepted"],
      where: (verdict) => verdict.package?.name === name,
    });
    await Deno.remove(agent.dropDir, { recursive: true });
  }
  const { packages } = storeState(agent.dataDir).tables;
  assert.deepEqual(packages?.map((one) => one["name"]).sort(), ["first", "second", "third"]);
  assert.equal((await agent.stop()).code, 0);
});

Deno.test({
  name: "a file that cannot be read is tried again, and a right one in its place is taken",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using agent = new LocalAgent();
    await agent.started();
    const path = `${agent.dropDir}/unreadable.tar`;
    await Deno.symlink(UNREADABLE, path);
    const verdict = await agent.settled(path, {
      phases: ["Receiving", "Rejected"],
      where: ({ reason }) => !["BeingCopied", "LookingOver", "Reading"].includes(reason),
    });
    assert.deepEqual([verdict.phase, verdict.reason], ["Receiving", "ReadFailed"]);
    assert.match(verdict.message, /the file could not be read: /);
    await agent.eventually(
      "a second attempt",
      () => agent.logged(/could not be taken in and is tried again/).length > 1 ? true : undefined,
    );
    await agent.drop(buildPackage({ format: "tar" }), "unreadable.tar");
    await agent.settled(path, { phases: ["Accepted"] });
  },
});

Deno.test({
  name: "from a read-only drop directory a package is taken, and the verdict is kept inside",
  ignore: CANNOT_MOUNT,
  fn: async () => {
    await using agent = new LocalAgent();
    const { dropDir } = agent;
    await agent.started({
      mounts: `mount --bind ${dropDir} ${dropDir}; mount -o remount,bind,ro ${dropDir}`,
    });
    await assert.rejects(Deno.writeTextFile(agent.seen(`${dropDir}/x`), ""), /Read-only/);
    const path = await agent.drop(SMALL);
    const inside = `${agent.dataDir}/status/${path.slice(dropDir.length + 1)}`;
    assert.equal((await agent.settled(inside)).phase, "Accepted");
    assert.deepEqual([...Deno.readDirSync(dropDir)].map((entry) => entry.name), [
      path.slice(dropDir.length + 1),
    ]);
    assert.equal(agent.logged(/verdicts are under the data directory only/).length, 1);
    const listed: { file: string; phase: string }[] = JSON.parse(
      await agent.get("/api/v1/packages"),
    );
    assert.deepEqual(listed.map((one) => [one.file, one.phase]), [[path, "Accepted"]]);
  },
});

Deno.test({
  name: "on a full disk a package waits, what was there works, and it goes on when there is space",
  ignore: CANNOT_MOUNT,
  fn: async (t) => {
    await using agent = new LocalAgent();
    const { dataDir } = agent;
    await agent.started({
      mounts: `mkdir -p ${dataDir}; mount -t tmpfs -o size=12m,mode=700 tmpfs ${dataDir}`,
    });
    const small = await agent.drop(SMALL);
    await agent.settled(small, { where: ({ reason }) => reason === "NoKubeconfig" });
    const filler = agent.seen(`${dataDir}/filler`);
    await fill(filler);

    const larger = await agent.drop(LARGER);
    await t.step("the verdict says how much room it needs and what to do", async () => {
      const verdict = await agent.settled(larger, {
        phases: ["Receiving", "Rejected", "Accepted"],
        where: ({ reason }) => !["BeingCopied", "LookingOver", "Reading"].includes(reason),
      });
      assert.deepEqual([verdict.phase, verdict.reason], ["Receiving", "NotEnoughSpace"]);
      assert.match(verdict.message, /needs \d+\.\d MB more on the data disk, and 0\.0 MB are free/);
      assert.match(verdict.message, /free space on the data disk/);
    });

    await t.step("a refusal that cannot be recorded is told all the same", async () => {
      const bad = await agent.drop(new Uint8Array(), "empty.tar");
      const verdict = await agent.settled(bad, { phases: ["Rejected"] });
      assert.equal(verdict.reason, "EmptyFile");
    });

    await t.step("what was there works, and nothing is left of the attempt", async () => {
      // Through several rounds of the loops that record something.
      await sleep(FULL_TIME);
      assert.ok(await isServed(agent));
      assert.equal((await agent.get("/livez")).trim(), "ok");
      assert.equal((await agent.verdict(small))?.phase, "Accepted");
      assert.match(await agent.get("/"), /app-chart/);
      await agent.eventually(
        "an attempt whose files are gone",
        () => [...Deno.readDirSync(agent.seen(`${dataDir}/tmp`))].length === 0 ? true : undefined,
      );
    });

    await t.step("with space again it is taken in", async () => {
      await Deno.remove(filler);
      const verdict = await agent.settled(larger, { phases: ["Accepted"], timeout: 90_000 });
      assert.equal(verdict.package?.name, "app-chart");
      assert.ok(await isServed(agent));
      assert.equal((await agent.stop()).code, 0, agent.log());
    });
  },
});

/** Takes all the space that the file system of `path` has. */
async function fill(path: string): Promise<void> {
  using file = await Deno.create(path);
  for (const size of [1 << 20, 1 << 12]) {
    try {
      for (;;) await file.write(new Uint8Array(size));
    } catch (error) {
      assert.match(String(error), /No space left/);
    }
  }
}

/** An agent that cannot start says why in one line, and ends with the code for it. */
async function fails(
  agent: LocalAgent,
  options: Parameters<LocalAgent["start"]>[0],
  code: number,
  says: RegExp,
): Promise<void> {
  agent.start(options);
  const status = await agent.ended();
  const log = agent.log();
  assert.equal(status.code, code, log);
  assert.match(log, says);
  assert.doesNotMatch(log, /^\s+at /m, "a stack trace is not for a technician");
  const lines = log.trimEnd().split("\n").filter((line) => !/^\S+ (info|debug) /.test(line));
  assert.ok(lines.length <= (code === 2 ? 3 : 1), log);
}

Deno.test("a data directory that cannot be used ends the agent with 1 and a sentence", async (t) => {
  await t.step("it is a file", async () => {
    await using agent = new LocalAgent();
    await Deno.writeTextFile(agent.dataDir, "");
    await fails(agent, {}, 1, /cannot prepare the data directory .*\/data/);
  });
  await t.step("another agent has it", async () => {
    await using first = new LocalAgent();
    await first.started();
    await using second = new LocalAgent();
    const flags = [`--data-dir=${first.dataDir}`];
    await fails(second, { flags }, 1, /another process has the data directory .* open/);
    assert.equal((await first.get("/livez")).trim(), "ok");
  });
  await t.step("its database is damaged", async () => {
    await using agent = new LocalAgent();
    await Deno.mkdir(agent.dataDir);
    await Deno.writeFile(`${agent.dataDir}/holdfast.db`, new Uint8Array(8192).fill(7));
    await fails(agent, {}, 1, /move holdfast\.db away and drop the packages again/);
  });
});

Deno.test({
  name: "a data directory on a disk that takes nothing ends the agent with 1 and a sentence",
  ignore: CANNOT_MOUNT,
  fn: async (t) => {
    const disks: readonly (readonly [string, string, RegExp])[] = [
      ["read-only", "mount -t tmpfs -o ro tmpfs", /the file system is read-only/],
      ["full", "mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs", /the disk is full/],
    ];
    for (const [name, mount, says] of disks) {
      await t.step(name, async () => {
        await using agent = new LocalAgent();
        const mounts = `mkdir -p ${agent.dataDir}; ${mount} ${agent.dataDir}`;
        await fails(agent, { mounts }, 1, says);
      });
    }
  },
});

Deno.test("wrong flags end the agent with 2 and name what is wrong", async (t) => {
  const cases: readonly (readonly [string, Parameters<LocalAgent["start"]>[0], RegExp])[] = [
    ["unknown", { flags: ["--drop-dri=/x"] }, /unknown option '--drop-dri=\/x'/],
    ["no port", { flags: ["--status-address=localhost"] }, /status-address.*is not HOST:PORT/],
    ["no such mode", { flags: ["--image-mode=magic"] }, /image-mode "magic" \(from flag\)/],
    ["environment", { env: { HOLDFAST_LOG_LEVEL: "loud" } }, /log-level "loud" \(from env/],
    ["no such file", { flags: ["--config=/nowhere.yaml"] }, /\/nowhere\.yaml cannot be read/],
    ["no value", { flags: ["--data-dir"] }, /argument missing/],
    ["no such key", { flags: ["--trust-key=/k.pub"] }, /key file \/k\.pub cannot be read/],
  ];
  for (const [name, options, says] of cases) {
    await t.step(name, async () => {
      await using agent = new LocalAgent();
      await fails(agent, options, 2, says);
      await assert.rejects(Deno.stat(agent.dataDir), Deno.errors.NotFound);
    });
  }
  await t.step("no drop directory", async () => {
    const { code, stderr } = await new Deno.Command(HOLDFAST, {
      args: ["agent", `--status-address=${freeAddress()}`],
    }).output();
    assert.equal(code, 2);
    assert.match(new TextDecoder().decode(stderr), /the setting drop-dir .*is missing/);
  });
});
