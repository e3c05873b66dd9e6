import { type CaseResult, type Result, short, type SideResult } from "./harness.ts";
import { times } from "./report.ts";

const WIDTH = 720;
const LABELS = 150;
/** Left of the right edge: room for the value. */
const VALUES = 200;
const BAR = 18;
const STEP = 26;
const HEADING = 30;
const TOP = 56;
const BOTTOM = 34;

/**
 * A bar chart of a result: one bar a side, of the median's length, with a line from the smallest to
 * the largest value. It holds no script and no outside reference, and follows the reader's colours.
 */
export function renderSvg(result: Result): string {
  const parts: string[] = [];
  let y = TOP;
  for (const one of result.cases) {
    parts.push(text(0, y + 14, one.name, "case"));
    y += HEADING - 6;
    for (const [at, side] of one.sides.entries()) {
      parts.push(...bar(one, side, at, y, result.unit));
      y += STEP;
    }
    y += 10;
  }
  const better = result.higherIsBetter ? "longer is better" : "shorter is better";
  const height = y + BOTTOM;
  const title = `${result.name}: ${result.unit}, ${better}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 ${WIDTH + 24} ${height}" ` +
    `role="img" aria-label="${escape(title)}">
<title>${escape(title)}</title>
<style>${STYLE}</style>
${text(0, 22, result.name, "title")}
${text(0, 40, `${result.unit}, ${better}`, "note")}
${parts.join("\n")}
${text(0, height - 12, `${result.date.slice(0, 10)}, ${result.machine}`, "note")}
</svg>
`;
}

const STYLE = `text{font:13px system-ui,sans-serif;fill:#222}
.title{font-weight:700;font-size:16px}.case{font-weight:600}.note{fill:#666;font-size:12px}
.ours{fill:#2563a8}.peer{fill:#a8b0ba}.spread{stroke:#222;stroke-width:1.5}
@media(prefers-color-scheme:dark){text{fill:#ddd}.note{fill:#999}.ours{fill:#5b9be0}
.peer{fill:#5a626c}.spread{stroke:#ddd}}`;

function bar(one: CaseResult, side: SideResult, at: number, y: number, unit: string): string[] {
  const longest = Math.max(...one.sides.map((each) => each.summary.max));
  const scale = (value: number) => round((WIDTH - LABELS - VALUES) * value / longest);
  const { median, min, max } = side.summary;
  const ratio = one.ratios.find((each) => each.peer === side.name);
  const middle = y + BAR / 2;
  const value = `${short(median)} ${unit}${
    ratio === undefined ? "" : `, ours ${times(ratio.ratio)}`
  }`;
  return [
    text(0, y + 14, side.name, ""),
    `<rect x="${LABELS}" y="${y}" width="${scale(median)}" height="${BAR}" ` +
    `class="${at === 0 ? "ours" : "peer"}"/>`,
    `<line x1="${LABELS + scale(min)}" x2="${LABELS + scale(max)}" y1="${middle}" y2="${middle}" ` +
    `class="spread"/>`,
    text(LABELS + scale(max) + 8, y + 14, value, ""),
  ];
}

function text(x: number, y: number, content: string, style: string): string {
  const kind = style === "" ? "" : ` class="${style}"`;
  return `<text x="${round(x)}" y="${y}"${kind}>${escape(content)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(content: string): string {
  return content.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
