import { type CaseResult, type Result, short } from "./harness.ts";
import type { Ratio } from "./stats.ts";

/** A result as lines of text. */
export function reportLines(result: Result): string[] {
  const better = result.higherIsBetter ? "higher is better" : "lower is better";
  return [
    `${result.name}: ${result.what}`,
    `(${result.unit}, ${better}; ${result.date}, ${result.machine})`,
    ...result.cases.flatMap((one) => ["", ...caseLines(one, result)]),
    ...(result.figures.length === 0 ? [] : ["", ...figureLines(result)]),
    ...result.missing.map((what) => `left out: ${what}`),
  ];
}

function caseLines(one: CaseResult, { unit, higherIsBetter }: Result): string[] {
  const width = Math.max(...one.sides.map((side) => side.name.length));
  const sides = one.sides.map(({ name, summary, values }) =>
    `    ${name.padEnd(width)}  median ${short(summary.median)} ${unit}` +
    `  (${short(summary.min)} to ${short(summary.max)}, ${values.length} runs)`
  );
  return [
    `  ${one.name}`,
    ...sides,
    ...one.ratios.map((ratio) => ratioLine(ratio, higherIsBetter)),
  ];
}

function ratioLine(ratio: Ratio, higherIsBetter: boolean): string {
  const said = `    ${times(ratio.ratio)} of ${ratio.peer}` +
    ` (rounds: ${times(ratio.min)} to ${times(ratio.max)})`;
  if (ratio.target === undefined) return said;
  const bound = `${higherIsBetter ? ">=" : "<="} ${ratio.target} x`;
  return `${said}; target ${bound}: ${ratio.met ? "met" : "missed"}`;
}

function figureLines({ figures }: Result): string[] {
  const width = Math.max(...figures.map((figure) => figure.name.length));
  return figures.map(({ name, value, target }) =>
    `  ${name.padEnd(width)}  ${value}${target === undefined ? "" : `  (target ${target})`}`
  );
}

/** `0.93 x` */
export function times(ratio: number): string {
  return `${ratio.toFixed(2)} x`;
}
