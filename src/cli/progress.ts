import { renderBar, renderBytes, renderDuration } from "../std/mod.ts";
import type { Terminal } from "./terminal.ts";

/** How far something is. */
export interface Progress {
  readonly bytes: number;
  readonly totalBytes: number;
  /** Milliseconds since it began. */
  readonly elapsed: number;
}

/** Milliseconds between two drawings at least. */
const FRAME = 100;
/** Milliseconds after which a speed says something. */
const SETTLED = 500;

/**
 * One line of a screen of `columns` columns: bar, bytes, speed and what is left of the time. Parts for
 * which there is no room are left out; the line never wraps, or the next one could not replace it.
 */
export function renderProgress({ bytes, totalBytes, elapsed }: Progress, columns: number): string {
  const speed = elapsed < SETTLED ? 0 : bytes / elapsed;
  const parts = [
    renderBar(totalBytes === 0 ? 0 : bytes / totalBytes),
    `${renderBytes(bytes)} of ${renderBytes(totalBytes)}`,
    ...(speed === 0 ? [] : [
      `${renderBytes(speed * 1_000)}/s`,
      `${renderDuration(Math.max(totalBytes - bytes, 0) / speed)} left`,
    ]),
  ];
  while (parts.length > 0 && parts.join("  ").length >= columns) parts.pop();
  return parts.join("  ");
}

/**
 * A line on the error output that is drawn again as something goes on, ten times a second at most.
 * Where the error output is no screen nothing is written.
 */
export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #totalBytes: number;
  readonly #now: () => number;
  readonly #began: number;
  #drawnAt = -Infinity;

  /** @param now Milliseconds, from a clock that nobody sets. */
  constructor(terminal: Terminal, totalBytes: number, now = () => performance.now()) {
    this.#terminal = terminal;
    this.#totalBytes = totalBytes;
    this.#now = now;
    this.#began = now();
  }

  update(bytes: number): void {
    const now = this.#now();
    if (now - this.#drawnAt < FRAME) return;
    const columns = this.#terminal.columns?.();
    if (columns === undefined) return;
    this.#drawnAt = now;
    const progress = { bytes, totalBytes: this.#totalBytes, elapsed: now - this.#began };
    this.#terminal.err(`${CLEAR}${renderProgress(progress, columns)}`);
  }

  /** Takes the line away, so that what is said next begins at its place. */
  end(): void {
    if (this.#drawnAt > -Infinity) this.#terminal.err(CLEAR);
    this.#drawnAt = Infinity;
  }
}

/** To the beginning of the line, which is then erased. */
const CLEAR = "\r\x1b[2K";
