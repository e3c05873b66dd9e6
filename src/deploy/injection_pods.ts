import * as v from "valibot";
import type { CallOptions, KubeClient, KubeObject, ObjectRef } from "../kube/mod.ts";

const ContainerSchema = v.looseObject({
  name: v.string(),
  restartCount: v.optional(v.number(), 0),
  state: v.optional(v.looseObject({
    running: v.optional(v.unknown()),
    terminated: v.optional(v.looseObject({ exitCode: v.number() })),
    waiting: v.optional(v.looseObject({ reason: v.optional(v.string()) })),
  })),
});
const containers = v.optional(v.nullable(v.array(ContainerSchema)));

const OwnersSchema = v.optional(v.array(v.looseObject({
  apiVersion: v.string(),
  kind: v.string(),
  name: v.string(),
  uid: v.string(),
  controller: v.optional(v.boolean()),
})));

const PodSchema = v.looseObject({
  metadata: v.looseObject({
    name: v.string(),
    namespace: v.string(),
    uid: v.string(),
    deletionTimestamp: v.optional(v.nullable(v.string())),
    ownerReferences: OwnersSchema,
  }),
  status: v.optional(v.looseObject({
    phase: v.optional(v.string()),
    initContainerStatuses: containers,
    containerStatuses: containers,
  })),
});

/** How a pod stands to its data. */
export type PodStanding =
  /** Its container runs and can be given data. */
  | "waiting"
  /** Its container is not there yet, or not any more for now. */
  | "coming"
  /** Its container has ended well. */
  | "past";

/** A pod that data goes into. */
export interface TargetPod {
  readonly name: string;
  readonly namespace: string;
  /** Of the container: another one when it was started again. */
  readonly incarnation: string;
  readonly standing: PodStanding;
  /** Whether its containers, all init containers being done, run or have ended well. */
  readonly runs: boolean;
  /** What is missing, in a few words. */
  readonly text: string;
  /** As the API server gives it. */
  readonly object: KubeObject;
  /** What made it. */
  readonly controller: Controller | undefined;
}

/** What makes pods. */
export interface Controller {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** Which pods data goes into. */
export interface PodChoice {
  readonly namespace: string;
  /** A label selector. */
  readonly selector: string;
  readonly container: string;
  /** Stands somewhere in a pod of this deployment; an earlier one's has another. */
  readonly marker: string;
}

/**
 * The pods that are meant, by the rules of Zarf 0.84 (src/pkg/cluster/data.go). Unlike Zarf's, pods
 * that are being deleted or have failed do not count.
 */
export async function targetPods(
  kube: KubeClient,
  choice: PodChoice,
  call: CallOptions,
): Promise<TargetPod[]> {
  const { namespace, selector: labelSelector } = choice;
  const ref = { apiVersion: "v1", kind: "Pod", namespace };
  const { items } = await kube.list(ref, { ...call, labelSelector });
  return items.flatMap((item) => targetOf(item, choice) ?? []);
}

/** The pod as a target, unless it is none. */
export function targetOf(pod: KubeObject, { container, marker }: PodChoice): TargetPod | undefined {
  if (!JSON.stringify(pod).includes(marker)) return undefined;
  const { metadata, status } = v.parse(PodSchema, pod);
  if (metadata.deletionTimestamp || status?.phase === "Failed") return undefined;
  const found = [...status?.initContainerStatuses ?? [], ...status?.containerStatuses ?? []]
    .find(({ name }) => name === container);
  const { name, namespace, uid } = metadata;
  const state = found?.state;
  return {
    ...{ name, namespace },
    incarnation: `${uid}/${found?.restartCount ?? 0}`,
    standing: state?.running !== undefined
      ? "waiting"
      : state?.terminated?.exitCode === 0
      ? "past"
      : "coming",
    runs: status?.phase === "Running" || status?.phase === "Succeeded",
    text: found === undefined
      ? `it has no container ${container} yet`
      : state?.waiting?.reason ?? status?.phase ?? "not started",
    object: pod,
    controller: metadata.ownerReferences?.find((owner) => owner.controller),
  };
}

const WorkloadSchema = v.looseObject({
  metadata: v.looseObject({ ownerReferences: OwnersSchema }),
  spec: v.optional(v.looseObject({
    replicas: v.optional(v.nullable(v.number())),
    updateStrategy: v.optional(v.looseObject({
      rollingUpdate: v.optional(v.nullable(v.looseObject({ partition: v.optional(v.number()) }))),
    })),
  })),
  status: v.optional(v.looseObject({ desiredNumberScheduled: v.optional(v.number()) })),
});

/** Deployment, ReplicaSet, pod. */
const MAX_LEVELS = 3;

/**
 * How many pods a controller will have when it is done, the controller's own controller asked first: a
 * ReplicaSet grows while its Deployment rolls out. Undefined for kinds that do not say so, such as Job.
 */
export async function wantedPods(
  kube: KubeClient,
  controller: Controller,
  namespace: string,
  call: CallOptions,
): Promise<number | undefined> {
  let wanted: number | undefined;
  let next: Controller | undefined = controller;
  for (let level = 0; level < MAX_LEVELS && next !== undefined; level++) {
    const { apiVersion, kind, name }: Controller = next;
    const workload = await readWorkload(kube, { apiVersion, kind, name, namespace }, call);
    if (workload === undefined) break;
    const { metadata, spec, status } = workload;
    const partition = spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
    const own = kind === "DaemonSet" ? status?.desiredNumberScheduled ?? 1 : spec?.replicas;
    if (typeof own === "number") wanted = Math.max(0, own - partition);
    next = metadata.ownerReferences?.find((owner) => owner.controller);
  }
  return wanted;
}

async function readWorkload(kube: KubeClient, ref: ObjectRef, call: CallOptions) {
  const parsed = v.safeParse(WorkloadSchema, await kube.get(ref, call));
  return parsed.success ? parsed.output : undefined;
}
