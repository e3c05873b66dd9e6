import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import type { KubeObject } from "../kube/mod.ts";
import { targetOf, targetPods, wantedPods } from "./injection_pods.ts";

const MARKER = ".zarf-injection-1700000000";
const choice = { namespace: "n", selector: "app=a", container: "init", marker: MARKER };

type Json = Record<string, unknown>;

function pod(status: Json, more: Json = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "n", uid: "u", labels: { app: "a" }, ...more },
    spec: {
      initContainers: [{ name: "init", args: [`until [ -e /d/${MARKER} ]; do sleep 1; done`] }],
    },
    status,
  };
}

const init = (state: Json | undefined) => ({
  phase: "Pending",
  initContainerStatuses: [{ name: "other", state: { running: {} } }, { name: "init", state }],
});

Deno.test("a pod waits for its data while its container runs", () => {
  const rows: [name: string, status: Json, standing: string, runs: boolean, text: RegExp][] = [
    ["nothing is known of it", {}, "coming", false, /it has no container init yet/],
    [
      "another container runs",
      { initContainerStatuses: [{ name: "x", state: { running: {} } }] },
      "coming",
      false,
      /no container init/,
    ],
    ["its container runs", init({ running: { startedAt: "x" } }), "waiting", false, /Pending/],
    [
      "its image cannot be pulled",
      init({ waiting: { reason: "ImagePullBackOff" } }),
      "coming",
      false,
      /ImagePullBackOff/,
    ],
    ["its container failed", init({ terminated: { exitCode: 1 } }), "coming", false, /Pending/],
    ["its container ended", init({ terminated: { exitCode: 0 } }), "past", false, /Pending/],
    [
      "its pod runs",
      { ...init({ terminated: { exitCode: 0 } }), phase: "Running" },
      "past",
      true,
      /Running/,
    ],
    [
      "its pod is done",
      { ...init({ terminated: { exitCode: 0 } }), phase: "Succeeded" },
      "past",
      true,
      /Succeeded/,
    ],
    [
      "it is no init container",
      { phase: "Running", containerStatuses: [{ name: "init", state: { running: {} } }] },
      "waiting",
      true,
      /Running/,
    ],
  ];
  for (const [name, status, standing, runs, text] of rows) {
    const target = targetOf(pod(status), choice);
    assert.deepEqual([target?.standing, target?.runs], [standing, runs], name);
    assert.match(target?.text ?? "", text, name);
  }
});

Deno.test("pods of another deployment, and those that go or have failed, are none", () => {
  const running = init({ running: {} });
  assert.equal(targetOf(pod(running), { ...choice, marker: ".zarf-injection-18" }), undefined);
  assert.equal(targetOf(pod({ ...running, phase: "Failed" }), choice), undefined);
  const going = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  assert.equal(targetOf(pod(running, going), choice), undefined);
});

Deno.test("the pods of a selector and a namespace are found, with what made them", async () => {
  await using api = new ApiObjects();
  for (const name of ["n", "m"]) api.put(namespace(name));
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "rs", uid: "r" };
  const owners = { ownerReferences: [{ ...owner, uid: "x" }, { ...owner, controller: true }] };
  api.put(pod({}, { name: "one", ...owners }));
  api.put(pod({}, { name: "two", labels: { app: "b" } }));
  api.put(pod({}, { name: "three", namespace: "m" }));
  const found = await targetPods(api.client, choice, {});
  assert.deepEqual(found.map(({ name, namespace }) => `${namespace}/${name}`), ["n/one"]);
  assert.equal(found[0]?.controller?.uid, "r");
});

Deno.test("how many pods there will be, the topmost controller says", async () => {
  await using api = new ApiObjects();
  api.put(namespace("n"));
  const put = (kind: string, name: string, more: Json, owner?: string) =>
    api.put({
      apiVersion: kind === "Job" ? "batch/v1" : "apps/v1",
      kind,
      metadata: {
        name,
        namespace: "n",
        ...(owner === undefined ? {} : {
          ownerReferences: [
            { apiVersion: "apps/v1", kind: "Deployment", name: owner, uid: "d", controller: true },
          ],
        }),
      },
      ...more,
    });
  put("Deployment", "web", { spec: { replicas: 3 } });
  // As it is while the Deployment rolls out.
  put("ReplicaSet", "web-1", { spec: { replicas: 1 } }, "web");
  put("ReplicaSet", "alone", { spec: { replicas: 2 } });
  put("ReplicaSet", "orphan", { spec: { replicas: 2 } }, "gone");
  put("StatefulSet", "db", {
    spec: { replicas: 5, updateStrategy: { rollingUpdate: { partition: 3 } } },
  });
  put("DaemonSet", "agent", { spec: {}, status: { desiredNumberScheduled: 4 } });
  put("Job", "job", { spec: { completions: 3 } });
  const rows: [kind: string, name: string, expected: number | undefined][] = [
    ["ReplicaSet", "web-1", 3],
    ["ReplicaSet", "alone", 2],
    ["ReplicaSet", "orphan", 2],
    ["StatefulSet", "db", 2],
    ["DaemonSet", "agent", 4],
    ["Job", "job", undefined],
    ["ReplicaSet", "not there", undefined],
  ];
  for (const [kind, name, expected] of rows) {
    const apiVersion = kind === "Job" ? "batch/v1" : "apps/v1";
    const controller = { apiVersion, kind, name, uid: "u" };
    assert.equal(await wantedPods(api.client, controller, "n", {}), expected, name);
  }
});
