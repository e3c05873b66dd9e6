import assert from "node:assert/strict";
import { type AnyObject, ApiObjects } from "../../test/fakes/api_objects.ts";
import { hasJustStarted, newestPods, podsOf } from "./pods.ts";

const NOON = new Date("2026-01-01T12:00:00Z");

interface PodParts {
  readonly created?: string;
  readonly hash?: string;
  readonly deleted?: boolean;
  /** When its containers were started. */
  readonly started?: readonly string[];
}

function pod(name: string, { created, hash = "new", deleted, started = [] }: PodParts = {}) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "shop",
      creationTimestamp: created ?? "2026-01-01T10:00:00Z",
      labels: { app: "web", "pod-template-hash": hash },
      ...(deleted ? { deletionTimestamp: "2026-01-01T11:00:00Z" } : {}),
    },
    status: {
      containerStatuses: started.map((startedAt, at) => ({
        name: `c${at}`,
        state: { running: { startedAt } },
      })),
    },
  } as AnyObject;
}

function workload(kind: string, selector: unknown) {
  const metadata = { name: "web", namespace: "shop" };
  return { apiVersion: "apps/v1", kind, metadata, spec: { selector } } as AnyObject;
}

const BY_LABEL = { matchLabels: { app: "web" } };

Deno.test("the newest revision is that of the pod that was made last", () => {
  const pods = [
    pod("old", { hash: "old" }),
    pod("new-1", { created: "2026-01-01T10:00:01Z" }),
    pod("new-0", { created: "2026-01-01T09:00:00Z" }),
    pod("gone", { created: "2026-01-01T11:00:00Z", hash: "newer", deleted: true }),
    { kind: "Pod" },
    null,
  ];
  assert.deepEqual(newestPods(pods).map(({ metadata }) => metadata.name), ["new-1", "new-0"]);
  assert.deepEqual(newestPods([]), []);
});

Deno.test("a workload's pods are those that its labels select, in its namespace", async () => {
  await using api = new ApiObjects();
  api.put(pod("mine"));
  const other = pod("other");
  api.put({ ...other, metadata: { ...other.metadata, labels: { app: "shop" } } });
  const elsewhere = pod("elsewhere");
  api.put({ ...elsewhere, metadata: { ...elsewhere.metadata, namespace: "default" } });
  const pods = await podsOf(api.client, workload("Deployment", BY_LABEL), "shop");
  assert.deepEqual(pods?.map(({ metadata }) => metadata.name), ["mine"]);
});

Deno.test("of a workload without labels to select by nothing is said of its pods", async () => {
  await using api = new ApiObjects();
  api.put(pod("any"));
  for (const selector of [undefined, {}, { matchLabels: {} }, { matchExpressions: [] }]) {
    const pods = await podsOf(api.client, workload("Deployment", selector), "shop");
    assert.equal(pods, undefined, JSON.stringify(selector));
  }
});

Deno.test("a workload has just started when a container of its newest pods has", async () => {
  const [early, late] = ["2026-01-01T11:59:59Z", "2026-01-01T12:00:01Z"];
  const rows: [what: string, kind: string, pods: PodParts[], expected: boolean][] = [
    ["a container started later", "Deployment", [{ started: [early, late] }], true],
    ["all started before", "StatefulSet", [{ started: [early] }, { started: [early] }], false],
    ["of the old ones alone one did", "DaemonSet", [
      { hash: "old", started: [late] },
      { created: "2026-01-01T10:00:01Z", started: [early] },
    ], false],
    ["a Job runs to its end", "Job", [{ started: [late] }], false],
    ["none runs", "Deployment", [{}], false],
  ];
  for (const [what, kind, pods, expected] of rows) {
    await using api = new ApiObjects();
    pods.forEach((parts, at) => api.put(pod(`web-${at}`, parts)));
    const started = await hasJustStarted(api.client, workload(kind, BY_LABEL), "shop", NOON);
    assert.equal(started, expected, what);
  }
});
