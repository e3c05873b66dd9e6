import * as v from "valibot";

/** How an object stands. `NotFound` is never an answer for an object that is there. */
export type HealthStatus = "Current" | "InProgress" | "Failed" | "Terminating" | "NotFound";

/** How an object stands, and in a few words why. */
export interface Health {
  readonly status: HealthStatus;
  readonly message: string;
}

const number = v.optional(v.nullable(v.number()));
const text = v.optional(v.nullable(v.string()));

const ConditionSchema = v.looseObject({
  type: v.string(),
  status: v.string(),
  reason: text,
  message: text,
});

const ContainerStatusSchema = v.looseObject({
  name: v.string(),
  restartCount: number,
  state: v.optional(v.looseObject({
    waiting: v.optional(v.looseObject({ reason: text, message: text })),
  })),
});

/** An object from the API server, as far as its readiness can be read from it. */
export const HealthObjectSchema = v.looseObject({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: v.looseObject({ generation: number, deletionTimestamp: text }),
  spec: v.optional(v.nullable(v.looseObject({
    replicas: number,
    progressDeadlineSeconds: number,
    type: text,
    clusterIP: text,
    updateStrategy: v.optional(v.looseObject({
      type: text,
      rollingUpdate: v.optional(v.nullable(v.looseObject({ partition: number }))),
    })),
  }))),
  status: v.optional(v.nullable(v.looseObject({
    observedGeneration: number,
    replicas: number,
    updatedReplicas: number,
    readyReplicas: number,
    availableReplicas: number,
    fullyLabeledReplicas: number,
    currentRevision: text,
    updateRevision: text,
    desiredNumberScheduled: number,
    currentNumberScheduled: number,
    updatedNumberScheduled: number,
    numberAvailable: number,
    numberReady: number,
    phase: text,
    startTime: v.optional(v.unknown()),
    conditions: v.optional(v.nullable(v.array(ConditionSchema))),
    containerStatuses: v.optional(v.nullable(v.array(ContainerStatusSchema))),
  }))),
});

/** {@linkcode HealthObjectSchema}'s result. */
export type HealthObject = v.InferOutput<typeof HealthObjectSchema>;
type Condition = v.InferOutput<typeof ConditionSchema>;
type Rule = (object: HealthObject) => Health;

/**
 * Whether an object is what its specification asks for, by the rules of kstatus
 * (sigs.k8s.io/cli-utils, pkg/kstatus/status/core.go and generic.go), which Zarf waits by: first the
 * generation and the generic conditions, then the rule of its kind, then its `Ready` condition; an
 * object that says nothing is current. An object with a status of another shape is in progress.
 */
export function statusOf(object: unknown): Health {
  const parsed = v.safeParse(HealthObjectSchema, object);
  if (!parsed.success) return inProgress("its status cannot be read");
  const generic = genericStatus(parsed.output);
  if (generic !== undefined) return generic;
  const rule = RULES[`${groupOf(parsed.output.apiVersion)}/${parsed.output.kind}`];
  return rule?.(parsed.output) ?? readyStatus(parsed.output);
}

const RULES: Readonly<Record<string, Rule>> = {
  "apps/Deployment": deploymentStatus,
  "apps/StatefulSet": statefulSetStatus,
  "apps/DaemonSet": daemonSetStatus,
  "apps/ReplicaSet": replicaSetStatus,
  "batch/Job": jobStatus,
  "batch/CronJob": () => current("it is scheduled"),
  "/Pod": podStatus,
  "/PersistentVolumeClaim": (object) =>
    object.status?.phase === "Bound" ? current("bound") : inProgress("not bound"),
  "/Service": serviceStatus,
  "policy/PodDisruptionBudget": () => current("computed"),
  "apiextensions.k8s.io/CustomResourceDefinition": definitionStatus,
};

function genericStatus(object: HealthObject): Health | undefined {
  const { generation, deletionTimestamp } = object.metadata;
  if (deletionTimestamp) return { status: "Terminating", message: "it is being deleted" };
  const observed = object.status?.observedGeneration;
  if (typeof observed === "number" && typeof generation === "number" && observed !== generation) {
    return inProgress("its controller has not seen the change yet");
  }
  const reconciling = condition(object, "Reconciling");
  if (reconciling?.status === "True") return inProgress(textOf(reconciling, "reconciling"));
  const stalled = condition(object, "Stalled");
  if (stalled?.status === "True") return failed(textOf(stalled, "stalled"));
  return undefined;
}

function readyStatus(object: HealthObject): Health {
  const ready = condition(object, "Ready");
  if (ready === undefined || ready.status === "True") return current("ready");
  return inProgress(textOf(ready, "not ready"));
}

function deploymentStatus(object: HealthObject): Health {
  const progressing = condition(object, "Progressing");
  if (progressing?.reason === "ProgressDeadlineExceeded") {
    return failed(textOf(progressing, "it made no progress within its deadline"));
  }
  const wanted = object.spec?.replicas ?? 1;
  const { replicas, updated, ready, available } = counts(object);
  const message = `${ready} of ${wanted} ready`;
  if (object.status?.observedGeneration === undefined) return inProgress(message);
  if (replicas < wanted || updated < wanted) return inProgress(message);
  if (replicas > wanted) return inProgress(`${replicas - wanted} old pods still to end`);
  if (available < updated || ready < wanted) return inProgress(message);
  // Go's 2^31-1 means "no deadline": then no Progressing condition is written (core.go).
  const deadline = object.spec?.progressDeadlineSeconds;
  const hasDeadline = deadline !== undefined && deadline !== null && deadline !== 2 ** 31 - 1;
  if (hasDeadline && progressing?.reason !== "NewReplicaSetAvailable") {
    return inProgress(`${message}, its rollout has not ended`);
  }
  return condition(object, "Available")?.status === "True"
    ? current(message)
    : inProgress(`${message}, not available for long enough yet`);
}

function statefulSetStatus(object: HealthObject): Health {
  const strategy = object.spec?.updateStrategy;
  if (strategy?.type === "OnDelete") return current("it is updated when its pods are deleted");
  const wanted = object.spec?.replicas ?? 1;
  const { replicas, updated, ready } = counts(object);
  const message = `${ready} of ${wanted} ready`;
  if (replicas < wanted || ready < wanted) return inProgress(message);
  if (replicas > wanted) return inProgress(`${replicas - wanted} pods still to end`);
  const partition = strategy?.rollingUpdate?.partition ?? 0;
  if (partition > 0) {
    return updated >= wanted - partition ? current(message) : inProgress(`${message}, updating`);
  }
  return object.status?.currentRevision === object.status?.updateRevision
    ? current(message)
    : inProgress(`${message}, updating`);
}

function daemonSetStatus(object: HealthObject): Health {
  const status = object.status ?? {};
  const wanted = status.desiredNumberScheduled;
  if (status.observedGeneration === undefined || typeof wanted !== "number") {
    return inProgress("its controller has not seen it yet");
  }
  const message = `${status.numberReady ?? 0} of ${wanted} ready`;
  const all = [
    status.currentNumberScheduled,
    status.updatedNumberScheduled,
    status.numberAvailable,
    status.numberReady,
  ];
  return all.every((count) => (count ?? 0) >= wanted) ? current(message) : inProgress(message);
}

function replicaSetStatus(object: HealthObject): Health {
  const failure = condition(object, "ReplicaFailure");
  if (failure?.status === "True") return inProgress(textOf(failure, "its pods cannot be created"));
  const wanted = object.spec?.replicas ?? 1;
  const { replicas, ready, available } = counts(object);
  const labelled = object.status?.fullyLabeledReplicas ?? 0;
  const message = `${ready} of ${wanted} ready`;
  const whole = labelled >= wanted && available >= wanted && ready >= wanted && replicas <= wanted;
  return whole ? current(message) : inProgress(message);
}

/** A job that has started counts as current, as kstatus has it: nobody waits for a long job. */
function jobStatus(object: HealthObject): Health {
  const broken = condition(object, "Failed");
  if (broken?.status === "True") return failed(textOf(broken, "the job failed"));
  if (condition(object, "Complete")?.status === "True") return current("completed");
  return object.status?.startTime ? current("running") : inProgress("not started");
}

function podStatus(object: HealthObject): Health {
  switch (object.status?.phase) {
    case "Succeeded":
      return current("completed");
    case "Failed":
      return failed("the pod failed");
    case "Running":
      return condition(object, "Ready")?.status === "True"
        ? current("ready")
        : inProgress("running, not ready");
    default: {
      const scheduled = condition(object, "PodScheduled");
      return inProgress(
        scheduled?.status === "False" ? textOf(scheduled, "not scheduled") : "starting",
      );
    }
  }
}

function serviceStatus(object: HealthObject): Health {
  const waits = object.spec?.type === "LoadBalancer" && !object.spec.clusterIP;
  return waits ? inProgress("it has no cluster IP yet") : current("ready");
}

function definitionStatus(object: HealthObject): Health {
  const names = condition(object, "NamesAccepted");
  if (names?.status === "False") return failed(textOf(names, "its names are taken"));
  const established = condition(object, "Established");
  if (established?.status === "True") return current("established");
  if (established?.status === "False" && established.reason !== "Installing") {
    return failed(textOf(established, "not established"));
  }
  return inProgress("not established yet");
}

function counts(object: HealthObject) {
  const status = object.status ?? {};
  return {
    replicas: status.replicas ?? 0,
    updated: status.updatedReplicas ?? 0,
    ready: status.readyReplicas ?? 0,
    available: status.availableReplicas ?? 0,
  };
}

function condition(object: HealthObject, type: string): Condition | undefined {
  return object.status?.conditions?.find((candidate) => candidate.type === type);
}

function textOf(found: Condition, fallback: string): string {
  return found.message || found.reason || fallback;
}

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

function current(message: string): Health {
  return { status: "Current", message };
}

function inProgress(message: string): Health {
  return { status: "InProgress", message };
}

function failed(message: string): Health {
  return { status: "Failed", message };
}
