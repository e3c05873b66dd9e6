import { type Clock, systemClock } from "../std/mod.ts";

/** Bounds of a {@linkcode Pacer}. */
export interface PacerOptions {
  /** Calls in flight to begin with. @default 4 */
  readonly initial?: number;
  /** The most calls in flight. @default 8 */
  readonly max?: number;
  /** A call slower than this many milliseconds is taken as a sign of load. @default 1500 */
  readonly slow?: number;
  /** Milliseconds to hold back after the server said "too many". @default 500 */
  readonly pause?: number;
  /** What the failure of a call says: that the server is overloaded, and how long it asks to wait. */
  readonly overload: (error: unknown) => { readonly retryAfter?: number } | undefined;
  /** How often one call is repeated because of overload. @default 20 */
  readonly attempts?: number;
  readonly clock?: Clock;
}

/**
 * Runs calls with several in flight, as many as the server bears: one more after each round of quick
 * answers, half as many after a 429 or a slow answer (additive increase, multiplicative decrease).
 */
export class Pacer {
  readonly #options: Required<Omit<PacerOptions, "overload">> & Pick<PacerOptions, "overload">;
  #limit: number;
  #quick = 0;
  #resumeAt = 0;

  constructor(options: PacerOptions) {
    this.#options = {
      initial: 4,
      max: 8,
      slow: 1_500,
      pause: 500,
      attempts: 20,
      clock: systemClock,
      ...options,
    };
    this.#limit = this.#options.initial;
  }

  /** How many calls may be in flight now. */
  get limit(): number {
    return this.#limit;
  }

  /**
   * Calls `action` for every item, in order of start.
   *
   * @throws the first failure that is not overload, or overload that outlasts the attempts; calls
   * in flight are waited for, no new ones start.
   */
  async run<T>(
    items: readonly T[],
    action: (item: T) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const waiting = [...items].reverse();
    const active = new Set<Promise<void>>();
    let failure: { readonly error: unknown } | undefined;
    while ((waiting.length > 0 && failure === undefined) || active.size > 0) {
      while (active.size < this.#limit && failure === undefined && !signal?.aborted) {
        const item = waiting.pop();
        if (item === undefined) break;
        const call: Promise<void> = this.#one(() => action(item), signal)
          .catch((error) => void (failure ??= { error }))
          .finally(() => active.delete(call));
        active.add(call);
      }
      if (active.size === 0) break;
      await Promise.race(active);
    }
    if (failure !== undefined) throw failure.error;
    signal?.throwIfAborted();
  }

  async #one(action: () => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const { clock, attempts, overload } = this.#options;
    for (let attempt = 1;; attempt++) {
      const hold = this.#resumeAt - clock.monotonic();
      if (hold > 0) await clock.sleep(hold, signal);
      signal?.throwIfAborted();
      const started = clock.monotonic();
      try {
        await action();
        this.#answered(clock.monotonic() - started);
        return;
      } catch (error) {
        const load = overload(error);
        if (load === undefined || attempt >= attempts) throw error;
        this.#backOff(load.retryAfter ?? this.#options.pause);
      }
    }
  }

  #answered(took: number): void {
    if (took > this.#options.slow) return this.#backOff(0);
    this.#quick++;
    if (this.#quick < this.#limit) return;
    this.#quick = 0;
    this.#limit = Math.min(this.#options.max, this.#limit + 1);
  }

  #backOff(pause: number): void {
    this.#quick = 0;
    this.#limit = Math.max(1, Math.floor(this.#limit / 2));
    this.#resumeAt = Math.max(this.#resumeAt, this.#options.clock.monotonic() + pause);
  }
}
