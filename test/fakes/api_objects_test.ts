import assert from "node:assert/strict";
import { KubeError, type KubeObject } from "../../src/kube/mod.ts";
import { type AnyObject, ApiObjects, namespace } from "./api_objects.ts";

const MAPS = { apiVersion: "v1", kind: "ConfigMap", namespace: "a" } as const;

const map = (
  name: string,
  data: Record<string, string>,
  more: Partial<KubeObject["metadata"]> = {},
) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "a", ...more },
  data,
} as AnyObject);

function withApi(action: (api: ApiObjects) => Promise<void>): Promise<void> {
  return (async () => {
    await using api = new ApiObjects();
    api.put(namespace("a"));
    await action(api);
  })();
}

const failsWith = (reason: string) => (error: unknown) =>
  error instanceof KubeError && error.reason === reason;

Deno.test("what is there cannot be created again, what is not there cannot be changed", () =>
  withApi(async ({ client }) => {
    await client.create(map("one", { x: "1" }));
    await assert.rejects(client.create(map("one", {})), failsWith("AlreadyExists"));
    await assert.rejects(client.replace(map("two", {})), failsWith("NotFound"));
    const patch = { type: "merge", body: { data: { x: "2" } } } as const;
    await assert.rejects(client.patch({ ...MAPS, name: "two" }, patch), failsWith("NotFound"));
    assert.equal(await client.delete({ ...MAPS, name: "two" }), false);
    const elsewhere = map("one", {}, { namespace: "nowhere" });
    await assert.rejects(client.create(elsewhere), failsWith("NotFound"));
  }));

Deno.test("a replacement of what has changed meanwhile is a conflict", () =>
  withApi(async ({ client }) => {
    const first = await client.create(map("one", { x: "1" }));
    await client.replace({ ...first, data: { x: "2" } });
    await assert.rejects(client.replace({ ...first, data: { x: "3" } }), failsWith("Conflict"));
  }));

Deno.test("an apply takes away what its owner applied before and leaves what is others'", () =>
  withApi(async ({ client }) => {
    await client.apply(map("one", { ours: "1", dropped: "1" }));
    await client.apply(map("one", { theirs: "1" }), { fieldManager: "other" });
    const after = await client.apply(map("one", { ours: "2" }));
    assert.deepEqual(after.data, { ours: "2", theirs: "1" });
  }));

Deno.test("a write that changes nothing makes no new version, and a dry run nothing at all", () =>
  withApi(async (api) => {
    const first = await api.client.apply(map("one", { x: "1" }));
    const second = await api.client.apply(map("one", { x: "1" }));
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
    await api.client.create(map("two", {}), { dryRun: true });
    assert.equal(api.find("configmaps", "two"), undefined);
    assert.deepEqual(api.writes, ["PATCH configmaps/one", "PATCH configmaps/one"]);
  }));

Deno.test("lists come in pages, in order of names, chosen by labels", () =>
  withApi(async ({ client }) => {
    for (const name of ["c", "a", "b"]) {
      await client.create(map(name, {}, { labels: { odd: String(name !== "b") } }));
    }
    const all = await client.list(MAPS, { limit: 2 });
    assert.deepEqual(all.items.map((one) => one.metadata.name), ["a", "b"]);
    const odd = await client.list(MAPS, { labelSelector: "odd=true" });
    assert.deepEqual(odd.items.map((one) => one.metadata.name), ["a", "c"]);
    assert.equal(odd.items[0]?.kind, "ConfigMap");
  }));

Deno.test("a watch tells what happens from a version on, and nothing before", () =>
  withApi(async ({ client }) => {
    await client.create(map("before", {}));
    const { resourceVersion } = await client.list(MAPS);
    await client.create(map("after", {}));
    await client.delete({ ...MAPS, name: "after" });
    const seen: string[] = [];
    for await (const { type, object } of client.watch(MAPS, { resourceVersion })) {
      seen.push(`${type} ${object.metadata.name}`);
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, ["ADDED after", "DELETED after"]);
  }));

Deno.test("selectors choose as the API server's do, and a watch tells when one stops to", () =>
  withApi(async (api) => {
    const pod = (name: string, labels: Record<string, string>, phase: string) =>
      api.put({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "a", labels },
        status: { phase },
      });
    pod("one", {}, "Pending");
    pod("two", { seen: "yes" }, "Pending");
    pod("three", { tier: "b" }, "Running");
    const ref = { apiVersion: "v1", kind: "Pod" };
    const cases: [string, string, string[]][] = [
      ["seen!=yes", "", ["one", "three"]],
      ["seen!=yes", "status.phase=Pending", ["one"]],
      ["tier notin (a,b),seen!=yes", "", ["one"]],
      ["tier in (a,b)", "", ["three"]],
      ["tier", "", ["three"]],
      ["tier=b,seen!=yes", "status.phase=Running", ["three"]],
    ];
    for (const [labelSelector, fieldSelector, names] of cases) {
      const { items } = await api.client.list(ref, { labelSelector, fieldSelector });
      assert.deepEqual(items.map(({ metadata }) => metadata.name), names, labelSelector);
    }
    const seen: string[] = [];
    const watch = api.client.watch(ref, { labelSelector: "seen!=yes", resourceVersion: "0" });
    for await (const { type, object } of watch) {
      seen.push(`${type} ${object.metadata.name}`);
      if (seen.length === 2) pod("one", { seen: "yes" }, "Pending");
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, ["ADDED one", "ADDED three", "DELETED one"]);
  }));

Deno.test("a JSON patch or a deletion of a version that is gone is a conflict", () =>
  withApi(async ({ client }) => {
    const first = await client.create(map("one", { x: "1" }));
    const { resourceVersion = "" } = first.metadata;
    const patch = {
      type: "json",
      body: [
        { op: "add", path: "/data/x", value: "2" },
        { op: "add", path: "/metadata/resourceVersion", value: resourceVersion },
      ],
    } as const;
    const ref = { ...MAPS, name: "one" };
    assert.deepEqual((await client.patch<AnyObject>(ref, patch)).data, { x: "2" });
    await assert.rejects(client.patch(ref, patch), failsWith("Conflict"));
    const deletion = { preconditions: { resourceVersion } };
    await assert.rejects(client.delete(ref, deletion), failsWith("Conflict"));
  }));
