/**
 * Objects in every state that says something of their readiness, and in many that no controller would
 * leave them in.
 *
 * @module
 */
import type { KubeObject } from "../../../src/kube/mod.ts";
import type { Random } from "../../fuzz/random.ts";

type Json = Record<string, unknown>;
/** A type of condition, and reasons that it may have. */
type ConditionType = readonly [type: string, ...reasons: string[]];
/** Makes one field; undefined leaves it out. */
type Field = (random: Random) => unknown;

const one = (...choices: readonly unknown[]): Field => (random) => random.pick(choices);
/** Left out in so many of a hundred objects. */
const seldom = (field: Field, share = 15): Field => (random) =>
  random.percent(share) ? undefined : field(random);
const count = seldom(one(0, 1, 1, 2, 2, 3));

/** An object of fields. */
const fields = (members: Readonly<Record<string, Field>>): Field => (random) =>
  Object.fromEntries(
    Object.entries(members).map(([name, field]) => [name, field(random)] as const)
      .filter(([, value]) => value !== undefined),
  );

/** Conditions of these types with these reasons, some of them twice, in any order. */
const conditions = (...types: readonly ConditionType[]): Field => (random) =>
  Array.from({ length: random.below(4) }, () => {
    const [type, ...reasons] = random.pick(types);
    return {
      type,
      status: random.pick(["True", "True", "False", "Unknown"]),
      ...(random.percent(80) && reasons.length > 0 ? { reason: random.pick(reasons) } : {}),
      ...(random.percent(50) ? { message: "said" } : {}),
    };
  });

const GENERIC: readonly ConditionType[] = [
  ["Reconciling", "Busy"],
  ["Stalled", "Broken"],
];
const READY: ConditionType = ["Ready", "Fine", "Waiting"];
const observedGeneration = seldom(one(1, 2, 2, 2, 2, 2));

const replicated = {
  observedGeneration,
  replicas: count,
  updatedReplicas: count,
  readyReplicas: count,
  availableReplicas: count,
};

const container = fields({
  name: one("c"),
  restartCount: one(0, 7),
  state: fields({
    waiting: seldom(fields({ reason: one("CrashLoopBackOff", "ContainerCreating") }), 60),
    running: seldom(one({}), 60),
  }),
});

/** How a kind's `spec` and `status` are made. */
interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: Field;
  readonly status: Field;
}

const workload = (kind: string, apiVersion = "apps/v1"): Kind => ({
  apiVersion,
  kind,
  spec: fields({ replicas: count, progressDeadlineSeconds: seldom(one(600, 2 ** 31 - 1), 40) }),
  status: fields({
    ...replicated,
    fullyLabeledReplicas: count,
    conditions: seldom(conditions(
      ["Progressing", "NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"],
      ["Available", "MinimumReplicasAvailable"],
      ["Progressing", "NewReplicaSetAvailable"],
      ["Available"],
      ["ReplicaFailure", "FailedCreate"],
      ...GENERIC,
    )),
  }),
});

const daemons = (apiVersion: string): Kind => ({
  apiVersion,
  kind: "DaemonSet",
  spec: fields({}),
  status: fields({
    observedGeneration,
    desiredNumberScheduled: count,
    currentNumberScheduled: count,
    updatedNumberScheduled: count,
    numberAvailable: count,
    numberReady: count,
    conditions: seldom(conditions(READY, ...GENERIC), 80),
  }),
});

const simple = (apiVersion: string, kind: string, status: Field = fields({})): Kind => ({
  apiVersion,
  kind,
  spec: fields({}),
  status,
});

const said = fields({
  observedGeneration,
  conditions: seldom(conditions(READY, READY, ...GENERIC)),
});

/** All kinds that kstatus has rules for, and others. */
export const KINDS: readonly Kind[] = [
  workload("Deployment"),
  workload("ReplicaSet"),
  workload("Deployment", "extensions/v1beta1"),
  workload("ReplicaSet", "extensions/v1beta1"),
  {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    spec: fields({
      replicas: count,
      updateStrategy: seldom(fields({
        type: seldom(one("RollingUpdate", "RollingUpdate", "OnDelete")),
        rollingUpdate: seldom(fields({ partition: seldom(one(0, 0, 1, 2, 5)) }), 40),
      })),
    }),
    status: fields({
      ...replicated,
      currentReplicas: count,
      currentRevision: seldom(one("a", "b")),
      updateRevision: seldom(one("a", "b")),
    }),
  },
  daemons("apps/v1"),
  daemons("extensions/v1beta1"),
  {
    apiVersion: "v1",
    kind: "Pod",
    spec: fields({}),
    status: fields({
      phase: seldom(one("Pending", "Running", "Running", "Succeeded", "Failed", "Unknown")),
      conditions: seldom(conditions(
        READY,
        ["PodScheduled", "Unschedulable", "SchedulerError"],
        ["Initialized"],
        ...GENERIC,
      )),
      containerStatuses: seldom((random) =>
        Array.from({ length: random.below(3) }, () => container(random))
      ),
    }),
  },
  {
    apiVersion: "batch/v1",
    kind: "Job",
    spec: fields({ completions: count, parallelism: count, suspend: seldom(one(true)) }),
    status: fields({
      startTime: seldom(one("2026-01-01T00:00:00Z", ""), 30),
      succeeded: count,
      active: count,
      failed: count,
      conditions: seldom(conditions(["Complete"], ["Failed", "BackoffLimitExceeded"], [
        "SuccessCriteriaMet",
      ], READY)),
    }),
  },
  {
    apiVersion: "v1",
    kind: "Service",
    spec: fields({
      type: seldom(one("ClusterIP", "NodePort", "LoadBalancer", "LoadBalancer", "ExternalName")),
      clusterIP: seldom(one("10.0.0.1", "", "None")),
    }),
    status: fields({
      loadBalancer: one({}, { ingress: [{ ip: "10.1.0.1" }] }),
      conditions: seldom(conditions(READY, ...GENERIC), 80),
    }),
  },
  simple(
    "v1",
    "PersistentVolumeClaim",
    fields({
      phase: seldom(one("Bound", "Pending", "Lost")),
      conditions: seldom(conditions(READY)),
    }),
  ),
  simple("policy/v1", "PodDisruptionBudget", said),
  simple("batch/v1", "CronJob", said),
  simple(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    fields({
      conditions: seldom(conditions(
        ["NamesAccepted", "NoConflicts", "PluralConflict"],
        ["Established", "Installing", "InitialNamesAccepted", "NotAccepted"],
        ["Terminating"],
        ...GENERIC,
      )),
    }),
  ),
  simple("v1", "Secret", said),
  simple("v1", "ConfigMap", said),
  simple(
    "v1",
    "Namespace",
    fields({ phase: one("Active"), conditions: seldom(conditions(READY)) }),
  ),
  simple("v1", "Node", said),
  simple("v1", "ReplicationController", fields(replicated)),
  simple("networking.k8s.io/v1", "Ingress"),
  simple("autoscaling/v2", "HorizontalPodAutoscaler", said),
  simple("source.toolkit.fluxcd.io/v1", "GitRepository", said),
  simple("cert-manager.io/v1", "Certificate", said),
  simple("x.example/v1", "Deployment", said),
  simple("x.example/v1", "Pod", said),
];

/** In place of a field, in few objects: what a controller of a custom resource may write. */
const ODD: readonly unknown[] = [null, "text", 7, 1.5, true, [], {}, [null], ["x"], [{}]];
/** Fields that are spoilt. */
const PLACES: readonly string[] = [
  ...["metadata.generation", "status", "status.observedGeneration", "status.conditions"],
  ...["spec", "spec.replicas", "status.phase", "status.replicas", "status.startTime"],
  ...["spec.updateStrategy", "status.readyReplicas", "spec.type"],
  ...["status.desiredNumberScheduled", "metadata.deletionTimestamp"],
];

/** An object of a kind in some state. */
export function oddObject(random: Random, { apiVersion, kind, spec, status }: Kind): KubeObject {
  const object = {
    apiVersion,
    kind,
    metadata: {
      name: "x",
      namespace: "n",
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...(random.percent(90) ? { generation: 2 } : {}),
      ...(random.percent(3) ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: spec(random),
    ...(random.percent(95) ? { status: status(random) } : {}),
  } as KubeObject;
  if (random.percent(8)) spoil(object, random.pick(PLACES), random.pick(ODD));
  if (random.percent(4)) spoilCondition(object, random);
  return object;
}

function spoil(object: Json, path: string, value: unknown): void {
  const keys = path.split(".");
  const last = keys.pop() ?? "";
  const holder = keys.reduce<unknown>((at, key) => (at as Json | undefined)?.[key], object);
  if (typeof holder === "object" && holder !== null) (holder as Json)[last] = value;
}

function spoilCondition({ status }: KubeObject, random: Random): void {
  const found = (status as { conditions?: unknown } | undefined)?.conditions;
  if (!Array.isArray(found) || found.length === 0) return;
  const condition = random.pick(found);
  if (typeof condition !== "object" || condition === null) return;
  condition[random.pick(["type", "status", "reason", "message"])] = random.pick(ODD);
}
