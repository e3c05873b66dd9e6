import { type Logger, oneLine } from "../std/mod.ts";

/** The most lines of one action's output that are logged, of all its attempts; the rest is counted. */
export const MAX_LOGGED_LINES = 1_000;
/** The longest part of a line that is logged, in characters. */
const MAX_LINE = 1_000;
/** The longest line that is held until it ends, in bytes; a longer one is cut in pieces. */
const MAX_HELD = 16 << 10;
/** How many of the last lines an error shows. */
const SHOWN_LINES = 3;

/** How an action's output is logged. */
export interface ActionLogOptions {
  readonly logger: Logger;
  /** Hides secrets in a line. */
  readonly redact: (line: string) => string;
  /** Outputs that nobody may read. */
  readonly muted: ReadonlySet<"stdout" | "stderr">;
}

/** Logs what an action prints, line by line, bounded and without secrets. */
export class ActionLog {
  readonly #options: ActionLogOptions;
  readonly #streams = { stdout: new Lines(), stderr: new Lines() };
  readonly #last: string[] = [];
  #logged = 0;
  #dropped = 0;

  constructor(options: ActionLogOptions) {
    this.#options = options;
  }

  /** Takes output as it comes. */
  write(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    if (this.#options.muted.has(stream)) return;
    for (const line of this.#streams[stream].push(bytes)) this.#line(stream, line);
  }

  /** An attempt begins: what the one before said last does not count. */
  begin(): void {
    this.#last.length = 0;
  }

  /** The output of an attempt has ended. */
  end(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      for (const line of this.#streams[stream].end()) this.#line(stream, line);
    }
  }

  /** The action is over. */
  finish(): void {
    if (this.#dropped > 0) {
      this.#options.logger.info(`${this.#dropped} more lines of output are not shown`);
    }
    this.#dropped = 0;
  }

  /** The last lines, for an error; empty if nothing may be shown. */
  get last(): string {
    return this.#last.join("; ");
  }

  #line(stream: "stdout" | "stderr", text: string): void {
    const line = oneLine(this.#options.redact(text.trimEnd()), MAX_LINE);
    if (line === "") return;
    this.#last.push(line);
    if (this.#last.length > SHOWN_LINES) this.#last.shift();
    if (this.#logged >= MAX_LOGGED_LINES) {
      this.#dropped++;
      return;
    }
    this.#logged++;
    this.#options.logger.info(line, { output: stream });
  }
}

/** Cuts a stream of bytes into lines. */
class Lines {
  #held = new Uint8Array();

  push(bytes: Uint8Array): string[] {
    let rest = new Uint8Array(this.#held.length + bytes.length);
    rest.set(this.#held);
    rest.set(bytes, this.#held.length);
    const lines: string[] = [];
    for (;;) {
      const at = rest.indexOf(NEWLINE);
      const end = at < 0 && rest.length > MAX_HELD ? MAX_HELD : at;
      if (end < 0) break;
      lines.push(decoder.decode(rest.subarray(0, end)));
      rest = rest.subarray(at < 0 ? end : end + 1);
    }
    this.#held = rest.slice();
    return lines;
  }

  end(): string[] {
    const rest = this.#held;
    this.#held = new Uint8Array();
    return rest.length === 0 ? [] : [decoder.decode(rest)];
  }
}

const NEWLINE = 10;
const decoder = new TextDecoder();
