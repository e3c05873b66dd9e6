/**
 * Runs inputs of one target, one after the other, and prints what came of them as JSON. A process of
 * its own: it may hang, run out of memory or end at any input, and tells by a file at which one it is.
 *
 * @module
 */
import { Random } from "./random.ts";
import { SELF_TARGETS } from "./self_targets.ts";
import type { Target } from "./target.ts";
import { TARGETS } from "./targets.ts";

/** Which inputs are run. */
export interface ChildRequest {
  readonly target: string;
  readonly seed: string;
  /** Number of the first one. */
  readonly from: number;
  /** How many at most. */
  readonly count: number;
  /** After how long no further one is begun. */
  readonly milliseconds: number;
  /** Gets the number of the input that is being run. */
  readonly progressFile: string;
}

/** What came of them. */
export interface ChildReport {
  /** How many inputs were run. */
  readonly inputs: number;
  readonly milliseconds: number;
  /** Of each outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** The most resident memory that the process ever had (VmHWM), in bytes. */
  readonly peakResidentBytes: number;
  /** The input that ended the run. */
  readonly finding?: {
    readonly index: number;
    readonly kind: "wrong" | "slow" | "large";
    readonly why: string;
  };
}

/** The most resident memory that reading a package may take, in bytes (design: figures to reach). */
export const MEMORY_LIMIT = 200 << 20;
/** Milliseconds that one input may take on a busy machine, all ways of reading it together. */
export const INPUT_LIMIT = 10_000;

/** The target of this name. */
export function targetOf(name: string): Target {
  const found = [...TARGETS, ...SELF_TARGETS].find((target) => target.name === name);
  if (found === undefined) throw new Error(`there is no target ${name}`);
  return found;
}

/** The input of this number. */
export function inputOf(target: Target, seed: string, index: number): Uint8Array {
  return target.generate(new Random(`${seed}/${target.name}/${index}`));
}

/** The process's VmHWM in bytes. */
export function peakResidentBytes(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

/** The runtime gives buffers back late, and each reader has one of megabytes. */
const COLLECT_EVERY = 8;

function collectGarbage(): void {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect === "function") collect();
}

async function run(request: ChildRequest): Promise<ChildReport> {
  const target = targetOf(request.target);
  using progress = Deno.openSync(request.progressFile, { write: true, create: true });
  const outcomes: Record<string, number> = {};
  const started = performance.now();
  let inputs = 0;
  let finding: ChildReport["finding"];
  while (inputs < request.count && performance.now() - started < request.milliseconds) {
    const index = request.from + inputs;
    progress.seekSync(0, Deno.SeekMode.Start);
    progress.writeSync(new TextEncoder().encode(`${index} `));
    if (++inputs % COLLECT_EVERY === 0) collectGarbage();
    finding = await runOne(target, inputOf(target, request.seed, index), index, outcomes);
    if (finding !== undefined) break;
  }
  return {
    inputs,
    milliseconds: performance.now() - started,
    outcomes,
    peakResidentBytes: peakResidentBytes(),
    ...(finding === undefined ? {} : { finding }),
  };
}

async function runOne(
  target: Target,
  input: Uint8Array,
  index: number,
  outcomes: Record<string, number>,
): Promise<ChildReport["finding"]> {
  const started = performance.now();
  try {
    const outcome = await target.run(input);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  } catch (error) {
    const why = error instanceof Error ? error.stack ?? error.message : String(error);
    return { index, kind: "wrong", why };
  }
  const took = performance.now() - started;
  if (took > INPUT_LIMIT) return { index, kind: "slow", why: `it took ${Math.round(took)} ms` };
  const peak = peakResidentBytes();
  if (peak > MEMORY_LIMIT) return { index, kind: "large", why: `the process has ${peak} bytes` };
  return undefined;
}

if (import.meta.main) {
  const report = await run(JSON.parse(Deno.args[0] ?? ""));
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(report)));
}
