import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { eventually } from "../../test/fakes/testing.ts";
import { GitNodes } from "./git_nodes.ts";
import { gitEndpoints, gitNodeOf, nodeAddress } from "./git_objects.ts";

function node(name: string, ...addresses: string[]) {
  const all = addresses.map((address) => ({ type: "InternalIP", address }));
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    status: { addresses: [{ type: "Hostname", address: name }, ...all] },
  };
}

/** Two nodes and the Service, which gets its cluster IP from nobody here. */
async function prepared(): Promise<ApiObjects> {
  const api = new ApiObjects();
  api.put(namespace("zarf"));
  api.put(node("one", "192.0.2.1", "2001:db8::1"));
  api.put(node("two", "192.0.2.2", "2001:db8::2"));
  await new GitNodes({ nodeName: () => "one", port: 7474 }).ensureService(api.client);
  const service = api.find("services", "holdfast-git") ?? assert.fail("no Service");
  api.put({ ...service, spec: { ...service["spec"], clusterIP: "10.96.0.7" } });
  api.writes.length = 0;
  return api;
}

Deno.test("the Service selects no pods, and is made once", async () => {
  await using api = await prepared();
  const { spec } = api.find("services", "holdfast-git") ?? assert.fail("no Service");
  assert.equal(spec.selector, undefined);
  assert.equal(spec.ports[0].port, 3000);
  await new GitNodes({ nodeName: () => "two", port: 7474 }).ensureService(api.client);
  assert.deepEqual(api.writes, []);
});

Deno.test("nodes say what they serve, and each knows where the newest of a repository is", async () => {
  await using api = await prepared();
  const { client } = api;
  const [one, two] = ["one", "two"].map((name) =>
    new GitNodes({ nodeName: () => name, port: 7474 })
  );
  assert.ok(one && two);
  const stop = new AbortController();
  const following = [one, two].map((nodes) => nodes.follow(client, stop.signal));
  const holders = (name: string) => [one.holderOf(name), two.holderOf(name)];
  const [first, second] = ["http://192.0.2.1:7474", "http://192.0.2.2:7474"];
  try {
    await one.announce(client, ["shop-1"], "shop-1");
    const slice = api.find("endpointslices", "holdfast-git-one") ?? assert.fail("no slice");
    assert.equal(slice.metadata.labels?.["kubernetes.io/service-name"], "holdfast-git");
    assert.deepEqual(slice["endpoints"][0].addresses, ["192.0.2.1"]);
    assert.equal(slice["ports"][0].port, 7474);
    await eventually(() => two.holderOf("shop-1") === first);
    assert.deepEqual(holders("shop-1"), [undefined, first]);
    assert.deepEqual(holders("other-2"), [undefined, undefined]);
    await one.announce(client, ["shop-1"], "shop-1");
    await one.announce(client, ["shop-1"]);
    assert.equal(api.writes.length, 1, "what is so is not written again");
    await two.announce(client, ["bank-2", "shop-1"], "shop-1");
    await eventually(() => one.holderOf("shop-1") === second);
    assert.deepEqual(holders("shop-1"), [second, undefined]);
    assert.deepEqual(holders("bank-2"), [second, undefined]);
    await one.announce(client, ["shop-1"]);
    assert.equal(one.holderOf("shop-1"), second, "only what is published counts");
    await one.announce(client, ["shop-1"], "shop-1");
    await eventually(() => two.holderOf("shop-1") === first);
    await one.announce(client, []);
    assert.equal(api.find("endpointslices", "holdfast-git-one"), undefined);
    await eventually(() => two.holderOf("shop-1") === undefined);
  } finally {
    stop.abort();
    await Promise.all(following);
  }
});

Deno.test("a node whose address changed says so, and one without an address is an error", async () => {
  await using api = await prepared();
  const nodes = new GitNodes({ nodeName: () => "one", port: 7474 });
  await nodes.announce(api.client, ["shop-1"], "shop-1");
  api.put(node("one", "192.0.2.9"));
  await nodes.announce(api.client, ["shop-1"]);
  const slice = api.find("endpointslices", "holdfast-git-one");
  assert.equal(gitNodeOf(slice)?.address, "192.0.2.9");
  api.put(node("one"));
  await assert.rejects(
    nodes.announce(api.client, ["shop-1"], "shop-1"),
    /node one has no internal address/,
  );
});

Deno.test("a node with another name goes on with what it served under the one before", async () => {
  await using api = await prepared();
  let name: string | undefined;
  const nodes = new GitNodes({ nodeName: () => name, port: 7474 });
  await assert.rejects(nodes.announce(api.client, ["shop-1"]), /name .* is not known yet/);
  assert.deepEqual(api.writes, []);
  const two = new GitNodes({ nodeName: () => "two", port: 7474 });
  await two.announce(api.client, ["shop-1"], "shop-1");
  name = "one";
  await nodes.announce(api.client, ["shop-1"], "shop-1");
  name = "uno";
  api.put(node("uno", "192.0.2.1"));
  await nodes.announce(api.client, ["shop-1"]);
  assert.equal(api.find("endpointslices", "holdfast-git-one"), undefined);
  const slice = gitNodeOf(api.find("endpointslices", "holdfast-git-uno"));
  assert.deepEqual(slice?.repositories, { "shop-1": 2 }, "it stays the newest");
  assert.equal(nodes.holderOf("shop-1"), undefined);
  assert(api.find("endpointslices", "holdfast-git-two"));
});

Deno.test("a node's address is of the family of the Service", () => {
  const both = node("one", "192.0.2.1", "2001:db8::1");
  const service = (clusterIP: string) => ({ spec: { clusterIP } });
  assert.equal(nodeAddress(both, service("10.96.0.7")), "192.0.2.1");
  assert.equal(nodeAddress(both, service("fd00::7")), "2001:db8::1");
  assert.equal(nodeAddress(node("one", "2001:db8::1"), service("10.96.0.7")), undefined);
  assert.equal(nodeAddress(undefined, service("10.96.0.7")), undefined);
  const slice = gitEndpoints({
    ...{ nodeName: "one", address: "2001:db8::1", port: 1, repositories: {} },
  });
  assert.equal(slice["addressType"], "IPv6");
});
