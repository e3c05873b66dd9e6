import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { newState, registryServiceAt } from "../zarf/mod.ts";
import { ensureNamespaces, managedNamespace, namespacesOf } from "./namespaces.ts";
import { deployedRevision } from "./release.ts";
import { readObjects } from "./yaml.ts";

Deno.test("a chart needs its own namespace, those it names and those it defines", () => {
  const objects = readObjects(
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n---\n" +
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
  );
  const namespaces = readObjects("apiVersion: v1\nkind: Namespace\nmetadata: {name: third}\n");
  const needed = namespacesOf({ objects, namespaces }, "shop");
  assert.deepEqual([...needed.keys()], ["shop", "other", "third"]);
  assert.equal(needed.get("other"), undefined);
  assert.equal(needed.get("third")?.kind, "Namespace");
});

Deno.test("a new namespace has Zarf's labels, and says itself whether it is rewritten", () => {
  const read = (labels: string) =>
    readObjects(`apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: ${labels}}\n`)[0];
  const rows: [string | undefined, Record<string, string>][] = [
    [undefined, { "zarf.dev/agent": "mutate" }],
    ["{zarf.dev/agent: ignore, tier: 1}", { "zarf.dev/agent": "ignore", tier: "1" }],
    ["{app.kubernetes.io/managed-by: me}", { "zarf.dev/agent": "mutate" }],
    ["null", { "zarf.dev/agent": "mutate" }],
  ];
  for (const [labels, expected] of rows) {
    const made = managedNamespace("a", labels === undefined ? undefined : read(labels));
    assert.deepEqual(made.metadata, {
      name: "a",
      labels: { ...expected, "app.kubernetes.io/managed-by": "zarf" },
    });
  }
});

Deno.test("the newest deployed revision is the one to go back to", () => {
  const history = (...statuses: string[]) =>
    statuses.map((status, index) => ({ revision: index + 1, status, secret: "" }));
  assert.equal(deployedRevision([]), undefined);
  assert.equal(deployedRevision(history("failed")), undefined);
  assert.equal(deployedRevision(history("superseded", "deployed", "failed")), 2);
  assert.equal(deployedRevision(history("deployed", "deployed")), 2);
});

const STATE = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

Deno.test("only a namespace that is missing is made, and all of them get pull secrets", async () => {
  await using api = new ApiObjects();
  api.put({ ...namespace("shop"), metadata: { name: "shop", labels: { tier: "1" } } });
  const needed = new Map([["shop", undefined], ["other", undefined]]);
  await ensureNamespaces(needed, { kube: api.client, state: STATE });
  assert.deepEqual(api.writes, [
    "PATCH secrets/private-registry",
    "PATCH namespaces/other",
    "PATCH secrets/private-registry",
  ]);
  assert.deepEqual(api.find("namespaces", "shop")?.metadata.labels, { tier: "1" });
  assert.deepEqual(
    api.all("secrets").map(({ metadata }) => metadata.namespace),
    ["other", "shop"],
  );
  const made = api.peer.seen.find(({ method, path }) =>
    method === "PATCH" && path === "/api/v1/namespaces/other"
  );
  assert.equal(made?.query.get("force"), "true", "Zarf may have owned it before");
  api.writes.length = 0;
  await ensureNamespaces(needed, { kube: api.client, state: STATE });
  assert.deepEqual(api.writes, []);
});

Deno.test("a chart's own Namespace brings its annotations, as text", async () => {
  await using api = new ApiObjects();
  const [own] = readObjects(
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, annotations: {level: 7, on: true}}\n",
  );
  const registryService = registryServiceAt("10.96.0.12");
  await ensureNamespaces(new Map([["a", own]]), {
    kube: api.client,
    state: STATE,
    registryService,
  });
  assert.deepEqual(api.find("namespaces", "a")?.metadata.annotations, { level: "7", true: "true" });
  const secret = api.find("secrets", "private-registry");
  assert.match(atob(secret?.["data"][".dockerconfigjson"]), /10\.96\.0\.12:5000/);
});

Deno.test("where images keep their names no namespace gets a pull secret", async () => {
  await using api = new ApiObjects();
  const context = {
    kube: api.client,
    state: STATE,
    registryService: registryServiceAt("10.96.0.12"),
    pullSecrets: false,
  };
  await ensureNamespaces(new Map([["shop", undefined]]), context);
  assert.deepEqual(api.writes, ["PATCH namespaces/shop"]);
});
