import * as v from "valibot";
import { HoldfastError } from "../../src/std/mod.ts";
import { FINAL_PHASES, type PackagePhase, VERDICT_SUFFIX } from "../../src/status/mod.ts";
import { agentEnded, type RunningAgent } from "./agent.ts";
import type { Tell } from "./screen.ts";

/** Why a dropped package did not come to where the demo waits for it. */
export class VerdictError extends HoldfastError<"PackageFailed" | "VerdictLate"> {}

const verdictSchema = v.object({
  kind: v.literal("PackageStatus"),
  phase: v.custom<PackagePhase>((value) => typeof value === "string"),
  reason: v.string(),
  message: v.string(),
  progress: v.object({ bytes: v.number(), totalBytes: v.number() }),
});

/** What the demo reads of a verdict (design: PackageStatus of holdfast.dev/v1alpha1). */
export type DemoVerdict = v.InferOutput<typeof verdictSchema>;

/** The parts of a package's way that are timed. */
export type Leg = "receive" | "prepare" | "deploy" | "over";

/** Milliseconds for which a package passed through each leg. */
export type LegTimes = Readonly<Record<Exclude<Leg, "over">, number>>;

const POLL_INTERVAL = 50;
/** Milliseconds after which the demo gives up. */
const TIMEOUT = 10 * 60_000;

/** The leg that a verdict stands for; what was not there before the first one is receiving. */
export function legOf(verdict: DemoVerdict | undefined): Leg {
  if (verdict === undefined || verdict.phase === "Receiving") return "receive";
  if (FINAL_PHASES.includes(verdict.phase)) return "over";
  // Once the cluster is prepared a package is not said to be prepared for any more.
  return verdict.phase === "Accepted" || verdict.reason === "PreparingCluster"
    ? "prepare"
    : "deploy";
}

/** What is shown while a package has this verdict. */
export function describeVerdict(
  verdict: DemoVerdict | undefined,
): { readonly message: string; readonly fraction?: number } {
  if (verdict === undefined) return { message: "the file is being copied" };
  const { phase, message, progress } = verdict;
  const text = `${phase}: ${message}`;
  if (phase !== "Receiving" || progress.totalBytes === 0 || progress.bytes === 0) {
    return { message: text };
  }
  return { message: text, fraction: progress.bytes / progress.totalBytes };
}

/** The verdict beside a dropped file; undefined while there is none. */
export async function readVerdict(file: string): Promise<DemoVerdict | undefined> {
  const text = await readVerdictText(file);
  return text === undefined ? undefined : v.parse(verdictSchema, JSON.parse(text));
}

/** The text of the verdict beside a dropped file; undefined while there is none. */
export async function readVerdictText(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(`${file}${VERDICT_SUFFIX}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Follows a dropped file until its verdict has the wanted phase.
 *
 * @returns how long it was in each leg.
 * @throws {VerdictError} when it ends in another phase or takes too long; {@linkcode agentEnded}
 * when the agent ends.
 */
export async function followVerdict(
  agent: RunningAgent,
  file: string,
  options: {
    readonly until: "Accepted" | "Ready";
    readonly tell: Tell;
    readonly signal: AbortSignal;
    readonly onLeg?: (leg: Leg) => Promise<void>;
  },
): Promise<LegTimes> {
  const { until, tell, signal, onLeg } = options;
  const times = { receive: 0, prepare: 0, deploy: 0 };
  let end: string | undefined;
  agent.ended.then((how) => end = how);
  let leg: Leg = "receive";
  let since = performance.now();
  const deadline = since + TIMEOUT;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    if (end !== undefined) throw agentEnded(agent, end);
    const verdict = await readVerdict(file);
    const { message, fraction } = describeVerdict(verdict);
    tell(message, fraction);
    const next = legOf(verdict);
    const now = performance.now();
    if (leg !== "over") times[leg] += now - since;
    since = now;
    if (next !== leg) await onLeg?.(next);
    leg = next;
    if (verdict?.phase === until) return times;
    if (verdict !== undefined && leg === "over") throw failed(agent, verdict);
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
  throw new VerdictError({
    reason: "VerdictLate",
    message: `the package is not ${until} after ${TIMEOUT / 60_000} minutes`,
    remedy: `look at ${agent.logPath}`,
  });
}

function failed(agent: RunningAgent, { phase, reason, message }: DemoVerdict): VerdictError {
  return new VerdictError({
    reason: "PackageFailed",
    message: `the package ended as ${phase} (${reason}): ${message}`,
    remedy: `look at ${agent.logPath}`,
  });
}

/** How many pieces a file is copied in, and over how many milliseconds: as from a slow stick. */
const COPY_PIECES = 20;
const COPY_TIME = 1_000;

/** Copies a package into a drop directory, slowly. @returns the path there. */
export async function dropSlowly(
  source: string,
  directory: string,
  tell: Tell,
  signal: AbortSignal,
): Promise<string> {
  const target = `${directory}/${source.slice(source.lastIndexOf("/") + 1)}`;
  const bytes = await Deno.readFile(source);
  using file = await Deno.open(target, { write: true, create: true, truncate: true });
  const piece = Math.ceil(bytes.length / COPY_PIECES);
  for (let at = 0; at < bytes.length; at += piece) {
    signal.throwIfAborted();
    const chunk = bytes.subarray(at, at + piece);
    for (let done = 0; done < chunk.length;) done += await file.write(chunk.subarray(done));
    tell("the file is being copied", (at + chunk.length) / bytes.length);
    await new Promise((resolve) => setTimeout(resolve, COPY_TIME / COPY_PIECES));
  }
  return target;
}
