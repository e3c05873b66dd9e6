import type { Suite } from "./suite.ts";

/** In which order suites run. */
export interface Schedule {
  /** Whichever lane is free takes the next one. */
  readonly inLanes: readonly Suite[];
  /** After those, one by one: they would fail, or measure something else, beside others. */
  readonly alone: readonly Suite[];
}

/** What a test file's first line says about how it is run, and why. */
const MARK = /^\/\/ Runs (alone|first): \S.+\.\n/;
/** A test that starts a cluster asks this first. */
const STARTS_CLUSTER = /\bobstacle\(\)/;
/** In place of the durations that nobody has measured, in characters of test text. */
const WEIGHT_OF_CLUSTER = 1e6;
const WEIGHT_OF_FIRST = 1e9;

/**
 * Puts suites in an order in which lanes end together: the longest ones first. Roughly, these are the
 * files that say so (`// Runs first: why.`), then those that start clusters, and among equals those
 * with more text. A suite runs alone if any of its files says so (`// Runs alone: why.`).
 *
 * @param read gives the text of a test file.
 * @throws {Error} for a first line that looks like such a mark and is none.
 */
export function scheduleOf(suites: readonly Suite[], read: (file: string) => string): Schedule {
  const weighed = suites.map((suite) => {
    const texts = suite.files.map((file) => ({ file, text: read(file) }));
    const marks = texts.map(({ file, text }) => markOf(file, text));
    const weight = texts.reduce((sum, { text }) => sum + weightOf(text), 0);
    return { suite, alone: marks.includes("alone"), weight };
  }).sort((a, b) => b.weight - a.weight);
  const those = (alone: boolean) =>
    weighed.filter((one) => one.alone === alone).map(({ suite }) => suite);
  return { inLanes: those(false), alone: those(true) };
}

function markOf(file: string, text: string): string | undefined {
  const mark = MARK.exec(text)?.[1];
  if (mark !== undefined || !/^\/\/ *Runs\b/i.test(text)) return mark;
  throw new Error(`${file} begins neither with "// Runs alone: why." nor "// Runs first: why."`);
}

function weightOf(text: string): number {
  return text.length + (STARTS_CLUSTER.test(text) ? WEIGHT_OF_CLUSTER : 0) +
    (MARK.exec(text)?.[1] === "first" ? WEIGHT_OF_FIRST : 0);
}
