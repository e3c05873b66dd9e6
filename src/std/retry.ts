import { type Clock, systemClock } from "./clock.ts";
import { dispositionOf } from "./errors.ts";

/** Bounds of a series of attempts. */
export interface BackoffOptions {
  /** Milliseconds before the second attempt. @default 200 */
  readonly initial?: number;
  /** The longest pause in milliseconds. @default 10_000 */
  readonly max?: number;
  /** A number in [0, 1); a test passes its own. @default Math.random */
  readonly random?: () => number;
}

/**
 * The pause before attempt `attempt` (0 is the first retry): doubled each time up to `max`, of which
 * the upper half is random, so that many nodes that failed together do not return together.
 */
export function backoffDelay(attempt: number, options: BackoffOptions = {}): number {
  const { initial = 200, max = 10_000, random = Math.random } = options;
  const ceiling = Math.min(max, initial * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + random() * ceiling / 2;
}

/** What {@linkcode retry} needs beyond the backoff. */
export interface RetryOptions extends BackoffOptions {
  /** All attempts together, the first one included. @default 5 */
  readonly attempts?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Whether this failure is worth another attempt. @default everything that is not terminal */
  readonly retryable?: (error: unknown) => boolean;
  /** Milliseconds that the failure itself asks to wait (`Retry-After`), if it does. */
  readonly pauseFor?: (error: unknown) => number | undefined;
}

/**
 * Calls `action` until it succeeds, its failure is not retryable, the attempts are used up or the
 * signal aborts; then throws the last failure unchanged.
 */
export async function retry<T>(
  action: (attempt: number) => Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  const { attempts = 5, signal, clock = systemClock } = options;
  const retryable = options.retryable ?? ((error) => dispositionOf(error) !== "terminal");
  for (let attempt = 0;; attempt++) {
    signal?.throwIfAborted();
    try {
      return await action(attempt);
    } catch (error) {
      if (attempt + 1 >= attempts || signal?.aborted || !retryable(error)) throw error;
      const asked = options.pauseFor?.(error);
      await clock.sleep(asked ?? backoffDelay(attempt, options), signal);
    }
  }
}
