import { compare, type Ratio, summarize, type Summary } from "./stats.ts";
import type { Benchmark, Case, Figure, Prepared, Side } from "./types.ts";

/** Rounds per case unless asked for otherwise. */
export const DEFAULT_RUNS = 5;

/** One side's values, round by round. */
export interface SideResult {
  readonly name: string;
  readonly values: readonly number[];
  readonly summary: Summary;
}

/** One case, measured. The first side is ours. */
export interface CaseResult {
  readonly name: string;
  readonly sides: readonly SideResult[];
  readonly ratios: readonly Ratio[];
}

/** One benchmark, measured: what its JSON file holds. */
export interface Result {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly higherIsBetter: boolean;
  /** RFC 3339. */
  readonly date: string;
  readonly machine: string;
  readonly cases: readonly CaseResult[];
  readonly figures: readonly Figure[];
  readonly missing: readonly string[];
}

/** How a benchmark is run. */
export interface RunOptions {
  readonly runs: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Runs every case of a benchmark that is made ready. */
export async function runBenchmark(
  benchmark: Benchmark,
  prepared: Prepared,
  options: RunOptions & { readonly machine: string; readonly now: Date },
): Promise<Result> {
  const { name, what, unit, higherIsBetter } = benchmark;
  const cases: CaseResult[] = [];
  for (const one of prepared.cases) cases.push(await runCase(one, higherIsBetter, options));
  return {
    name,
    what,
    unit,
    higherIsBetter,
    date: options.now.toISOString(),
    machine: options.machine,
    cases,
    figures: await prepared.figures(),
    missing: prepared.missing,
  };
}

/**
 * One round to warm up, which is not counted, then the rounds. Each round runs every side once, and
 * every second one in the opposite order: what the machine does meanwhile meets all sides alike.
 */
export async function runCase(
  one: Case,
  higherIsBetter: boolean,
  { runs, signal, say }: RunOptions,
): Promise<CaseResult> {
  const count = Math.min(runs, one.maxRuns ?? runs);
  const values = new Map<Side, number[]>(one.sides.map((side) => [side, []]));
  for (let round = 0; round <= count; round++) {
    const order = round % 2 === 0 ? one.sides : one.sides.toReversed();
    for (const side of order) {
      signal.throwIfAborted();
      const value = await side.run(signal);
      say(
        `${one.name}, ${round === 0 ? "warm-up" : `round ${round}`}: ${side.name} ${short(value)}`,
      );
      if (round > 0) values.get(side)?.push(value);
    }
  }
  const sides = one.sides.map((side) => {
    const own = values.get(side) ?? [];
    return { name: side.name, values: own, summary: summarize(own) };
  });
  const [ours, ...peers] = sides;
  return {
    name: one.name,
    sides,
    ratios: peers.map((peer) =>
      compare(peer.name, ours?.values ?? [], peer.values, higherIsBetter, one.targets)
    ),
  };
}

/** A value with three significant digits. */
export function short(value: number): string {
  if (value >= 1_000) return value.toFixed(0);
  return value.toPrecision(3);
}
