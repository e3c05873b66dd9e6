import type { TestResult } from "./tap.ts";

/** How many of a suite's logs a failure shows, and how much of each. */
const MAX_LOGS = 6;
const LOG_LINES = 15;
const MAX_LINE = 400;

/** How many tests there were of each outcome. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts tests and says one line about each. */
export class Report {
  readonly #say: (line: string) => void;
  #counts: Counts = { passed: 0, failed: 0, skipped: 0 };

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  get counts(): Counts {
    return this.#counts;
  }

  /** A test of `suite` has ended. */
  test(suite: string, result: TestResult, seconds: number): void {
    this.#add(result.outcome, 1);
    const label = { passed: "ok  ", failed: "FAIL", skipped: "skip" }[result.outcome];
    this.#say(`${label} ${suite}: ${result.name} (${duration(seconds)})`);
    for (const message of result.messages) this.#say(indent(message));
  }

  /** `count` test files could not run here. */
  skip(what: string, count: number, reason: string): void {
    this.#add("skipped", count);
    this.#say(`skip ${what}: ${reason}`);
  }

  /** The ends of the logs that a failed suite left in its folder, the newest ones. */
  logs(folder: string): void {
    for (const { path, text } of newestLogs(folder)) {
      this.#say(indent(`--- ${path}`));
      this.#say(indent(lastLines(text)));
    }
  }

  /** The closing line; nothing is said after it. */
  close(): void {
    const { passed, failed, skipped } = this.#counts;
    this.#say(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  }

  #add(outcome: TestResult["outcome"], count: number): void {
    this.#counts = { ...this.#counts, [outcome]: this.#counts[outcome] + count };
  }
}

function newestLogs(folder: string): { path: string; text: string }[] {
  return filesBelow(folder)
    .filter((path) => !/\/(stderr|tap)\.log$/.test(path))
    .map((path) => ({ path, time: Deno.statSync(path).mtime?.getTime() ?? 0 }))
    .sort((a, b) => b.time - a.time)
    .slice(0, MAX_LOGS)
    .map(({ path }) => ({ path, text: tailOf(path) }))
    .filter(({ text }) => text.trim() !== "");
}

/** The end of a file, as much as the shown lines can need at most. */
function tailOf(path: string): string {
  using file = Deno.openSync(path);
  const { size } = file.statSync();
  const bytes = new Uint8Array(Math.min(size, LOG_LINES * MAX_LINE * 4));
  file.seekSync(size - bytes.length, Deno.SeekMode.Start);
  const read = file.readSync(bytes) ?? 0;
  return new TextDecoder().decode(bytes.subarray(0, read));
}

function lastLines(text: string): string {
  return text.trimEnd().split("\n").slice(-LOG_LINES)
    .map((line) => line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line)
    .join("\n");
}

function filesBelow(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    return entry.isDirectory ? filesBelow(path) : entry.isFile ? [path] : [];
  });
}

function duration(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1_000)} ms` : `${seconds.toFixed(1)} s`;
}

function indent(text: string): string {
  return text.split("\n").map((line) => `       ${line}`).join("\n");
}
