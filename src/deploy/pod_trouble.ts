import * as v from "valibot";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { type Container, newestPods, type Pod, podsOf } from "./pods.ts";
import { lastWarning } from "./warnings.ts";

/** How often a container may be restarted before its deployment is given up. */
export const MAX_RESTARTS = 5;
/** A run of a container that is shorter ended at once, in milliseconds. */
const SHORT_RUN = 10_000;

/** A container that ends again and again. */
export interface Crash {
  readonly pod: string;
  readonly container: string;
  readonly restarts: number;
  /** Whether its last run ended at once. */
  readonly short: boolean;
  /** Whether it is not running again at the moment. */
  readonly ended: boolean;
}

/** Why pods do not become ready, in a technician's words. */
export interface Trouble {
  readonly message: string;
  /**
   * `fatal`: it will not get better by itself. `persistent`: it is given up if it does not go away
   * within a while (an image that cannot be pulled may arrive). `pending`: only worth showing.
   */
  readonly severity: "fatal" | "persistent" | "pending";
  /** The image is not where it is pulled from; that is given up earlier. */
  readonly imageMissing?: boolean;
  readonly crash?: Crash;
}

const text = v.optional(v.nullable(v.string()), "");

/** Kinds that make pods and select them by label. */
const WORKLOADS: ReadonlySet<string> = new Set([
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "Job",
]);

/**
 * The worst trouble that an object's pods are in, if it is a workload that makes pods, or is a pod.
 * Only pods of the newest revision count: those of an older one are on their way out.
 */
export async function podTrouble(
  kube: KubeClient,
  object: KubeObject,
  namespace: string,
): Promise<Trouble | undefined> {
  if (object.kind === "Pod") return worst([object]) ?? await warned(kube, object);
  const refused = refusedPods(object);
  if (refused !== undefined) return refused;
  if (!WORKLOADS.has(object.kind)) {
    return object.kind === "PersistentVolumeClaim" ? await warned(kube, object) : undefined;
  }
  const items = await podsOf(kube, object, namespace);
  if (items === undefined) return undefined;
  if (items.length === 0) return await warned(kube, object);
  return worst(items) ?? await warnedPod(kube, items);
}

/** What the events of an object warn of; pods that cannot even be made do not come by themselves. */
async function warned(kube: KubeClient, object: KubeObject): Promise<Trouble | undefined> {
  const warning = await lastWarning(kube, object);
  if (warning === undefined) return undefined;
  return {
    message: `${warning.reason}: ${warning.message}`,
    severity: warning.reason === "FailedCreate" ? "persistent" : "pending",
  };
}

/** What keeps the first pod that is not ready (a volume, a probe). */
async function warnedPod(
  kube: KubeClient,
  pods: readonly KubeObject[],
): Promise<Trouble | undefined> {
  const waiting = newestPods(pods).find((pod) =>
    !pod.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True")
  );
  const name = waiting?.metadata.name;
  const pod = pods.find(({ metadata }) => metadata.name === name);
  const trouble = pod === undefined ? undefined : await warned(kube, pod);
  if (trouble === undefined) return undefined;
  return { message: `pod ${name}: ${trouble.message}`, severity: "pending" };
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
  const troubles = newestPods(pods).flatMap(troublesOf);
  const order = ["fatal", "persistent", "pending"];
  const rank = ({ severity, crash }: Trouble) => order.indexOf(severity) - (crash ? 0.5 : 0);
  return troubles.sort((a, b) => rank(a) - rank(b))[0];
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
  return containers.flatMap((container) => containerTrouble(pod, container));
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

/** Containerd's words for a registry that has no such image; the kubelet passes them on. */
const NO_SUCH_IMAGE = /not found|NotFound|manifest unknown/;
/** Where the webhook keeps how a container's image was written (Zarf 0.84, agent/hooks/pods.go). */
const ORIGINAL_IMAGE = "zarf.dev/original-image-";

function containerTrouble(pod: Pod, container: Container): Trouble[] {
  const waiting = container.state.waiting;
  const reason = waiting?.reason ?? "";
  const prefix = `pod ${pod.metadata.name}, container ${container.name}: `;
  if (PULL_REASONS.has(reason) || CONFIGURATION_REASONS.has(reason)) {
    const detail = waiting?.message ? `: ${waiting.message}` : "";
    const message = `${prefix}${reason}${detail}`;
    const imageMissing = PULL_REASONS.has(reason) && NO_SUCH_IMAGE.test(detail);
    if (!imageMissing) return [{ message, severity: "persistent" }];
    const image = pod.metadata.annotations?.[`${ORIGINAL_IMAGE}${container.name}`];
    const named = image === undefined
      ? message
      : `${prefix}${reason}: image ${image} is not in the registry${detail}`;
    return [{ message: named, severity: "persistent", imageMissing }];
  }
  return isCrashing(container) ? [crashTrouble(pod, container, prefix)] : [];
}

/** Whether it has been started again, and has not ended well since: a pod that is ready is not asked. */
function isCrashing({ restartCount, state }: Container): boolean {
  if (state.waiting?.reason === "CrashLoopBackOff") return true;
  return restartCount > 0 && state.terminated?.exitCode !== 0;
}

function crashTrouble(pod: Pod, container: Container, prefix: string): Trouble {
  const { restartCount, state, lastState } = container;
  const ended = state.terminated ?? lastState.terminated;
  const why = ended ? ` after it ended with code ${ended.exitCode} (${ended.reason})` : "";
  const ran = Date.parse(ended?.finishedAt ?? "") - Date.parse(ended?.startedAt ?? "");
  return {
    message: `${prefix}restarted ${restartCount} times${why}`,
    severity: restartCount >= MAX_RESTARTS && !state.running ? "fatal" : "pending",
    crash: {
      pod: pod.metadata.name,
      container: container.name,
      restarts: restartCount,
      short: ran < SHORT_RUN,
      ended: !state.running,
    },
  };
}
