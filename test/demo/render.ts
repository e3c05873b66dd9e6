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
const BAR_WIDTH = 24;
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

/** `[########----------------]  33%` */
export function renderBar(fraction: number): string {
  const part = Math.min(Math.max(fraction, 0), 1);
  const full = Math.floor(part * BAR_WIDTH);
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `[${"#".repeat(full)}${"-".repeat(BAR_WIDTH - full)}] ${percent}%`;
}

/** `0.4 s`, `12.3 s`, `2 min 05 s` */
export function renderDuration(ms: number): string {
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** `2.4 MB`: powers of 1000, as disks and networks are sold. */
export function renderBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = bytes;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1_000;
    at++;
  }
  return `${at === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[at]}`;
}

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
