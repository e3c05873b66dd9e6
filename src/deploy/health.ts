import type { KubeObject } from "../kube/mod.ts";
import { type Condition, Fields, UnreadableField } from "./health_fields.ts";

/** How an object stands. `NotFound` is never an answer for an object that is there. */
export type HealthStatus = "Current" | "InProgress" | "Failed" | "Terminating" | "NotFound";

/** How an object stands, and in a few words why. */
export interface Health {
  readonly status: HealthStatus;
  readonly message: string;
}

/** An object, read. */
interface Seen {
  readonly fields: Fields;
  readonly conditions: readonly Condition[];
}

type Rule = (object: Seen) => Health;

/**
 * Whether an object is what its specification asks for, by the rules of kstatus 0.37
 * (sigs.k8s.io/cli-utils, pkg/kstatus/status/core.go and generic.go), which Zarf waits by: first the
 * generation and the generic conditions, then the rule of its kind, then its `Ready` condition; an
 * object that says nothing is current. Where kstatus gives up, with a status of another shape, it has
 * failed. Pods differ (docs/zarf-differences.md, Readiness).
 */
export function statusOf(object: Pick<KubeObject, "apiVersion" | "kind">): Health {
  try {
    const fields = new Fields(object);
    const generic = genericStatus(fields);
    if (generic !== undefined) return generic;
    const rule = RULES[`${groupOf(object.apiVersion)}/${object.kind}`] ?? readyStatus;
    return rule({ fields, conditions: fields.conditions() });
  } catch (error) {
    if (error instanceof UnreadableField) return failed(`it cannot be read: ${error.message}`);
    throw error;
  }
}

const RULES: Readonly<Record<string, Rule>> = {
  "/Service": serviceStatus,
  "/Pod": podStatus,
  "/Secret": () => current("it is there"),
  "/ConfigMap": () => current("it is there"),
  "/PersistentVolumeClaim": ({ fields }) =>
    fields.text("status.phase") === "Bound" ? current("bound") : inProgress("not bound"),
  "apps/StatefulSet": statefulSetStatus,
  "apps/DaemonSet": daemonSetStatus,
  "apps/Deployment": deploymentStatus,
  "apps/ReplicaSet": replicaSetStatus,
  "extensions/DaemonSet": daemonSetStatus,
  "extensions/Deployment": deploymentStatus,
  "extensions/ReplicaSet": replicaSetStatus,
  "policy/PodDisruptionBudget": () => current("computed"),
  "batch/CronJob": () => current("it is scheduled"),
  "batch/Job": jobStatus,
  "apiextensions.k8s.io/CustomResourceDefinition": definitionStatus,
};

function genericStatus(fields: Fields): Health | undefined {
  if (fields.requiredText("metadata.deletionTimestamp")) {
    return { status: "Terminating", message: "it is being deleted" };
  }
  const generation = fields.requiredInt("metadata.generation");
  if (generation !== undefined) {
    const observed = fields.requiredInt("status.observedGeneration") ?? generation;
    if (observed !== generation) return inProgress("its controller has not seen the change yet");
  }
  const decides = fields.conditions().find(({ type, status }) =>
    (type === "Reconciling" || type === "Stalled") && status === "True"
  );
  if (decides === undefined) return undefined;
  return decides.type === "Stalled"
    ? failed(textOf(decides, "stalled"))
    : inProgress(textOf(decides, "reconciling"));
}

function readyStatus({ conditions }: Seen): Health {
  const ready = conditions.find(({ type, status }) =>
    type === "Ready" && ["True", "False", "Unknown"].includes(status)
  );
  if (ready === undefined || ready.status === "True") return current("ready");
  return inProgress(textOf(ready, "not ready"));
}

function deploymentStatus({ fields, conditions }: Seen): Health {
  const exceeded = conditions.find(({ type, reason }) =>
    type === "Progressing" && reason === "ProgressDeadlineExceeded"
  );
  if (exceeded !== undefined) {
    return failed(textOf(exceeded, "it made no progress within its deadline"));
  }
  const { wanted, replicas, updated, ready, available } = countsOf(fields);
  const message = `${ready} of ${wanted} ready`;
  if (replicas < wanted || updated < wanted) return inProgress(message);
  if (replicas > wanted) return inProgress(`${replicas - wanted} old pods still to end`);
  if (available < updated || ready < wanted) return inProgress(message);
  // Go's 2^31-1 means "no deadline": then no Progressing condition is written.
  const deadline = fields.int("spec.progressDeadlineSeconds", NO_DEADLINE);
  const rolledOut = conditions.some(({ type, status, reason }) =>
    type === "Progressing" && status === "True" && reason === "NewReplicaSetAvailable"
  );
  if (deadline !== NO_DEADLINE && !rolledOut) {
    return inProgress(`${message}, its rollout has not ended`);
  }
  return has(conditions, "Available", "True")
    ? current(message)
    : inProgress(`${message}, not available for long enough yet`);
}

const NO_DEADLINE = 2 ** 31 - 1;

function statefulSetStatus({ fields }: Seen): Health {
  if (fields.text("spec.updateStrategy.type") === "OnDelete") {
    return current("it is updated when its pods are deleted");
  }
  const { wanted, replicas, updated, ready } = countsOf(fields);
  const message = `${ready} of ${wanted} ready`;
  if (replicas < wanted || ready < wanted) return inProgress(message);
  if (replicas > wanted) return inProgress(`${replicas - wanted} pods still to end`);
  const updating = inProgress(`${message}, updating`);
  const partition = fields.int("spec.updateStrategy.rollingUpdate.partition", -1);
  if (partition !== -1) return updated < wanted - partition ? updating : current(message);
  if (fields.int("status.currentReplicas", 0) < wanted) return updating;
  return fields.text("status.currentRevision") === fields.text("status.updateRevision")
    ? current(message)
    : updating;
}

function daemonSetStatus({ fields }: Seen): Health {
  const seen = fields.requiredInt("metadata.generation") !== undefined &&
    fields.requiredInt("status.observedGeneration") !== undefined;
  const wanted = fields.int("status.desiredNumberScheduled", -1);
  if (!seen || wanted === -1) return inProgress("its controller has not seen it yet");
  const message = `${fields.int("status.numberReady", 0)} of ${wanted} ready`;
  const all = [
    "currentNumberScheduled",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberReady",
  ].every((name) => fields.int(`status.${name}`, 0) >= wanted);
  return all ? current(message) : inProgress(message);
}

function replicaSetStatus({ fields, conditions }: Seen): Health {
  const failure = conditions.find(({ type, status }) =>
    type === "ReplicaFailure" && status === "True"
  );
  if (failure !== undefined) return inProgress(textOf(failure, "its pods cannot be created"));
  const { wanted, replicas, ready, available } = countsOf(fields);
  const labelled = fields.int("status.fullyLabeledReplicas", 0);
  const message = `${ready} of ${wanted} ready`;
  const whole = labelled >= wanted && available >= wanted && ready >= wanted && replicas <= wanted;
  return whole ? current(message) : inProgress(message);
}

/** A job that has started counts as current, as kstatus has it: nobody waits for a long job. */
function jobStatus({ fields, conditions }: Seen): Health {
  const end = conditions.find(({ type, status }) =>
    (type === "Complete" || type === "Failed") && status === "True"
  );
  if (end?.type === "Complete") return current("completed");
  if (end !== undefined) return failed(textOf(end, "the job failed"));
  return fields.text("status.startTime") === "" ? inProgress("not started") : current("running");
}

/**
 * kstatus takes a pod that failed for current, and one whose container waits to be restarted, or that
 * no node has taken for 15 s, for failed.
 */
function podStatus({ fields, conditions }: Seen): Health {
  switch (fields.text("status.phase")) {
    case "Succeeded":
      return current("completed");
    case "Failed":
      return failed("the pod failed");
    case "Running":
      return has(conditions, "Ready", "True") ? current("ready") : inProgress("running, not ready");
    default: {
      const unscheduled = conditions.find(({ type, status }) =>
        type === "PodScheduled" && status === "False"
      );
      return inProgress(
        unscheduled === undefined ? "starting" : textOf(unscheduled, "not scheduled"),
      );
    }
  }
}

function serviceStatus({ fields }: Seen): Health {
  const waits = fields.text("spec.type") === "LoadBalancer" && fields.text("spec.clusterIP") === "";
  return waits ? inProgress("it has no cluster IP yet") : current("ready");
}

function definitionStatus({ conditions }: Seen): Health {
  for (const condition of conditions) {
    const { type, status, reason } = condition;
    if (type === "NamesAccepted" && status === "False") {
      return failed(textOf(condition, "its names are taken"));
    }
    if (type !== "Established") continue;
    if (status === "True") return current("established");
    if (status === "False" && reason !== "Installing") {
      return failed(textOf(condition, "not established"));
    }
  }
  return inProgress("not established yet");
}

function countsOf(fields: Fields) {
  return {
    wanted: fields.int("spec.replicas", 1),
    replicas: fields.int("status.replicas", 0),
    updated: fields.int("status.updatedReplicas", 0),
    ready: fields.int("status.readyReplicas", 0),
    available: fields.int("status.availableReplicas", 0),
  };
}

function has(conditions: readonly Condition[], type: string, status: string): boolean {
  return conditions.some((one) => one.type === type && one.status === status);
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
