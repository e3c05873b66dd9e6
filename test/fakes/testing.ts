/**
 * What many tests need: a directory that goes away, a clock that is wound by hand and one that knows
 * no pauses of the machine, log lines to look at, chance that repeats itself, and patience.
 *
 * @module
 */
import { cpuUsage } from "node:process";
import {
  type Clock,
  createLogger,
  type Logger,
  type LogLevel,
  systemClock,
} from "../../src/std/mod.ts";

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

/** How much a machine that stands still moves an {@linkcode AwakeClock}, in milliseconds. */
const MAX_STEP = 100;
/** How often an {@linkcode AwakeClock} looks, in milliseconds. */
const STEP = 20;

/**
 * A clock of the time in which this process ran: a busy machine may stop for seconds at any place,
 * which is here one step. For limits on how long something waits, not on how long it works. It has to
 * be disposed of.
 */
export class AwakeClock implements Clock, Disposable {
  readonly #timer = setInterval(() => this.monotonic(), STEP);
  #seen = performance.now();
  #time = 0;

  now(): Date {
    return new Date();
  }

  monotonic(): number {
    const seen = performance.now();
    this.#time += Math.min(seen - this.#seen, MAX_STEP);
    this.#seen = seen;
    return this.#time;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** A logger whose lines are kept as text, without their time. */
export function loggerOf(level: LogLevel = "debug"): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line.replace(/^\S+ /, "").trimEnd());
  return { logger: createLogger({ level, format: "text", write }), lines };
}

/** Milliseconds between two looks of {@linkcode eventually}. */
const PAUSE = 20;
/** What one look and the pause after it count at most, in milliseconds. */
const MAX_LOOK = 500;

/**
 * Waits until `look` gives something that is not false, null or undefined; fails after `ms`, of which
 * a time in which the machine stands still takes no more than a moment.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  ms = 15_000,
): Promise<NonNullable<Exclude<T, false>>> {
  for (let waited = 0;;) {
    const started = performance.now();
    const found = await look();
    if (found !== undefined && found !== null && found !== false) {
      return found as NonNullable<Exclude<T, false>>;
    }
    if (waited > ms) throw new Error(`${look} was not so within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    waited += Math.min(performance.now() - started, MAX_LOOK);
  }
}

/** Milliseconds of processor that this process has used; what others use does not count. */
export function processorTime(): number {
  return cpuUsage().user / 1_000;
}

/** How often {@linkcode despitePauses} tries. */
const MAX_TRIES = 4;

/**
 * Runs `action`, and again when it fails, a few times. For what depends on several things happening
 * within some time of each other, which a machine that stands still in between spoils: that happens
 * now and then, while code that is broken fails each time.
 */
export async function despitePauses(action: () => Promise<void>): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await action();
    } catch (error) {
      if (tries === MAX_TRIES) throw error;
    }
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
