import { isDeepStrictEqual } from "node:util";
import { type KubeClient, KubeError, type KubeObject } from "../kube/mod.ts";
import { atOnce } from "./at_once.ts";
import { type HelmRelease, loadRelease } from "./helm_release.ts";
import type { PlannedRelease } from "./plan.ts";
import { FILE_ANNOTATION, HOOK_ANNOTATION, type PostRendered } from "./post_render.ts";
import type { Revision } from "./release.ts";
import { type Manifest, readObjects } from "./yaml.ts";

/** What the agent's Helm writes its fields as, and Zarf's (extension/tools/helm). */
const FIELD_MANAGER = "zarf";
/** The hooks that an upgrade runs. */
const UPGRADE_HOOKS: ReadonlySet<string> = new Set(["pre-upgrade", "post-upgrade"]);

/**
 * How a release stands to what is to be deployed. `same`: Helm has nothing to do. `drifted`: Helm made
 * the same release before, and somebody has changed what it made. `different`: it has to be made.
 */
export type Standing =
  | { readonly is: "same"; readonly objects: readonly Manifest[] }
  | { readonly is: "drifted" | "different" };

const DIFFERENT: Standing = { is: "different" };

/** What {@linkcode standingOf} works with. */
export interface StandingContext {
  readonly kube: KubeClient;
  readonly planned: PlannedRelease;
  /** What would be applied. */
  readonly preview: PostRendered;
  /** The release as Helm would make it; a raw chart's is known without. */
  readonly next: HelmRelease | undefined;
  /** The revisions of the release, the oldest first. */
  readonly history: readonly Revision[];
}

/**
 * Says whether a release is already what an upgrade would make of it, without writing anything. It is
 * only if all of this holds: its last revision is deployed; the chart, the values and the rendered
 * objects are those of that revision, with what a chart looks up in the cluster; no hook would run;
 * and the API server would change none of the objects if they were applied again.
 *
 * What cannot be told is `different`: Helm then does its work as always.
 */
export async function standingOf(context: StandingContext): Promise<Standing> {
  const { kube, planned, history } = context;
  const last = history.at(-1);
  if (last?.status !== "deployed" || planned.serverSide === "false") return DIFFERENT;
  const stored = await loadRelease(kube, planned.namespace, last.secret);
  if (stored === undefined || stored.apply_method !== "ssa" || runsHooks(stored)) return DIFFERENT;
  const objects = objectsOf(stored.manifest);
  if (objects === undefined || !isSameRelease(stored, objects, context)) return DIFFERENT;
  const { release, namespace } = planned;
  let drifted = false;
  await atOnce(objects, async (object) => {
    if (!drifted && !await isAsApplied(kube, owned(object, release, namespace))) drifted = true;
  });
  return drifted ? { is: "drifted" } : { is: "same", objects };
}

function runsHooks({ hooks }: HelmRelease): boolean {
  return (hooks ?? []).some(({ events }) => events?.some((event) => UPGRADE_HOOKS.has(event)));
}

/** The objects of a manifest; undefined where one has no name that it could be known again by. */
function objectsOf(manifest: string): Manifest[] | undefined {
  if (manifest.includes("generateName")) return undefined;
  try {
    return readObjects(manifest);
  } catch {
    return undefined;
  }
}

function isSameRelease(
  stored: HelmRelease,
  objects: readonly Manifest[],
  { planned, next, preview }: StandingContext,
): boolean {
  // Of a raw chart only the version can differ beside the objects: it is the time it was made at.
  if (planned.literal === undefined) {
    if (next === undefined || !isDeepStrictEqual(next.chart, stored.chart)) return false;
    if (!isDeepStrictEqual(next.config ?? {}, stored.config ?? {})) return false;
  }
  const hooks = objectsOf((stored.hooks ?? []).map(({ manifest }) => manifest).join("\n---\n"));
  const isHook = ({ metadata }: Manifest) => metadata.annotations?.[HOOK_ANNOTATION] !== undefined;
  return hooks !== undefined && sameObjects(objects, preview.objects) &&
    sameObjects(hooks, readObjects(preview.yaml).filter(isHook));
}

/** Helm puts them into an order of its own. */
function sameObjects(one: readonly Manifest[], other: readonly Manifest[]): boolean {
  const sorted = (objects: readonly Manifest[]) =>
    objects.map((object) => [keyOf(object), plain(object)] as const)
      .sort(([a], [b]) => a < b ? -1 : 1);
  return isDeepStrictEqual(sorted(one), sorted(other));
}

/** Without the mark by which Helm finds the file of an object again, which it takes off itself. */
function plain({ metadata, ...object }: Manifest): unknown {
  const { annotations, ...rest } = metadata;
  const { [FILE_ANNOTATION]: _, ...kept } = annotations ?? {};
  const marks = Object.keys(kept).length === 0 ? {} : { annotations: kept };
  return { ...object, metadata: { ...rest, ...marks } };
}

function keyOf({ apiVersion, kind, metadata }: Manifest): string {
  return JSON.stringify([apiVersion, kind, metadata.namespace ?? "", metadata.name]);
}

/** An object as Helm applies it (helm 4, pkg/action/validate.go setMetadataVisitor). */
function owned(object: Manifest, release: string, namespace: string): KubeObject {
  const { metadata } = object;
  return {
    ...object,
    metadata: {
      ...metadata,
      namespace: metadata.namespace || namespace,
      labels: { ...metadata.labels, "app.kubernetes.io/managed-by": "Helm" },
      annotations: {
        ...metadata.annotations,
        "meta.helm.sh/release-name": release,
        "meta.helm.sh/release-namespace": namespace,
      },
    },
  } as KubeObject;
}

/** Whether the API server would leave the object as it is; what it refuses is no such answer. */
async function isAsApplied(kube: KubeClient, object: KubeObject): Promise<boolean> {
  const { apiVersion, kind, metadata: { namespace, ...metadata } } = object;
  const { name = "" } = metadata;
  try {
    const ref = { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
    const live = await kube.get(ref);
    if (live === undefined || live.metadata.deletionTimestamp !== undefined) return false;
    const isNamespaced = live.metadata.namespace !== undefined;
    const applied = await kube.apply(isNamespaced ? object : { ...object, metadata }, {
      fieldManager: FIELD_MANAGER,
      dryRun: true,
    });
    return isDeepStrictEqual(contentOf(live), contentOf(applied));
  } catch (error) {
    // A field that somebody else owns now (Conflict), a webhook that takes no dry run, and the like.
    if (error instanceof KubeError) return false;
    throw error;
  }
}

/** Without what changes by itself between two looks, and without who wrote which field when. */
function contentOf({ status: _, metadata, ...rest }: KubeObject): unknown {
  const { managedFields: _managed, resourceVersion: _version, ...kept } = metadata;
  return { ...rest, metadata: kept };
}
