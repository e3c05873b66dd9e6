import * as v from "valibot";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { lastWarning } from "./warnings.ts";
import type { Manifest } from "./yaml.ts";

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

const terminated = v.optional(
  v.nullable(v.looseObject({
    exitCode: v.optional(v.number(), 0),
    reason: text,
    message: text,
    startedAt: text,
    finishedAt: text,
  })),
);

const ContainerSchema = v.looseObject({
  name: v.string(),
  restartCount: v.optional(v.number(), 0),
  state: v.optional(
    v.looseObject({
      waiting: v.optional(v.nullable(v.looseObject({ reason: text, message: text }))),
      running: v.optional(v.nullable(v.looseObject({ startedAt: text }))),
      terminated,
    }),
    {},
  ),
  lastState: v.optional(
    v.looseObject({
      terminated,
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
    annotations: v.optional(v.nullable(v.record(v.string(), v.string())), {}),
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

/** The pods that a workload selects; undefined where that cannot be told. */
async function podsOf(
  kube: KubeClient,
  object: KubeObject,
  namespace: string,
): Promise<readonly KubeObject[] | undefined> {
  const parsed = v.safeParse(SelectorSchema, object);
  if (!parsed.success) return undefined;
  const labelSelector = Object.entries(parsed.output.spec.selector.matchLabels)
    .map(([name, value]) => `${name}=${value}`).join(",");
  if (labelSelector === "") return undefined;
  const list = await kube.list({ apiVersion: "v1", kind: "Pod", namespace }, { labelSelector });
  return list.items;
}

/** Kinds whose pods run on and on. */
const RUNNING_KINDS: ReadonlySet<string> = new Set(["Deployment", "StatefulSet", "DaemonSet"]);

/**
 * Whether a container of a workload's newest revision was started a moment ago. One without a probe
 * counts as ready as soon as it was started, also one that ends at once.
 *
 * @param since The moment, by the clock of the nodes.
 */
export async function hasJustStarted(
  kube: KubeClient,
  object: KubeObject,
  namespace: string,
  since: Date,
): Promise<boolean> {
  if (!RUNNING_KINDS.has(object.kind)) return false;
  const pods = await podsOf(kube, object, namespace) ?? [];
  return newestRevision(parsedPods(pods)).some(({ status }) =>
    (status.containerStatuses ?? []).some(({ state }) =>
      Date.parse(state.running?.startedAt ?? "") > since.getTime()
    )
  );
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
  const waiting = newestRevision(parsedPods(pods)).find((pod) =>
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
  const troubles = newestRevision(parsedPods(pods)).flatMap(troublesOf);
  const order = ["fatal", "persistent", "pending"];
  const rank = ({ severity, crash }: Trouble) => order.indexOf(severity) - (crash ? 0.5 : 0);
  return troubles.sort((a, b) => rank(a) - rank(b))[0];
}

function parsedPods(pods: readonly unknown[]): Pod[] {
  return pods.flatMap((pod) => {
    const result = v.safeParse(PodSchema, pod);
    return result.success && !result.output.metadata.deletionTimestamp ? [result.output] : [];
  });
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

/** Kind and name, as people say it. */
export function nameOf(object: Pick<Manifest, "kind" | "metadata">): string {
  return `${object.kind} ${object.metadata.name}`;
}
