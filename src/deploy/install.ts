import type { KubeClient, ObjectRef } from "../kube/mod.ts";
import { type Clock, HoldfastError, readIfThere } from "../std/mod.ts";
import type { ConnectStrings, RegistryService, ZarfState } from "../zarf/mod.ts";
import { DeployError, partsOf } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import type { Helm, ReleaseOptions } from "./helm.ts";
import { type HelmRelease, parseRelease } from "./helm_release.ts";
import { ensureNamespaces, namespacesOf } from "./namespaces.ts";
import type { PlannedRelease } from "./plan.ts";
import type { PostRendered } from "./post_render.ts";
import type { ProofBook } from "./proof.ts";
import { type RenderContext, renderRelease, writeSettings } from "./render_release.ts";
import { moveRemovedApis } from "./removed_apis.ts";
import { explained, failedHookJob } from "./refusal.ts";
import { leaveUnchanged, nameOf, rollBack, withKept } from "./roll_back.ts";
import { lastWordsOfJob } from "./last_words.ts";
import { deployedRevision, releaseHistory, repairRelease, type Revision } from "./release.ts";
import { releaseStatusOf } from "./release_health.ts";
import { type Standing, standingOf } from "./unchanged.ts";
import { anyOf, waitReady } from "./wait.ts";
import { type Manifest, readObjects } from "./yaml.ts";

/** How long a kind is waited for that the API server does not know yet, in milliseconds. */
export const KIND_GRACE = 15_000;
/** Milliseconds between two attempts meanwhile. */
const KIND_INTERVAL = 3_000;

/** What installing a release works with. */
export interface InstallContext extends RenderContext {
  readonly kube: KubeClient;
  readonly clock: Clock;
  readonly state: ZarfState;
  readonly registryService?: RegistryService;
  readonly pullSecrets?: boolean;
  /** Milliseconds for Helm and the wait together. */
  readonly timeout: number;
  readonly troubleGrace?: number;
  /** Knows which revision was good. */
  readonly proofs: ProofBook;
  /** The deployment is to stop: nothing is undone, it goes on later. */
  readonly signal?: AbortSignal;
  /** Asked while it waits; what it throws fails the release. */
  readonly check?: () => void;
  /** Time is up: what does not get there is undone. */
  readonly limit?: AbortSignal;
  /** A newer package takes its place: nothing is waited for any more. */
  readonly newer?: AbortSignal;
  readonly onProgress: (message: string) => void;
  /** Told before Helm changes anything. */
  readonly onChange?: () => Promise<void>;
}

/**
 * Brings one release to its chart's content and waits until it is ready: namespaces and pull secrets
 * first, then Helm, then the wait. A release that is as it would become is left to itself, and one
 * whose objects somebody has changed gets them back ({@linkcode standingOf}). If Helm fails or the
 * release does not become ready, it goes back to the revision that was deployed before, if there was
 * one (Zarf 0.84, helm/chart.go); a first install stays as it is, so that it can be looked at.
 *
 * @param directory private, for the post-renderer's settings
 * @returns what `zarf connect` can offer
 * @throws {DeployError} what failed, and in `kept` whether the release was rolled back.
 */
export async function installRelease(
  planned: PlannedRelease,
  directory: string,
  context: InstallContext,
): Promise<ConnectStrings> {
  const deadline = context.clock.monotonic() + context.timeout;
  const settings = writeSettings(directory, context);
  const options = { ...planned, settings, timeout: context.timeout };
  const { proofs } = context;
  const { namespace, release } = planned;
  const prepared = await untouched(planned, context, () => prepare(planned, options, context));
  const { history, preview, standing } = prepared;
  deployFailpoint("deploy.namespaces.ready");
  const earlier = proofs.begin(namespace, release, history);
  const { before } = earlier;
  const isProven = standing.is === "same" && deployedRevision(history) === before;
  try {
    const replaces = before !== undefined && !isProven;
    await bring(planned, options, prepared, replaces, deadline, context);
  } catch (error) {
    if (isProven) {
      proofs.settle(namespace, release);
      throw leaveUnchanged(error, planned, context);
    }
    const { check: _, ...alone } = context;
    throw await rollBack(
      error,
      planned,
      earlier,
      context,
      (objects, timeout) => waitFor(objects, namespace, timeout, false, { ...alone, timeout }),
    );
  }
  proofs.settle(namespace, release);
  deployFailpoint("deploy.chart.ready");
  return preview.connectStrings;
}

/** What is known of a release before anything of it is changed. */
interface Prepared {
  /** Its revisions, the oldest first. */
  readonly history: readonly Revision[];
  readonly preview: PostRendered;
  readonly standing: Standing;
}

async function prepare(
  planned: PlannedRelease,
  options: ReleaseOptions,
  context: InstallContext,
): Promise<Prepared> {
  const { kube, clock } = context;
  const { namespace, release } = planned;
  const left = await repairRelease(kube, namespace, release);
  const history = await moveRemovedApis(kube, namespace, release, left, clock.now());
  const next = await nextRelease(planned, options, history, context);
  const preview = await renderRelease(planned, options, context, next?.rendered);
  await ensureNamespaces(namespacesOf(preview, namespace), context);
  const standing = await standingOf({
    ...{ kube, planned, preview, history },
    next: next?.release,
  });
  return { history, preview, standing };
}

/** The release as Helm would make it of one that is deployed, and what that renders to. */
async function nextRelease(
  planned: PlannedRelease,
  options: ReleaseOptions,
  history: readonly Revision[],
  { helm }: InstallContext,
): Promise<{ readonly release: HelmRelease; readonly rendered: string } | undefined> {
  if (planned.literal !== undefined || history.at(-1)?.status !== "deployed") return undefined;
  const next = await helm.dryRun(options);
  const release = next === undefined ? undefined : parseRelease(next.json);
  if (next === undefined || release === undefined) return undefined;
  return { release, rendered: next.rendered };
}

/** Applies a release and waits for it. */
async function bring(
  planned: PlannedRelease,
  options: ReleaseOptions,
  { preview, standing }: Prepared,
  replaces: boolean,
  deadline: number,
  context: InstallContext,
): Promise<void> {
  const working = { ...context, signal: anyOf(context.signal, context.limit) };
  const objects = standing.is === "same"
    ? standing.objects
    : await apply(planned, options, preview, standing.is === "drifted", deadline, working);
  deployFailpoint("deploy.chart.applied");
  if (planned.noWait) return;
  const left = Math.max(0, deadline - context.clock.monotonic());
  const waiting = { ...working, signal: anyOf(working.signal, context.newer) };
  await waitFor(objects, planned.namespace, left, replaces, waiting);
}

/** Has Helm do it, and gives the objects that it applied. */
async function apply(
  planned: PlannedRelease,
  options: ReleaseOptions,
  preview: PostRendered,
  forceConflicts: boolean,
  deadline: number,
  context: InstallContext,
): Promise<readonly Manifest[]> {
  const helm = context.helm.under(context.signal);
  const waits = preview.hasLateHooks && !planned.noWait;
  await context.onChange?.();
  await applyChart(helm, { ...options, waits, forceConflicts }, deadline, context);
  return planned.literal === undefined
    ? readObjects(await helm.manifest(options))
    : preview.objects;
}

/** Says in the errors of what comes before Helm what of the release stays. */
async function untouched<T>(
  planned: PlannedRelease,
  { kube, signal }: InstallContext,
  action: () => Promise<T>,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (signal?.aborted || !(error instanceof HoldfastError)) throw error;
    const failure = explained(error);
    const { namespace, release } = planned;
    const revision = (await releaseHistory(kube, namespace, release).catch(() => [])).at(-1);
    if (revision === undefined || !(failure instanceof DeployError)) throw failure;
    throw withKept(failure, `${nameOf(planned)} stays at revision ${revision.revision}`);
  }
}

/** Applies a chart; a kind that is only just being defined is waited for. */
async function applyChart(
  helm: Helm,
  options: ReleaseOptions,
  deadline: number,
  context: InstallContext,
): Promise<void> {
  const { clock, signal, onProgress } = context;
  const patience = Math.min(deadline, clock.monotonic() + KIND_GRACE);
  while (true) {
    try {
      return await upgrade(helm, options, context);
    } catch (error) {
      if (!(error instanceof DeployError) || error.reason !== "KindMissing") throw error;
      if (signal?.aborted || clock.monotonic() >= patience) throw error;
      onProgress(`a kind is waited for: ${error.message}`);
      await clock.sleep(KIND_INTERVAL, signal);
    }
  }
}

async function upgrade(
  helm: Helm,
  options: ReleaseOptions,
  context: InstallContext,
): Promise<void> {
  try {
    await helm.upgrade(options);
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    // Helm does not pass on what its post-renderer says.
    const said = readIfThere(`${options.settings}.error`);
    if (said === undefined) throw await withHook(explained(error), options, context);
    throw new DeployError({ reason: "PackageBroken", message: error.message, cause: said });
  }
}

/** With what the Job of a failed hook said last. */
async function withHook(
  error: DeployError,
  { namespace }: ReleaseOptions,
  { kube }: InstallContext,
): Promise<DeployError> {
  const job = error.reason === "HookFailed" ? failedHookJob(error.message) : undefined;
  const said = job === undefined ? "" : await lastWordsOfJob(kube, namespace, job);
  if (said === "") return error;
  return new DeployError({ ...partsOf(error), message: `${error.message}; ${said}` });
}

async function waitFor(
  objects: readonly Manifest[],
  namespace: string,
  timeout: number,
  replaces: boolean,
  context: InstallContext,
): Promise<void> {
  const { clock, signal, troubleGrace, check, onProgress } = context;
  await waitReady(context.kube, objects.map((object) => refOf(object, namespace)), {
    timeout,
    wholeTimeout: context.timeout,
    replaces,
    judge: releaseStatusOf,
    clock,
    onProgress,
    ...(check === undefined ? {} : { check }),
    ...(signal === undefined ? {} : { signal }),
    ...(troubleGrace === undefined ? {} : { troubleGrace }),
  });
}

/** The reference of a rendered object, in the release's namespace unless it names one. */
export function refOf(object: Manifest, namespace: string): ObjectRef {
  const { apiVersion, kind, metadata } = object;
  return { apiVersion, kind, name: metadata.name, namespace: metadata.namespace || namespace };
}
