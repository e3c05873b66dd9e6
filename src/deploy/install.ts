import type { KubeClient, ObjectRef } from "../kube/mod.ts";
import { type Clock, describeError, HoldfastError } from "../std/mod.ts";
import type { ConnectStrings, ZarfState } from "../zarf/mod.ts";
import { DeployError } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import type { Helm } from "./helm.ts";
import { ensureNamespaces, namespacesOf } from "./namespaces.ts";
import type { PlannedRelease } from "./plan.ts";
import { postRender, type PostRendered, serializeSettings } from "./post_render.ts";
import { deployedRevision, repairRelease } from "./release.ts";
import type { Templates } from "./template.ts";
import { cancelled, waitReady } from "./wait.ts";
import { type Manifest, readObjects } from "./yaml.ts";

/** How long what was rolled back may take to be ready again, in milliseconds. */
const ROLLBACK_TIMEOUT = 300_000;

/** What installing a release works with. */
export interface InstallContext {
  readonly kube: KubeClient;
  readonly helm: Helm;
  readonly clock: Clock;
  readonly state: ZarfState;
  readonly clusterIP?: string;
  readonly pullSecrets?: boolean;
  readonly packageName: string;
  readonly templates: Templates;
  /** Of the API server, for charts that ask; with its `v`. */
  readonly kubeVersion?: string;
  /** Milliseconds for Helm and the wait together. */
  readonly timeout: number;
  readonly troubleGrace?: number;
  readonly signal?: AbortSignal;
  /** Asked while it waits; what it throws fails the release. */
  readonly check?: () => void;
  readonly onProgress: (message: string) => void;
}

/**
 * Brings one release to its chart's content and waits until it is ready: namespaces and pull secrets
 * first, then Helm, then the wait. If Helm fails or the release does not become ready, it goes back to
 * the revision that was deployed before, if there was one (Zarf 0.84, helm/chart.go); a first install
 * stays as it is, so that it can be looked at.
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
  const preview = await render(planned, options, context);
  await ensureNamespaces(namespacesOf(preview, planned.namespace), context);
  deployFailpoint("deploy.namespaces.ready");
  const { kube, helm } = context;
  const before = deployedRevision(await repairRelease(kube, planned.namespace, planned.release));
  try {
    await applyChart(helm, options, settings);
    deployFailpoint("deploy.chart.applied");
    const objects = planned.literal === undefined
      ? readObjects(await helm.manifest(options))
      : preview.objects;
    if (!planned.noWait) {
      const left = Math.max(0, deadline - context.clock.monotonic());
      await waitFor(objects, planned.namespace, left, context);
    }
  } catch (error) {
    throw await rollBack(error, planned, before, context);
  }
  deployFailpoint("deploy.chart.ready");
  return preview.connectStrings;
}

function writeSettings(directory: string, context: InstallContext): string {
  const path = `${directory}/post-render.json`;
  const { packageName, templates } = context;
  Deno.writeTextFileSync(path, serializeSettings({ packageName, templates }), { mode: 0o600 });
  return path;
}

type HelmRelease = Parameters<Helm["upgrade"]>[0];

async function render(
  planned: PlannedRelease,
  options: HelmRelease,
  context: InstallContext,
): Promise<PostRendered> {
  const { kubeVersion, packageName, templates } = context;
  const text = planned.literal ?? await context.helm.render({
    ...options,
    ...(kubeVersion === undefined ? {} : { kubeVersion }),
  });
  try {
    return postRender(text, { packageName, templates });
  } catch (cause) {
    throw new DeployError({
      reason: "PackageBroken",
      message: `"${planned.title}" is not readable as Kubernetes objects`,
      kept: "it was not applied",
      cause,
    });
  }
}

async function applyChart(helm: Helm, options: HelmRelease, settings: string): Promise<void> {
  try {
    await helm.upgrade(options);
  } catch (error) {
    // Helm does not pass on what its post-renderer says.
    const said = readIfThere(`${settings}.error`);
    if (said === undefined || !(error instanceof DeployError)) throw error;
    throw new DeployError({ reason: "PackageBroken", message: error.message, cause: said });
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

async function waitFor(
  objects: readonly Manifest[],
  namespace: string,
  timeout: number,
  context: InstallContext,
): Promise<void> {
  const { clock, signal, troubleGrace, check, onProgress } = context;
  await waitReady(context.kube, objects.map((object) => refOf(object, namespace)), {
    timeout,
    wholeTimeout: context.timeout,
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

/** Goes back after a failure and returns the error to throw. */
async function rollBack(
  error: unknown,
  planned: PlannedRelease,
  before: number | undefined,
  context: InstallContext,
): Promise<unknown> {
  if (context.signal?.aborted) return cancelled(context.signal);
  if (!(error instanceof DeployError)) return error;
  if (before === undefined) {
    return withKept(error, `release ${planned.release} stays as it is; there is no earlier one`);
  }
  const timeout = Math.min(context.timeout, ROLLBACK_TIMEOUT);
  const options = { ...planned, settings: "", timeout };
  try {
    context.onProgress(`"${planned.title}" goes back to revision ${before}`);
    await context.helm.rollback(options, before);
    const objects = readObjects(await context.helm.manifest(options));
    const { check: _, ...alone } = context;
    await waitFor(objects, planned.namespace, timeout, { ...alone, timeout });
    // Trying again would only take down what runs: it is for whoever builds the package now.
    return new DeployError({
      ...partsOf(error),
      reason: "RolledBack",
      disposition: "terminal",
      kept: `release ${planned.release} is back at revision ${before} and ready`,
      remedy: "drop a mended package, or the same file again to try once more",
    });
  } catch (failure) {
    const why = describeError(failure);
    return withKept(
      error,
      `release ${planned.release} could not be brought back to revision ${before}: ${why}`,
    );
  }
}

function withKept(error: DeployError, kept: string): DeployError {
  return new DeployError({ ...partsOf(error), kept });
}

/** The parts of an error, to make another one of it. */
export function partsOf<Reason extends string>(error: HoldfastError<Reason>) {
  return {
    reason: error.reason,
    message: error.message,
    disposition: error.disposition,
    ...(error.kept === undefined ? {} : { kept: error.kept }),
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  };
}
