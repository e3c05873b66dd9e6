import assert from "node:assert/strict";
import type { ApiObjects } from "../../test/fakes/api_objects.ts";
import { cluster, reasonOf, ref, wait } from "../../test/fakes/waiting.ts";
import { DeployError } from "./errors.ts";

/** Lets an API server in memory say which kinds it has: group, version, kind. */
function serves(api: ApiObjects, kinds: readonly (readonly [string, string, string])[]): void {
  const others = api.intercept;
  api.intercept = (request) => {
    const { path } = request;
    const of = kinds.filter(([group]) => (group === "") === (path === "/api"));
    const resource = (kind: string) => ({
      resource: `${kind.toLowerCase()}s`,
      responseKind: { kind },
      scope: "Namespaced",
    });
    if (path === "/api" || path === "/apis") {
      const items = of.map(([name, version, kind]) => ({
        metadata: { name },
        versions: [{ version, resources: [resource(kind)] }],
      }));
      return Response.json({ kind: "APIGroupDiscoveryList", items });
    }
    const [, group, version] = /^\/apis\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    const found = kinds.filter((one) => one[0] === group && one[1] === version);
    if (group === undefined || found.length === 0) return others(request);
    const resources = found.map(([, , kind]) => ({
      name: `${kind.toLowerCase()}s`,
      kind,
      namespaced: true,
    }));
    return Response.json({ resources });
  };
}

const thing = (status?: unknown, metadata = {}) => ({
  apiVersion: "x.example/v1",
  kind: "Thing",
  metadata: { name: "a", namespace: "shop", ...metadata },
  ...(status === undefined ? {} : { status }),
});

Deno.test("a kind that nobody knows is waited for, and named", async () => {
  await using api = cluster();
  serves(api, [["apps", "v1", "Deployment"], ["x.example", "v1", "Other"]]);
  const rows = [
    [ref("Thing", "a", "x.example/v1"), /Thing a: the cluster has no kind Thing in x\.example$/],
    [ref("Deployment", "a", "x.example/v1"), /no kind Deployment in x\.example$/],
    [ref("Podd", "a"), /no kind Podd in v1$/],
    [ref("Deployment", "a", "apps/v1"), /Deployment a: not there yet$/],
  ] as const;
  for (const [one, expected] of rows) {
    const { error, said } = await wait(api, [one], { timeout: 3_000 });
    assert.equal(reasonOf(error), "TimedOut");
    assert.match((error as DeployError).message, expected);
    assert.match(said.at(-1) ?? "", expected);
  }
});

Deno.test("a server that does not list its kinds is no reason to end", async () => {
  await using api = cluster();
  const { error } = await wait(api, [ref("Thing", "a", "x.example/v1")], { timeout: 3_000 });
  assert.match((error as DeployError).message, /Thing a: not there yet/);
});

Deno.test("a kind that comes while it is waited for is found, then its object, then its readiness", async () => {
  await using api = cluster();
  serves(api, []);
  const kinds: [string, string, string][] = [];
  const said: string[] = [];
  const onProgress = (message: string) => {
    said.push(message);
    if (message.includes("no kind")) serves(api, [...kinds, ["x.example", "v1", "Thing"]]);
    if (message.endsWith("not there yet")) {
      api.put(thing({ conditions: [{ type: "Ready", status: "False", message: "soon" }] }));
    }
    if (message.endsWith("soon")) {
      api.put(thing({ conditions: [{ type: "Ready", status: "True" }] }));
    }
  };
  const { error } = await wait(api, [ref("Thing", "a", "x.example/v1")], { onProgress });
  assert.equal(error, undefined, String(error));
  assert.deepEqual(said, [
    "Thing a: the cluster has no kind Thing in x.example",
    "Thing a: not there yet",
    "Thing a: soon",
  ]);
});

Deno.test("of a version that the cluster does not have the one that it prefers is asked for", async () => {
  await using api = cluster();
  serves(api, [["x.example", "v1", "Thing"], ["x.example", "v1alpha1", "Thing"]]);
  api.put(thing());
  for (const version of ["v1", "v1beta1"]) {
    const { error } = await wait(api, [ref("Thing", "a", `x.example/${version}`)]);
    assert.equal(error, undefined, version);
  }
});

Deno.test("an object that goes while it is waited for is waited for until it is there again", async () => {
  await using api = cluster();
  const kept = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  const map = (metadata = {}) => ({
    ...thing(undefined, metadata),
    apiVersion: "v1",
    kind: "ConfigMap",
  });
  api.put(map(kept));
  const said: string[] = [];
  const onProgress = (message: string) => {
    said.push(message);
    if (message.endsWith("it is being deleted")) api.remove(map());
    if (message.endsWith("not there yet")) api.put(map());
  };
  const { error } = await wait(api, [ref("ConfigMap", "a")], { onProgress });
  assert.equal(error, undefined);
  assert.deepEqual(said, ["ConfigMap a: it is being deleted", "ConfigMap a: not there yet"]);
});
