import assert from "node:assert/strict";
import { HELLO } from "./support/agent.ts";
import { EtcdMachine, type EtcdMachineOptions, SITE_SECRETS } from "./support/etcd_site.ts";
import { freeAddress } from "../fakes/free_address.ts";

/*
 * The beginning of a cluster with three control planes, each a compiled agent with a Talos of its own
 * on an address of the loopback. However they come and go, Talos is asked once in the whole site.
 */

const FIRST = "127.0.0.2";
const SECOND = "127.0.0.3";
const THIRD = "127.0.0.4";
const ALL = [FIRST, SECOND, THIRD];
/** Nobody has it yet, as it is before etcd runs. */
const ENDPOINT = "https://127.0.0.100:6443";
const LONG_LOOK = "/machine.MachineService/EtcdMemberList";
const DISCOVERED = ["a", "b", "c"];

/** A site whose machines are all to be there from the start. */
class Site implements AsyncDisposable {
  readonly machines: EtcdMachine[] = [];
  readonly #peerPort = Number(freeAddress().split(":")[1]);

  /** Another machine with a blank disk, off. */
  async machine(address: string, options: Partial<EtcdMachineOptions> = {}): Promise<EtcdMachine> {
    const machine = await EtcdMachine.blank({
      ...{ address, controlPlanes: ALL, peerPort: this.#peerPort },
      ...options,
      talos: { site: { ...SITE_SECRETS, endpoint: ENDPOINT }, ...options.talos },
    });
    this.machines.push(machine);
    return machine;
  }

  /** All three, off. */
  async three(): Promise<[EtcdMachine, EtcdMachine, EtcdMachine]> {
    return [await this.machine(FIRST), await this.machine(SECOND), await this.machine(THIRD)];
  }

  /** How often any Talos was asked, over all that happened. */
  get bootstraps(): number {
    return this.machines.reduce((sum, { bootstraps }) => sum + bootstraps, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.machines) await machine[Symbol.asyncDispose]();
  }
}

Deno.test("three machines begin one cluster in whatever order they are switched on", async () => {
  for (const order of [[0, 1, 2], [2, 0, 1], [1, 2, 0]]) {
    await using site = new Site();
    const three = await site.three();
    const [first, ...others] = three;
    const [early, next, last] = order.map((at) => three[at] ?? first);
    assert(early !== undefined && next !== undefined && last !== undefined);
    await early.start();
    await next.start();
    if (last !== first) {
      await first.says(new RegExp(`the control plane ${last.address} does not answer`));
    } else await early.says(/the control plane 127\.0\.0\.2 makes the cluster, this one joins it/);
    assert.equal(site.bootstraps, 0);
    await last.start();
    await first.says(/there is a cluster: etcd has/);
    for (const other of others) await other.api.change({ etcdJoins: DISCOVERED });
    for (const other of others) {
      await other.says(/there is a cluster: etcd has the members a, b, c/);
    }
    assert.deepEqual([site.bootstraps, first.bootstraps], [1, 1], first.agent.log());
  }
});

Deno.test("a first machine that is replaced by a blank one begins nothing, whoever is there", async () => {
  await using site = new Site();
  const second = await site.machine(SECOND, { talos: { etcdJoins: DISCOVERED } });
  const third = await site.machine(THIRD);
  await second.start();
  await second.says(/there is a cluster/);
  const cutOff = await site.machine(FIRST);
  await cutOff.start();
  await cutOff.says(/the control plane 127\.0\.0\.4 does not answer|127\.0\.0\.3 says: etcd has/);
  await cutOff.says(
    /there is a cluster: the control plane 127\.0\.0\.3 says: etcd has the members/,
  );
  await cutOff.agent.stop("SIGKILL");
  // What it was told it keeps, when all others are blank or gone.
  await second.agent.stop();
  await third.start();
  await cutOff.start();
  await cutOff.says(/there is a cluster: the control plane 127\.0\.0\.3 says/);
  // Another blank one, while those that know are away.
  await cutOff.agent.stop();
  const again = await site.machine(FIRST);
  await again.start();
  await again.says(/no cluster is made yet: the control plane 127\.0\.0\.3 does not answer/);
  await again.stays(0);
  // Those that are back say it, from what they remember alone.
  await second.api.change({ etcd: [], files: ["/var/lib/etcd/"] });
  await second.start();
  await again.says(/there is a cluster: the control plane 127\.0\.0\.3 says: etcd has the members/);
  assert.equal(site.bootstraps, 0);
});

Deno.test("one that does not answer, for whatever reason, is waited for", async () => {
  await using site = new Site();
  const [first, second, third] = await site.three();
  await second.start();
  await third.start();
  await third.listens();
  Deno.kill(third.agent.pid, "SIGSTOP");
  await first.start();
  await first.says(
    /no cluster is made yet: the control plane 127\.0\.0\.4 does not answer: .*time/,
  );
  assert.equal(site.bootstraps, 0);
  Deno.kill(third.agent.pid, "SIGCONT");
  await second.api.kill();
  await first.says(
    /the control plane 127\.0\.0\.3 answers with HTTP 503: .*machined does not answer/,
  );
  assert.equal(site.bootstraps, 0);
});

Deno.test("one that never comes is named wherever one looks, and the others can do without", async () => {
  for (const [absent, present] of [[THIRD, [FIRST, SECOND]], [FIRST, [SECOND, THIRD]]] as const) {
    await using site = new Site();
    const machines = await Promise.all(present.map((address) => site.machine(address)));
    for (const machine of machines) await machine.start();
    const named = new RegExp(
      `no cluster is made yet: .*the control plane ${RegExp.escape(absent)} does not answer: .*; ` +
        "switch it on .* take its address off bootstrap.control-planes on all the others",
    );
    for (const machine of machines) {
      await machine.says(named);
      const file = await machine.agent.drop(HELLO);
      await machine.agent.settled(file, {
        timeout: 60_000,
        where: ({ reason, message }) => reason === "NoCluster" && named.test(message),
      });
    }
    assert.equal(site.bootstraps, 0);
    for (const { agent } of machines) await agent.stop();
    for (const machine of machines) await machine.start({ controlPlanes: present });
    const [first] = machines;
    await first?.says(/there is a cluster: etcd has/);
    assert.deepEqual([site.bootstraps, first?.bootstraps], [1, 1]);
  }
});

Deno.test("machines whose settings differ begin nothing until they agree", async () => {
  await using site = new Site();
  const [first, second] = await site.three();
  await first.start({ controlPlanes: [FIRST, SECOND] });
  await second.start({ controlPlanes: [SECOND, FIRST] });
  await first.says(
    /the control plane 127\.0\.0\.3 has another list of control planes: 127\.0\.0\.3, /,
  );
  await second.says(
    /the control plane 127\.0\.0\.2 has another list of control planes: 127\.0\.0\.2, /,
  );
  await first.stays(0);
  await second.stays(0);
  await second.agent.stop();
  await second.start({ controlPlanes: [FIRST, SECOND] });
  await first.says(/there is a cluster: etcd has/);
  assert.deepEqual([first.bootstraps, second.bootstraps], [1, 0]);
});

Deno.test("a machine of another site, or that has another's address, is no other control plane", async () => {
  await using site = new Site();
  const first = await site.machine(FIRST, { controlPlanes: [FIRST, SECOND] });
  const stranger = await site.machine(SECOND, {
    controlPlanes: [FIRST, SECOND],
    talos: { site: { ...SITE_SECRETS, etcdKey: "another", endpoint: ENDPOINT } },
  });
  await stranger.start();
  await first.start();
  await first.says(/the control plane 127\.0\.0\.3 answers with HTTP 403/);
  await stranger.api.change({
    site: { ...SITE_SECRETS, endpoint: ENDPOINT },
    addresses: ["127.0.0.9/8"],
  });
  await stranger.agent.stop();
  await stranger.start();
  await first.says(
    /who answers for the control plane 127\.0\.0\.3 has other addresses: 127\.0\.0\.9/,
  );
  assert.equal(site.bootstraps, 0);
});

Deno.test("what comes up while Talos is about to be asked is seen before it is", async () => {
  await using site = new Site();
  const [first, second] = await site.three();
  await second.start({ controlPlanes: [FIRST, SECOND] });
  await second.listens();
  // A look takes so long, and the others are asked at its end.
  await first.api.change({ fail: { method: LONG_LOOK, millis: 2_000 } });
  await first.start({ controlPlanes: [FIRST, SECOND] });
  await first.says(/Talos is going to be asked/);
  await second.api.change({ etcdJoins: DISCOVERED });
  await first.says(
    /there is a cluster.* the control plane 127\.0\.0\.3 says: etcd has|there is a cluster, but/,
  );
  assert.equal(site.bootstraps, 0);
});

Deno.test("the first machine killed where it asks ends up with one cluster", async () => {
  for (
    const failpoint of [
      "etcd.marker.renamed:2",
      "etcd.marker.synced:2",
      "etcd.asking",
      "etcd.asked",
    ]
  ) {
    await using site = new Site();
    const [first, second, third] = await site.three();
    await second.start();
    await third.start();
    await first.start({ env: { HOLDFAST_FAILPOINT: failpoint } });
    await first.agent.ended(40_000);
    await first.start();
    await first.says(/there is a cluster: etcd has/);
    assert.deepEqual([first.bootstraps, site.bootstraps], [1, 1], failpoint);
  }
});
