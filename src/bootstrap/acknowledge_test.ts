import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import { node } from "../../test/fakes/seed_cluster.ts";
import { digestOf } from "../std/mod.ts";
import {
  acknowledgedNodes,
  acknowledgeSeed,
  allAcknowledged,
  SEED_ANNOTATION,
  type SeedNode,
} from "./acknowledge.ts";

const digest = digestOf("seed");

Deno.test("a node says once that it has the image, and keeps its other annotations", async () => {
  await using api = new ApiObjects();
  const labelled = node("a");
  labelled.metadata.annotations = { other: "kept" };
  api.put(labelled);
  assert.equal(await acknowledgeSeed(api.client, "a", digest), true);
  assert.deepEqual(api.find("nodes", "a")?.metadata.annotations, {
    other: "kept",
    [SEED_ANNOTATION]: digest,
  });
  assert.equal(await acknowledgeSeed(api.client, "a", digest), true);
  assert.deepEqual(api.writes, ["PATCH nodes/a"]);
});

Deno.test("another image is said anew", async () => {
  await using api = new ApiObjects();
  api.put(node("a"));
  for (const each of ["one", "two"]) await acknowledgeSeed(api.client, "a", digestOf(each));
  assert.equal(api.find("nodes", "a")?.metadata.annotations?.[SEED_ANNOTATION], digestOf("two"));
  assert.equal(api.writes.length, 2);
});

Deno.test("a node that the cluster does not know yet says nothing, and that is no failure", async () => {
  await using api = new ApiObjects();
  assert.equal(await acknowledgeSeed(api.client, "stranger", digest), false);
  assert.deepEqual(api.writes, []);
});

Deno.test("who has the image is who says this digest", async () => {
  await using api = new ApiObjects();
  for (const one of [node("a"), node("b"), node("c", false)]) api.put(one);
  api.put({ apiVersion: "v1", kind: "Node", metadata: { name: "d" } });
  await acknowledgeSeed(api.client, "a", digest);
  await acknowledgeSeed(api.client, "b", digestOf("an older one"));
  assert.deepEqual(await acknowledgedNodes(api.client, digest), [
    { name: "a", ready: true, acknowledged: true },
    { name: "b", ready: true, acknowledged: false },
    { name: "c", ready: false, acknowledged: false },
    { name: "d", ready: false, acknowledged: false },
  ]);
});

const has: SeedNode = { name: "a", ready: true, acknowledged: true };
const lacks: SeedNode = { name: "b", ready: true, acknowledged: false };
const gone: SeedNode = { name: "c", ready: false, acknowledged: false };

const groups: readonly [string, readonly SeedNode[], boolean][] = [
  ["without nodes", [], true],
  ["where all have it", [has, has], true],
  ["where one that is not Ready lacks it", [has, gone], true],
  ["where one that is Ready lacks it", [has, lacks], false],
];

for (const [what, nodes, done] of groups) {
  Deno.test(`in a cluster ${what} ${done ? "nobody" : "somebody"} is waited for`, () => {
    assert.equal(allAcknowledged(nodes), done);
  });
}
