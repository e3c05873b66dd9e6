import { renderBar, renderDuration } from "../../src/std/mod.ts";

/** One stage of the demo, as it is shown. */
export interface Stage {
  readonly name: string;
  readonly state: "running" | "done" | "failed";
  /** Milliseconds since it began. */
  readonly elapsed: number;
  /** What is being done, or what came of it. */
  readonly message: string;
  /** 0 to 1, where it is known how much there is to do. */
  readonly fraction?: number;
}

const NAME_WIDTH = 18;
/** Fewer columns than this are not drawn for. */
const MIN_COLUMNS = 40;

/**
 * A stage as one line of a terminal of `columns` columns: name, time, bar, message. It never takes
 * more than one line, or the next drawing could not replace it.
 */
export function renderLine(stage: Stage, columns: number, colour: boolean): string {
  const paint = (text: string, code: number) => colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  const name = stage.name.padEnd(NAME_WIDTH);
  const time = renderDuration(stage.elapsed).padStart(8);
  const width = Math.max(columns, MIN_COLUMNS) - 1;
  const left = 2 + NAME_WIDTH + time.length;
  const whole = stage.state === "running" && stage.fraction !== undefined
    ? ` ${renderBar(stage.fraction)}`
    : "";
  const bar = left + whole.length < width ? whole : "";
  const message = clip(
    stage.message.replaceAll(/\s+/g, " "),
    Math.max(width - left - bar.length - 2, 0),
  );
  const [sign, code] = SIGNS[stage.state];
  return `${paint(sign, code)} ${paint(name, 1)}${time}${bar}  ${message}`.trimEnd();
}

const SIGNS = { running: [">", 36], done: ["+", 32], failed: ["!", 31] } as const;

/** Names and values in two columns. */
export function renderTable(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
}

/** The text of a status page, as a text browser would show it. */
export function pageText(html: string): string {
  return html
    .replaceAll(/<(style|title)>[\s\S]*?<\/\1>/g, "")
    .replaceAll(/<\/(tr|h1|h2|p|table)>|<br>/g, "\n")
    .replaceAll(/<\/(td|th)>/g, "  ")
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join("\n");
}

function clip(text: string, width: number): string {
  if (text.length <= width) return text;
  return width <= 3 ? "" : text.slice(0, width - 3) + "...";
}
