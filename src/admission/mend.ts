import * as v from "valibot";
import type { KubeObject } from "../kube/mod.ts";
import { type PatchOperation, setEntries } from "./json_patch.ts";
import type { AdmissionRequest } from "./review.ts";
import { PATCHED, PATCHED_LABEL, podRule } from "./rules/pod.ts";
import type { Rule } from "./rules/rule.ts";
import type { Site } from "./site.ts";

/** Chooses what the webhook has not changed and what has not opted out. */
export const UNMENDED_SELECTOR = `${PATCHED_LABEL}!=${PATCHED},zarf.dev/agent notin (ignore,skip)`;

const Statuses = v.nullish(v.array(v.looseObject({
  name: v.string(),
  state: v.nullish(
    v.looseObject({ running: v.nullish(v.unknown()), terminated: v.nullish(v.unknown()) }),
  ),
  lastState: v.nullish(v.looseObject({ terminated: v.nullish(v.unknown()) })),
})));
const Named = v.nullish(v.array(v.looseObject({ name: v.optional(v.string(), "") })));

const StoredPodSchema = v.looseObject({
  metadata: v.looseObject({
    labels: v.nullish(v.record(v.string(), v.string())),
    deletionTimestamp: v.nullish(v.string()),
    ownerReferences: v.nullish(v.array(v.looseObject({
      uid: v.string(),
      controller: v.nullish(v.boolean()),
    }))),
  }),
  spec: v.looseObject({ initContainers: Named, containers: Named, volumes: Named }),
  status: v.nullish(v.looseObject({
    initContainerStatuses: Statuses,
    containerStatuses: Statuses,
  })),
});
type StoredPod = v.InferOutput<typeof StoredPodSchema>;

/** What is to be done with a pod that was stored without being asked about. */
export interface Mending {
  /** Gives the containers that have not started their images, as the webhook would have. */
  readonly patch: readonly PatchOperation[];
  /**
   * Names of image volumes that ought to come from elsewhere. They cannot be changed any more: the pod
   * has to be made anew.
   */
  readonly volumes: readonly string[];
  /** Uid of the controller that makes the pod again when it is deleted. */
  readonly controller: string | undefined;
}

/**
 * How a pod that slipped through is brought to where the webhook would have had it. An image of a
 * container may be changed as long as a pod lives; pull secrets and volumes may not. A container that
 * has started keeps its image: wherever that came from, it is there.
 *
 * @returns `undefined` when there is nothing to do, or nothing that can be done.
 */
export function mendPod(pod: KubeObject, site: Site): Mending | undefined {
  const parsed = v.safeParse(StoredPodSchema, pod);
  if (!parsed.success) return undefined;
  const { metadata, spec } = parsed.output;
  if (metadata.deletionTimestamp !== undefined) return undefined;
  const started = startedOf(parsed.output);
  // To the rule it is an update that brings every image but those which the old pod has.
  const patch = patchFor(pod, { ...keep(spec, started), volumes: spec.volumes }, site);
  const volumes = started.size > 0 ? [] : volumesToMove(pod, spec, site);
  if (patch === undefined || patch.length + volumes.length === 0) return undefined;
  const said = volumes.length > 0 && patch.length === 0
    ? setEntries(["metadata", "labels"], metadata.labels, { [PATCHED_LABEL]: PATCHED })
    : patch;
  const controller = metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;
  return { patch: said, volumes, controller };
}

/**
 * How an object that was stored without being asked about is brought to where its rule would have had
 * it; nothing where the rule leaves it as it is or turns it down.
 *
 * @throws {valibot.ValiError} when the object does not have the shape of its kind.
 */
export async function mendObject(
  rule: Rule,
  object: KubeObject,
  site: Site,
): Promise<readonly PatchOperation[]> {
  const verdict = await rule.judge(requestFor(rule, { operation: "CREATE", object }), site);
  return verdict.allowed ? verdict.patch : [];
}

/** Names of the containers that run or ran. */
function startedOf({ status }: StoredPod): ReadonlySet<string> {
  const all = [...status?.initContainerStatuses ?? [], ...status?.containerStatuses ?? []];
  return new Set(
    all.filter(({ state, lastState }) =>
      isThere(state?.running) || isThere(state?.terminated) || isThere(lastState?.terminated)
    ).map(({ name }) => name),
  );
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function keep({ initContainers, containers }: StoredPod["spec"], names: ReadonlySet<string>) {
  const of = (list: StoredPod["spec"]["containers"]) =>
    (list ?? []).filter(({ name }) => names.has(name));
  return { initContainers: of(initContainers), containers: of(containers) };
}

function volumesToMove(pod: KubeObject, spec: StoredPod["spec"], site: Site): string[] {
  return (patchFor(pod, { ...spec, volumes: [] }, site) ?? []).flatMap(({ path }) => {
    const [, at] = /^\/spec\/volumes\/(\d+)\//.exec(path) ?? [];
    return at === undefined ? [] : [spec.volumes?.[Number(at)]?.name ?? ""];
  });
}

/** What the rule says to an update from a pod with `oldSpec`. */
function patchFor(
  object: KubeObject,
  oldSpec: Readonly<Record<string, unknown>>,
  site: Site,
): readonly PatchOperation[] | undefined {
  const oldObject = { metadata: object.metadata, spec: oldSpec };
  const request = requestFor(podRule, { operation: "UPDATE", object, oldObject });
  const verdict = podRule.judge(request, site);
  return verdict.allowed ? verdict.patch : undefined;
}

function requestFor(
  { kind }: Rule,
  parts: Pick<AdmissionRequest, "operation" | "object" | "oldObject">,
): AdmissionRequest {
  return { uid: "mend", kind: { kind }, subResource: "", ...parts };
}
