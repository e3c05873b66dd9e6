import assert from "node:assert/strict";
import { managedNamespace, namespacesOf } from "./namespaces.ts";
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
