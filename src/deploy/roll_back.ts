import { describeError } from "../std/mod.ts";
import { DeployError, partsOf } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import type { InstallContext } from "./install.ts";
import type { PlannedRelease } from "./plan.ts";
import type { Earlier } from "./proof.ts";
import { markFailed, releaseHistory } from "./release.ts";
import { cancelled, outdated } from "./wait.ts";
import { type Manifest, readObjects } from "./yaml.ts";

/** How long what was rolled back may take to be ready again, in milliseconds. */
const ROLLBACK_TIMEOUT = 300_000;

/** Waits until what was brought back is ready, so many milliseconds at most. */
type WaitFor = (objects: readonly Manifest[], timeout: number) => Promise<void>;

/**
 * Goes back after a failure and returns the error to throw. A release that Helm did not come to change
 * stays; one that has no earlier revision does, too, so that it can be looked at.
 */
export async function rollBack(
  error: unknown,
  planned: PlannedRelease,
  { before, newest }: Earlier,
  context: InstallContext,
  waitFor: WaitFor,
): Promise<unknown> {
  const failure = failureOf(error, context);
  if (!(failure instanceof DeployError) || context.signal?.aborted) return failure;
  const name = nameOf(planned);
  const changed = await disown(failure, planned, { before, newest }, context);
  if (context.newer?.aborted) return outdated();
  if (before === undefined) {
    return withKept(
      failure,
      changed ? `${name} stays as it is; there is no earlier one` : `${name} is not there`,
    );
  }
  // Then there is nothing to undo, and when what keeps it has passed it goes on.
  if (!changed) return withKept(failure, `${name} stays at revision ${before}`);
  return await goBack(failure, planned, before, context, waitFor);
}

/** Gives the error to throw after a failure that changed nothing: there is nothing else to go back to. */
export function leaveUnchanged(
  error: unknown,
  planned: PlannedRelease,
  context: InstallContext,
): unknown {
  const failure = failureOf(error, context);
  if (!(failure instanceof DeployError) || context.signal?.aborted) return failure;
  if (context.newer?.aborted) return outdated();
  return withKept(
    failure,
    `${nameOf(planned)} is what the package makes of it; it was not changed`,
  );
}

/** What failed: a stop and the end of the time count for whatever came of them. */
function failureOf(error: unknown, { signal, limit }: InstallContext): unknown {
  if (signal?.aborted) return cancelled(signal);
  return limit?.aborted ? limit.reason : error;
}

async function goBack(
  failure: DeployError,
  planned: PlannedRelease,
  before: number,
  context: InstallContext,
  waitFor: WaitFor,
): Promise<DeployError> {
  const { namespace, release } = planned;
  const name = nameOf(planned);
  const timeout = Math.min(context.timeout, ROLLBACK_TIMEOUT);
  const options = { ...planned, settings: "", timeout };
  try {
    context.onProgress(`"${planned.title}" goes back to revision ${before}`);
    deployFailpoint("deploy.rollback.begin");
    await context.helm.rollback(options, before);
    deployFailpoint("deploy.rollback.applied");
    const objects = readObjects(await context.helm.manifest(options));
    await waitFor(objects, timeout);
    context.proofs.settle(namespace, release);
    deployFailpoint("deploy.rollback.done");
    // Trying again would only take down what runs: it is for whoever builds the package now.
    return new DeployError({
      ...partsOf(failure),
      reason: "RolledBack",
      disposition: "terminal",
      kept: `${name} is back at revision ${before} and ready`,
      remedy: "drop a mended package, or the same file again to try once more",
    });
  } catch (trouble) {
    const why = describeError(trouble);
    return withKept(
      failure,
      `${name} could not be brought back to revision ${before}: ${why}`,
    );
  }
}

/** A release as people know it: those of manifests have names that nobody does. */
export function nameOf({ title, release }: PlannedRelease): string {
  return title === release ? `release ${release}` : `release ${release} of "${title}"`;
}

/**
 * What Helm has applied and what did not become ready is nothing to go back to.
 *
 * @returns whether Helm has changed anything; it keeps a revision before it does.
 */
async function disown(
  failure: DeployError,
  { namespace, release }: PlannedRelease,
  { before, newest }: Earlier,
  { kube, proofs }: InstallContext,
): Promise<boolean> {
  try {
    const last = (await releaseHistory(kube, namespace, release)).at(-1);
    const changed = last !== undefined && last.revision > newest;
    if (changed) await markFailed(kube, namespace, last, failure.message);
    // What is still to be gone back to must be known after an interruption, too.
    if (!changed || before === undefined) proofs.settle(namespace, release);
    return changed;
  } catch {
    // Without an API server the note stays, which says the same to the next attempt.
    return true;
  }
}

/** The error with what was kept, before what it says already. */
export function withKept(error: DeployError, kept: string): DeployError {
  const all = error.kept === undefined ? kept : `${kept}; ${error.kept}`;
  return new DeployError({ ...partsOf(error), kept: all });
}
