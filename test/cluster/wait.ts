import { systemClock } from "../../src/std/mod.ts";
import { ClusterError } from "./errors.ts";

/** Milliseconds between two looks. */
const PAUSE = 50;

/** Bounds of {@linkcode waitUntil}. */
export interface WaitOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

/**
 * Looks until `probe` is true. What it throws counts as "not yet"; the last such error is the cause
 * of the time-out.
 *
 * @throws {ClusterError} `TimedOut`, or what the signal was aborted with.
 */
export async function waitUntil(
  what: string,
  probe: () => Promise<boolean> | boolean,
  options: WaitOptions,
): Promise<void> {
  const deadline = performance.now() + options.timeout;
  let cause: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      if (await probe()) return;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new ClusterError({
        reason: "TimedOut",
        message: `waited ${options.timeout / 1_000} s for ${what}`,
        disposition: "retry",
        cause,
      });
    }
    await systemClock.sleep(PAUSE, options.signal);
  }
}
