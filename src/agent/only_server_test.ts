import assert from "node:assert/strict";
import { type AnyObject, ApiObjects } from "../../test/fakes/api_objects.ts";
import { runsOnlyServer } from "./only_server.ts";

Deno.test("a node runs the only API server when its address is the only one", async () => {
  await using api = new ApiObjects();
  assert.equal(await runsOnlyServer(api.client, "node1"), false, "nothing is known");
  const put = (kind: string, metadata: object, more: object) =>
    api.put({ apiVersion: "v1", kind, metadata, ...more } as AnyObject);
  put("Node", { name: "node1" }, {
    status: {
      addresses: [
        { type: "Hostname", address: "node1" },
        { type: "InternalIP", address: "10.0.0.1" },
        { type: "InternalIP", address: "fd00::1" },
      ],
    },
  });
  put("Node", { name: "new" }, { status: {} });
  const cases: [string, string, string[][] | undefined, boolean][] = [
    ["its own", "node1", [["10.0.0.1"]], true],
    ["its own, IPv6", "node1", [["fd00::1"]], true],
    ["another's", "node1", [["10.0.0.2"]], false],
    ["several endpoints", "node1", [["10.0.0.1"], ["10.0.0.2"]], false],
    ["several addresses", "node1", [["10.0.0.1", "10.0.0.2"]], false],
    ["none", "node1", [], false],
    ["no endpoints", "node1", undefined, false],
    ["no such node", "gone", [["10.0.0.1"]], false],
    ["a node without addresses", "new", [["10.0.0.1"]], false],
  ];
  for (const [what, name, endpoints, wanted] of cases) {
    api.put({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "kubernetes", namespace: "default" },
      ...(endpoints && { endpoints: endpoints.map((addresses) => ({ addresses })) }),
    } as AnyObject);
    assert.equal(await runsOnlyServer(api.client, name), wanted, what);
  }
});
