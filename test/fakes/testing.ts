/**
 * What many tests need: a directory that goes away, a clock that is wound by hand, log lines to look
 * at, chance that repeats itself, and patience.
 *
 * @module
 */
import { type Clock, createLogger, type Logger, type LogLevel } from "../../src/std/mod.ts";

/** Runs `action` with a new directory that is removed afterwards. */
export async function withDirectory<T>(action: (dir: string) => T | Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "holdfast-test-" });
  try {
    return await action(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** A clock on which sleeping takes no time, moves the clock and is remembered. */
export class TestClock implements Clock {
  /** Milliseconds of each sleep, in order. */
  readonly slept: number[] = [];
  readonly #speed: number;
  #time = 0;

  /** @param speed By how much more than it was asked to each sleep moves the clock. */
  constructor(speed = 1) {
    this.#speed = speed;
  }

  now(): Date {
    return new Date(this.#time);
  }

  monotonic(): number {
    return this.#time;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    this.slept.push(ms);
    this.#time += ms * this.#speed;
    // A loop that only sleeps on this clock must not keep real answers from arriving.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Lets time pass. */
  advance(ms: number): void {
    this.#time += ms;
  }
}

/** A logger whose lines are kept as text, without their time. */
export function loggerOf(level: LogLevel = "debug"): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line.replace(/^\S+ /, "").trimEnd());
  return { logger: createLogger({ level, format: "text", write }), lines };
}

/** Waits until `look` gives something that is not false, null or undefined; fails after `ms`. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  ms = 5_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) {
      return found as NonNullable<Exclude<T, false>>;
    }
    if (performance.now() > deadline) throw new Error(`${look} was not so within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
