import * as v from "valibot";
import type { KubeClient, KubeObject } from "../kube/mod.ts";

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

/** What is looked at of a pod. */
export type Pod = v.InferOutput<typeof PodSchema>;
/** How one of its containers is. */
export type Container = v.InferOutput<typeof ContainerSchema>;

const SelectorSchema = v.looseObject({
  spec: v.looseObject({
    selector: v.looseObject({ matchLabels: v.optional(v.record(v.string(), v.string()), {}) }),
  }),
});

/** The pods that a workload selects; undefined where that cannot be told. */
export async function podsOf(
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

/** What tells the pods of one revision from those of another. */
const REVISION_LABELS = ["pod-template-hash", "controller-revision-hash"];

/** Of pods as the API server gives them those of the newest revision that are not about to go. */
export function newestPods(given: readonly unknown[]): Pod[] {
  const pods = parsedPods(given);
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

function parsedPods(pods: readonly unknown[]): Pod[] {
  return pods.flatMap((pod) => {
    const result = v.safeParse(PodSchema, pod);
    return result.success && !result.output.metadata.deletionTimestamp ? [result.output] : [];
  });
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
  return newestPods(pods).some(({ status }) =>
    (status.containerStatuses ?? []).some(({ state }) =>
      Date.parse(state.running?.startedAt ?? "") > since.getTime()
    )
  );
}
