import type { Target } from "./types.ts";

/** What several values of one side come to. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Ours divided by a peer's. */
export interface Ratio {
  readonly peer: string;
  /** Of the medians. */
  readonly ratio: number;
  /** The smallest and the largest of the rounds, each with its own peer value. */
  readonly min: number;
  readonly max: number;
  readonly target?: number;
  /** Whether `ratio` is on the right side of `target`. */
  readonly met?: boolean;
}

/** @throws {RangeError} when there is no value, or one that no measurement gives. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError("nothing was measured");
  const bad = values.find((value) => !Number.isFinite(value) || value <= 0);
  if (bad !== undefined) throw new RangeError(`${bad} is not a measured value`);
  const sorted = values.toSorted((a, b) => a - b);
  return { median: median(sorted), min: Math.min(...values), max: Math.max(...values) };
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

/**
 * Compares the values of two sides; the values of one round stand at the same place.
 *
 * @throws {RangeError} when the numbers of rounds differ.
 */
export function compare(
  peer: string,
  ours: readonly number[],
  theirs: readonly number[],
  higherIsBetter: boolean,
  targets: readonly Target[] = [],
): Ratio {
  if (ours.length !== theirs.length) {
    throw new RangeError("the sides ran unequal numbers of rounds");
  }
  const rounds = ours.map((value, at) => value / (theirs[at] ?? NaN));
  const ratio = summarize(ours).median / summarize(theirs).median;
  const { min, max } = summarize(rounds);
  const target = targets.find((candidate) => candidate.peer === peer)?.ratio;
  if (target === undefined) return { peer, ratio, min, max };
  return { peer, ratio, min, max, target, met: higherIsBetter ? ratio >= target : ratio <= target };
}
