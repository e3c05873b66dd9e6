import * as v from "valibot";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import type { Manifest } from "./yaml.ts";

/** How often a container may be restarted before its deployment is given up. */
export const MAX_RESTARTS = 5;

/** Why pods do not become ready, in a technician's words. */
export interface Trouble {
  readonly message: string;
  /**
   * `fatal`: it will not get better by itself. `persistent`: it is given up if it does not go away
   * within a while (an image that cannot be pulled may arrive). `pending`: only worth showing.
   */
  readonly severity: "fatal" | "persistent" | "pending";
}

const text = v.optional(v.nullable(v.string()), "");

const ContainerSchema = v.looseObject({
  name: v.string(),
  restartCount: v.optional(v.number(), 0),
  state: v.optional(
    v.looseObject({
      waiting: v.optional(v.nullable(v.looseObject({ reason: text, message: text }))),
    }),
    {},
  ),
  lastState: v.optional(
    v.looseObject({
      terminated: v.optional(
        v.nullable(v.looseObject({
          exitCode: v.optional(v.number(), 0),
          reason: text,
          message: text,
        })),
      ),
    }),
    {},
  ),
});

const PodSchema = v.looseObject({
  metadata: v.looseObject({
    name: v.string(),
    creationTimestamp: text,
    deletionTimestamp: v.optional(v.nullable(v.string())),
    labels: v.optional(v.nullable(v.record(v.string(), v.string())), {}),
  }),
  status: v.optional(
    v.looseObject({
      conditions: v.optional(
        v.nullable(v.array(v.looseObject({
          type: v.string(),
          status: v.string(),
          reason: text,
          message: text,
        }))),
        [],
      ),
      initContainerStatuses: v.optional(v.nullable(v.array(ContainerSchema)), []),
      containerStatuses: v.optional(v.nullable(v.array(ContainerSchema)), []),
    }),
    {},
  ),
});

type Pod = v.InferOutput<typeof PodSchema>;
type Container = v.InferOutput<typeof ContainerSchema>;

const SelectorSchema = v.looseObject({
  spec: v.looseObject({
    selector: v.looseObject({ matchLabels: v.optional(v.record(v.string(), v.string()), {}) }),
  }),
});

/** Kinds that make pods and select them by label. */
const WORKLOADS: ReadonlySet<string> = new Set([
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "Job",
]);

/** What tells the pods of one revision from those of another. */
const REVISION_LABELS = ["pod-template-hash", "controller-revision-hash"];

/**
 * The worst trouble that an object's pods are in, if it is a workload that makes pods, or is a pod.
 * Only pods of the newest revision count: those of an older one are on their way out.
 */
export async function podTrouble(
  kube: KubeClient,
  object: KubeObject,
  namespace: string,
): Promise<Trouble | undefined> {
  if (object.kind === "Pod") return worst([object]);
  const refused = refusedPods(object);
  if (refused !== undefined) return refused;
  if (!WORKLOADS.has(object.kind)) return undefined;
  const parsed = v.safeParse(SelectorSchema, object);
  if (!parsed.success) return undefined;
  const labelSelector = Object.entries(parsed.output.spec.selector.matchLabels)
    .map(([name, value]) => `${name}=${value}`).join(",");
  if (labelSelector === "") return undefined;
  const pods = await kube.list({ apiVersion: "v1", kind: "Pod", namespace }, { labelSelector });
  return worst(pods.items);
}

const FailureSchema = v.looseObject({
  status: v.looseObject({
    conditions: v.array(v.looseObject({ type: v.string(), status: v.string(), message: text })),
  }),
});

/** A controller that may not even make the pods (quota, Pod Security) says so in a condition. */
function refusedPods(object: KubeObject): Trouble | undefined {
  const parsed = v.safeParse(FailureSchema, object);
  const failure = parsed.success
    ? parsed.output.status.conditions.find(({ type, status }) =>
      type === "ReplicaFailure" && status === "True"
    )
    : undefined;
  if (failure === undefined) return undefined;
  return { message: failure.message || "its pods cannot be created", severity: "persistent" };
}

/** The worst trouble among pods as the API server gives them. */
export function worst(pods: readonly unknown[]): Trouble | undefined {
  const parsed = pods.flatMap((pod) => {
    const result = v.safeParse(PodSchema, pod);
    return result.success && !result.output.metadata.deletionTimestamp ? [result.output] : [];
  });
  const troubles = newestRevision(parsed).flatMap(troublesOf);
  const order = ["fatal", "persistent", "pending"];
  return troubles.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity))[0];
}

function newestRevision(pods: readonly Pod[]): Pod[] {
  const revisionOf = (pod: Pod) =>
    REVISION_LABELS.map((label) => pod.metadata.labels?.[label]).find((value) => value) ?? "";
  const created = (pod: Pod) => pod.metadata.creationTimestamp ?? "";
  const newest = pods.reduce<Pod | undefined>(
    (latest, pod) => latest === undefined || created(pod) > created(latest) ? pod : latest,
    undefined,
  );
  if (newest === undefined) return [];
  return pods.filter((pod) => revisionOf(pod) === revisionOf(newest));
}

function troublesOf(pod: Pod): Trouble[] {
  const { name } = pod.metadata;
  const unscheduled = pod.status.conditions?.find((condition) =>
    condition.type === "PodScheduled" && condition.status === "False"
  );
  if (unscheduled !== undefined) {
    return [{
      message: `pod ${name}: ${unscheduled.message || "unscheduled"}`,
      severity: "pending",
    }];
  }
  const containers = [
    ...pod.status.initContainerStatuses ?? [],
    ...pod.status.containerStatuses ?? [],
  ];
  return containers.flatMap((container) => containerTrouble(name, container));
}

/** Reasons of the kubelet (pkg/kubelet/images, pkg/kubelet/container) that need somebody's hand. */
const PULL_REASONS: ReadonlySet<string> = new Set(["ErrImagePull", "ImagePullBackOff"]);
const CONFIGURATION_REASONS: ReadonlySet<string> = new Set([
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "InvalidImageName",
  "ErrImageNeverPull",
]);

function containerTrouble(pod: string, container: Container): Trouble[] {
  const waiting = container.state.waiting;
  const reason = waiting?.reason ?? "";
  const prefix = `pod ${pod}, container ${container.name}: `;
  if (PULL_REASONS.has(reason) || CONFIGURATION_REASONS.has(reason)) {
    const detail = waiting?.message ? `: ${waiting.message}` : "";
    return [{ message: `${prefix}${reason}${detail}`, severity: "persistent" }];
  }
  if (reason !== "CrashLoopBackOff") return [];
  const ended = container.lastState.terminated;
  const why = ended ? ` after it ended with code ${ended.exitCode} (${ended.reason})` : "";
  return [{
    message: `${prefix}restarted ${container.restartCount} times${why}`,
    severity: container.restartCount >= MAX_RESTARTS ? "fatal" : "pending",
  }];
}

/** Kind and name, as people say it. */
export function nameOf(object: Pick<Manifest, "kind" | "metadata">): string {
  return `${object.kind} ${object.metadata.name}`;
}
