import assert from "node:assert/strict";
import { type HealthStatus, statusOf } from "./health.ts";

type Row = [
  name: string,
  object: { readonly apiVersion: string; readonly kind: string; readonly metadata: object },
  status: HealthStatus,
  message?: RegExp,
];

function object(apiVersion: string, kind: string, spec: unknown, status: unknown, meta = {}) {
  return { apiVersion, kind, metadata: { name: "x", generation: 2, ...meta }, spec, status };
}

const AVAILABLE = [
  { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" },
  { type: "Available", status: "True" },
];

function deployment(replicas: number, status: Record<string, unknown>, spec = {}) {
  return object("apps/v1", "Deployment", { replicas, progressDeadlineSeconds: 600, ...spec }, {
    observedGeneration: 2,
    ...status,
  });
}

const whole = (n: number) => ({
  replicas: n,
  updatedReplicas: n,
  readyReplicas: n,
  availableReplicas: n,
  conditions: AVAILABLE,
});

const ROWS: Row[] = [
  ["a deployment whose pods are all ready", deployment(3, whole(3)), "Current", /3 of 3/],
  [
    "a deployment with one pod ready",
    deployment(3, { ...whole(3), readyReplicas: 1 }),
    "InProgress",
    /1 of 3 ready/,
  ],
  [
    "a deployment not all updated",
    deployment(2, { ...whole(2), updatedReplicas: 1 }),
    "InProgress",
  ],
  [
    "a deployment with old pods",
    deployment(1, { ...whole(1), replicas: 2 }),
    "InProgress",
    /1 old/,
  ],
  [
    "a deployment not available",
    deployment(1, { ...whole(1), conditions: AVAILABLE.slice(0, 1) }),
    "InProgress",
  ],
  [
    "a deployment still rolling out",
    deployment(1, { ...whole(1), conditions: AVAILABLE.slice(1) }),
    "InProgress",
  ],
  [
    "a deployment without a deadline",
    deployment(1, { ...whole(1), conditions: AVAILABLE.slice(1) }, {
      progressDeadlineSeconds: 2 ** 31 - 1,
    }),
    "Current",
  ],
  [
    "a deployment that does not say how many",
    object("apps/v1", "Deployment", {}, { observedGeneration: 2, ...whole(1) }),
    "Current",
    /1 of 1/,
  ],
  [
    "a deployment that was only just made",
    object("apps/v1", "Deployment", {}, { observedGeneration: 2, conditions: AVAILABLE }),
    "InProgress",
    /0 of 1/,
  ],
  [
    "a deployment none of whose pods is updated",
    deployment(1, { replicas: 1, readyReplicas: 1, availableReplicas: 1, conditions: AVAILABLE }),
    "InProgress",
  ],
  ["a deployment scaled to nothing", deployment(0, { conditions: AVAILABLE }), "Current"],
  [
    "a deployment that nobody has seen",
    object("apps/v1", "Deployment", { replicas: 0 }, {}),
    "InProgress",
  ],
  [
    "a deployment whose change was not seen",
    { ...deployment(1, whole(1)), metadata: { name: "x", generation: 3 } },
    "InProgress",
    /not seen/,
  ],
  [
    "a deployment past its deadline",
    deployment(1, {
      conditions: [{
        type: "Progressing",
        status: "False",
        reason: "ProgressDeadlineExceeded",
        message: "timed out progressing",
      }],
    }),
    "Failed",
    /timed out/,
  ],
  [
    "a stateful set",
    object("apps/v1", "StatefulSet", { replicas: 2 }, {
      replicas: 2,
      readyReplicas: 2,
      currentReplicas: 2,
      currentRevision: "a",
      updateRevision: "a",
    }),
    "Current",
  ],
  [
    "a stateful set in an update",
    object("apps/v1", "StatefulSet", { replicas: 2 }, {
      replicas: 2,
      readyReplicas: 2,
      currentReplicas: 2,
      currentRevision: "a",
      updateRevision: "b",
    }),
    "InProgress",
  ],
  [
    "a stateful set with one of two",
    object("apps/v1", "StatefulSet", { replicas: 2 }, { replicas: 2, readyReplicas: 1 }),
    "InProgress",
    /1 of 2/,
  ],
  [
    "a stateful set updated up to its partition",
    object("apps/v1", "StatefulSet", {
      replicas: 3,
      updateStrategy: { rollingUpdate: { partition: 2 } },
    }, {
      replicas: 3,
      readyReplicas: 3,
      updatedReplicas: 1,
      currentRevision: "a",
      updateRevision: "b",
    }),
    "Current",
  ],
  [
    "a stateful set below its partition",
    object("apps/v1", "StatefulSet", {
      replicas: 3,
      updateStrategy: { rollingUpdate: { partition: 1 } },
    }, { replicas: 3, readyReplicas: 3, updatedReplicas: 1 }),
    "InProgress",
  ],
  [
    "a stateful set with a strategy and no partition",
    object("apps/v1", "StatefulSet", {
      replicas: 1,
      updateStrategy: { type: "RollingUpdate", rollingUpdate: {} },
    }, { replicas: 1, readyReplicas: 1, currentRevision: "a", updateRevision: "b" }),
    "InProgress",
    /updating/,
  ],
  [
    "a stateful set with a pod too many",
    object("apps/v1", "StatefulSet", { replicas: 1 }, { replicas: 2, readyReplicas: 2 }),
    "InProgress",
    /1 pods still to end/,
  ],
  [
    "a stateful set that does not say how many",
    object("apps/v1", "StatefulSet", {}, {}),
    "InProgress",
    /0 of 1/,
  ],
  [
    "a stateful set updated by hand",
    object("apps/v1", "StatefulSet", { replicas: 3, updateStrategy: { type: "OnDelete" } }, {}),
    "Current",
  ],
  [
    "a daemon set",
    object("apps/v1", "DaemonSet", {}, {
      observedGeneration: 2,
      desiredNumberScheduled: 2,
      currentNumberScheduled: 2,
      updatedNumberScheduled: 2,
      numberAvailable: 2,
      numberReady: 2,
    }),
    "Current",
    /2 of 2/,
  ],
  [
    "a daemon set missing one",
    object("apps/v1", "DaemonSet", {}, {
      observedGeneration: 2,
      desiredNumberScheduled: 2,
      currentNumberScheduled: 2,
      updatedNumberScheduled: 2,
      numberAvailable: 1,
      numberReady: 1,
    }),
    "InProgress",
    /1 of 2/,
  ],
  ["a daemon set that nobody has seen", object("apps/v1", "DaemonSet", {}, {}), "InProgress"],
  [
    "a replica set",
    object("apps/v1", "ReplicaSet", { replicas: 1 }, {
      replicas: 1,
      fullyLabeledReplicas: 1,
      readyReplicas: 1,
      availableReplicas: 1,
    }),
    "Current",
  ],
  [
    "a replica set whose pods lack labels",
    object("apps/v1", "ReplicaSet", { replicas: 1 }, {
      replicas: 1,
      fullyLabeledReplicas: 0,
      readyReplicas: 1,
      availableReplicas: 1,
    }),
    "InProgress",
  ],
  [
    "a replica set with a pod too many",
    object("apps/v1", "ReplicaSet", { replicas: 1 }, {
      replicas: 2,
      fullyLabeledReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
    }),
    "InProgress",
  ],
  [
    "a replica set that does not say how many",
    object("apps/v1", "ReplicaSet", {}, { replicas: 0 }),
    "InProgress",
    /0 of 1/,
  ],
  [
    "a replica set that may not make pods",
    object("apps/v1", "ReplicaSet", { replicas: 1 }, {
      conditions: [{ type: "ReplicaFailure", status: "True", message: "forbidden" }],
    }),
    "InProgress",
    /forbidden/,
  ],
  [
    "a job that is done",
    object("batch/v1", "Job", {}, {
      startTime: "t",
      conditions: [{ type: "Complete", status: "True" }],
    }),
    "Current",
  ],
  ["a job that runs", object("batch/v1", "Job", {}, { startTime: "t" }), "Current"],
  [
    "a job that failed",
    object("batch/v1", "Job", {}, {
      conditions: [{ type: "Failed", status: "True", message: "BackoffLimitExceeded" }],
    }),
    "Failed",
    /Backoff/,
  ],
  ["a job not started", object("batch/v1", "Job", {}, {}), "InProgress"],
  ["a cron job", object("batch/v1", "CronJob", {}, {}), "Current"],
  [
    "a ready pod",
    object("v1", "Pod", {}, { phase: "Running", conditions: [{ type: "Ready", status: "True" }] }),
    "Current",
  ],
  [
    "a running pod",
    object("v1", "Pod", {}, { phase: "Running", conditions: [{ type: "Ready", status: "False" }] }),
    "InProgress",
  ],
  ["a completed pod", object("v1", "Pod", {}, { phase: "Succeeded" }), "Current"],
  ["a failed pod", object("v1", "Pod", {}, { phase: "Failed" }), "Failed"],
  [
    "a pod without a place",
    object("v1", "Pod", {}, {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "False", message: "0/1 nodes" }],
    }),
    "InProgress",
    /0\/1 nodes/,
  ],
  ["a bound claim", object("v1", "PersistentVolumeClaim", {}, { phase: "Bound" }), "Current"],
  [
    "a pending claim",
    object("v1", "PersistentVolumeClaim", {}, { phase: "Pending" }),
    "InProgress",
  ],
  ["a service", object("v1", "Service", { type: "ClusterIP" }, {}), "Current"],
  [
    "a load balancer without an address",
    object("v1", "Service", { type: "LoadBalancer" }, {}),
    "InProgress",
  ],
  ["a config map", { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } }, "Current"],
  ["a budget", object("policy/v1", "PodDisruptionBudget", {}, {}), "Current"],
  [
    "an established definition",
    object("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, {
      conditions: [{ type: "Established", status: "True" }],
    }),
    "Current",
  ],
  [
    "a new definition",
    object("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, {}),
    "InProgress",
  ],
  [
    "a definition whose names are taken",
    object("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, {
      conditions: [{ type: "NamesAccepted", status: "False", message: "taken" }],
    }),
    "Failed",
    /taken/,
  ],
  [
    "a custom object that is ready",
    object("x.example/v1", "Thing", {}, { conditions: [{ type: "Ready", status: "True" }] }),
    "Current",
  ],
  [
    "a custom object that is not",
    object("x.example/v1", "Thing", {}, {
      conditions: [{ type: "Ready", status: "False", message: "no quorum" }],
    }),
    "InProgress",
    /no quorum/,
  ],
  ["a custom object that says nothing", object("x.example/v1", "Thing", {}, {}), "Current"],
  [
    "a custom object that stalls",
    object("x.example/v1", "Thing", {}, {
      conditions: [{ type: "Stalled", status: "True", message: "bad spec" }],
    }),
    "Failed",
    /bad spec/,
  ],
  [
    "a custom object that reconciles",
    object("x.example/v1", "Thing", {}, {
      conditions: [{ type: "Reconciling", status: "True" }, { type: "Ready", status: "True" }],
    }),
    "InProgress",
  ],
  [
    "another group's Deployment",
    object("x.example/v1", "Deployment", { replicas: 3 }, {}),
    "Current",
  ],
  [
    "an object on its way out",
    object("v1", "ConfigMap", {}, {}, { deletionTimestamp: "t" }),
    "Terminating",
  ],
];

for (const [name, given, status, message] of ROWS) {
  Deno.test(`${name}: ${status}`, () => {
    const health = statusOf(given);
    assert.equal(health.status, status, health.message);
    if (message !== undefined) assert.match(health.message, message);
  });
}

Deno.test("a status of a shape that nobody knows is no reason to wait, nor to say ready", () => {
  const thing = (status: unknown, meta = {}) => object("x/v1", "Thing", {}, status, meta);
  for (
    const [odd, why] of [
      [thing({ conditions: "odd" }), /status\.conditions is no list/],
      [thing({ conditions: ["odd"] }), /a condition is no object/],
      [
        thing({ conditions: [{ type: "Ready", status: true }] }),
        /status of a condition is no text/,
      ],
      [thing("odd"), /what holds status\.observedGeneration is no object/],
      [thing("odd", { generation: undefined }), /what holds status\.conditions is no object/],
      [thing({ observedGeneration: "2" }), /status\.observedGeneration is no whole number/],
      [thing({ observedGeneration: 1.5 }), /no whole number/],
      [thing({}, { deletionTimestamp: 7 }), /metadata\.deletionTimestamp is no text/],
    ] as const
  ) {
    const { status, message } = statusOf(odd);
    assert.equal(status, "Failed", JSON.stringify(odd));
    assert.match(message, why);
  }
});

Deno.test("of other fields what has an odd type counts as absent", () => {
  const odd = { ...deployment(1, whole(1)), spec: { replicas: "3" } };
  assert.match(statusOf(odd).message, /1 of 1/);
  assert.equal(statusOf(object("v1", "Service", "odd", {})).status, "Current");
  assert.equal(statusOf(object("x/v1", "Thing", {}, { conditions: null })).status, "Current");
});
