/**
 * A site on a network that has no IPv4, not even on the loopback: what agents tell each other, and what
 * a node pulls. It ends with an error when something of it does not work.
 *
 * @module
 */
import assert from "node:assert/strict";
import { hostOf, PEER_PORT } from "../../../src/agent/mod.ts";
import { HELLO, HOLDFAST } from "./agent.ts";
import { EtcdMachine, SITE_SECRETS } from "./etcd_site.ts";
import type { LocalAgent } from "./local_agent.ts";

/** The addresses of the machines; the test has given them to this network. */
const ALL = Deno.args;
/** As somebody may write them who does not know how they are shortened. */
const WRITTEN = ALL.map((address) => address.toUpperCase().replace("::", ":0:0:0:0:0:0:"));
const LOOPBACK = "[::1]";
/** Nobody has it yet, as it is before etcd runs. */
const ENDPOINT = "https://[fd00::100]:6443";

Deno.test("the network has no IPv4", () => {
  const addresses = Deno.networkInterfaces().map(({ address }) => address);
  assert.deepEqual(addresses.filter((address) => !address.includes(":")), []);
  for (const address of ALL) assert(addresses.includes(address), address);
});

Deno.test("control planes ask each other, and one of them begins the cluster", async () => {
  const machines: EtcdMachine[] = [];
  try {
    for (const address of ALL) {
      machines.push(
        await EtcdMachine.blank({
          ...{ address, controlPlanes: WRITTEN, peerPort: PEER_PORT, loopback: LOOPBACK },
          talos: { site: { ...SITE_SECRETS, endpoint: ENDPOINT } },
        }),
      );
    }
    const [first, second, third] = machines;
    assert(first !== undefined && second !== undefined && third !== undefined);
    await first.start();
    await first.says(/the control plane fd00::[23] does not answer/);
    assert.equal(first.bootstraps, 0);
    await second.start();
    await third.start();
    await first.says(/there is a cluster: etcd has/);
    await third.says(/the control plane fd00::1 (says|makes)|there is a cluster/);
    assert.deepEqual(machines.map(({ bootstraps }) => bootstraps), [1, 0, 0]);
    const { message } = await first.agent.part("peer listener");
    assert.equal(message, `listens on [${first.address}]:${PEER_PORT}`);
  } finally {
    for (const machine of machines) await machine[Symbol.asyncDispose]();
  }
});

Deno.test("on [::], the default of such a site, it listens for the others on every address", async () => {
  const [address = ""] = ALL;
  await using machine = await EtcdMachine.blank({
    ...{ address, controlPlanes: ALL, loopback: LOOPBACK },
    talos: { site: { ...SITE_SECRETS, endpoint: ENDPOINT } },
  });
  await machine.start({ flags: [`--peer-address=[::]:${PEER_PORT}`] });
  await machine.listens();
  for (const one of ALL) {
    const response = await fetch(`http://${hostOf(one)}:${PEER_PORT}/`);
    await response.body?.cancel();
    assert.equal(response.status, 404, one);
  }
});

Deno.test("a package is taken in, and served on the loopback and on the node's address", async () => {
  const [address = ""] = ALL;
  await using machine = await EtcdMachine.blank({ address, loopback: LOOPBACK });
  const { agent } = machine;
  const path = await agent.drop(HELLO);
  for (const host of [LOOPBACK, `[${address}]`]) {
    const registry = agent.addresses.registry.replace(LOOPBACK, host);
    await machine.start({ flags: [`--registry-address=${registry}`] });
    await agent.settled(path, { phases: ["Accepted"] });
    assert.equal((await agent.part("node registry")).message, `listens on ${registry}`);
    assert.equal(await layersServed(`http://${registry}/v2/library/hello`), 1);
    assert.equal(await statusOf(agent), 0);
    assert.equal((await agent.stop()).code, 0);
  }
});

/** How many layers of an image are served, each to its last byte. */
async function layersServed(base: string): Promise<number> {
  const manifest = await fetch(`${base}/manifests/0.1.0`);
  assert.equal(manifest.status, 200);
  const { layers }: { layers: { digest: string; size: number }[] } = await manifest.json();
  for (const { digest, size } of layers) {
    const blob = await fetch(`${base}/blobs/${digest}`);
    assert.equal((await blob.bytes()).length, size);
  }
  return layers.length;
}

/** How `holdfast status` ends when it asks the agent. */
async function statusOf({ addresses }: LocalAgent): Promise<number> {
  const { code, stderr } = await new Deno.Command(HOLDFAST, {
    args: ["status", "--status-address", addresses.status],
    stdout: "null",
  }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return code;
}
