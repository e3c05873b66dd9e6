import assert from "node:assert/strict";
import { ClusterError } from "./errors.ts";
import {
  layoutOf,
  MAX_CLUSTERS,
  MAX_NODES,
  nodeDir,
  nodeIp,
  stateRoot,
  subnetOf,
} from "./layout.ts";

Deno.test("everything of a cluster follows from its name and the state root", () => {
  const layout = layoutOf("demo", "/var/lib/x");
  assert.deepEqual(layoutOf("demo", "/var/lib/x"), layout);
  assert.equal(layout.state, "/var/lib/x/demo");
  assert.match(layout.cgroup, /^holdfast-demo-[0-9a-f]{6}$/);
  assert.equal(nodeDir(layout, 2), "/var/lib/x/demo/nodes/node2");
});

Deno.test("clusters that differ in name or state root share nothing", () => {
  const all = [layoutOf("a", "/x"), layoutOf("b", "/x"), layoutOf("a", "/y")];
  for (const key of ["state", "cgroup", "mac"] as const) {
    assert.equal(new Set(all.map((layout) => layout[key])).size, all.length, key);
  }
});

Deno.test("the hardware address is locally administered and unicast", () => {
  const { mac } = layoutOf("demo", "/x");
  assert.match(mac, /^02(:[0-9a-f]{2}){5}$/);
});

Deno.test("a name that could not be part of a host name or path is refused", async (t) => {
  const bad = ["", "A", "a_b", "-a", "a-", "../x", "a/b", "a b", "x".repeat(21)];
  for (const name of bad) {
    await t.step(JSON.stringify(name), () => {
      assert.throws(
        () => layoutOf(name, "/x"),
        (error) => error instanceof ClusterError && error.reason === "InvalidName",
      );
    });
  }
  for (const name of ["a", "a-1", "x".repeat(20)]) layoutOf(name, "/x");
});

Deno.test("the state root can be set", () => {
  assert.equal(stateRoot(() => undefined), "/var/lib/holdfast-test");
  assert.equal(stateRoot((name) => name === "HOLDFAST_STATE" ? "/tmp/s" : undefined), "/tmp/s");
});

Deno.test("no two nodes of any two clusters have the same address", () => {
  const ips = new Set<string>();
  for (let index = 0; index < MAX_CLUSTERS; index++) {
    const subnet = subnetOf(index);
    ips.add(subnet.host);
    for (let node = 1; node <= MAX_NODES; node++) ips.add(nodeIp(subnet, node));
  }
  assert.equal(ips.size, MAX_CLUSTERS * (MAX_NODES + 1));
});

Deno.test("a bridge and its cables have names that the kernel takes", () => {
  // IFNAMSIZ: 15 characters.
  assert.ok(`${subnetOf(MAX_CLUSTERS - 1).bridge}n${MAX_NODES}`.length <= 15);
});
