/**
 * A time limit and a caller's signal in one. Deno's HTTP/1.1 does not always end a body read when
 * its signal aborts (measured on 2.7.11: 18 of 50), so waits are raced with it as well.
 */
export class Deadline {
  /** The limit. */
  readonly milliseconds: number;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #onOuterAbort: () => void;
  /** The waits that an abort breaks off. */
  readonly #waits = new Set<(reason: unknown) => void>();
  #timer: ReturnType<typeof setTimeout>;
  #expired = false;

  constructor(milliseconds: number, signal?: AbortSignal) {
    this.milliseconds = milliseconds;
    this.signal.addEventListener("abort", () => {
      for (const reject of this.#waits) reject(this.signal.reason);
    }, { once: true });
    this.#outer = signal;
    this.#onOuterAbort = () => this.#controller.abort(signal?.reason);
    this.#timer = this.#arm();
    if (signal?.aborted) this.#onOuterAbort();
    else signal?.addEventListener("abort", this.#onOuterAbort, { once: true });
  }

  /** Aborts when the time is up or the caller's signal does. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was the time. */
  get expired(): boolean {
    return this.#expired;
  }

  /** Stops the time until {@linkcode extend}. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Starts the time again. */
  extend(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#arm();
  }

  /**
   * Waits for `promise`, but not longer than this. Each wait has a promise of its own to lose to: one
   * that lives as long as a watch would hold every result that it was raced with.
   *
   * @param late What becomes of a result that came too late.
   */
  race<T>(promise: Promise<T>, late?: (result: T) => unknown): Promise<T> {
    if (late !== undefined) {
      promise.then((result) => this.signal.aborted ? late(result) : undefined).catch(() => {});
    }
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    if (this.signal.aborted) reject(this.signal.reason);
    else this.#waits.add(reject);
    return Promise.race([promise, aborted]).finally(() => this.#waits.delete(reject));
  }

  /** The timer and the listener go; to be called in any case. */
  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }

  /** As {@linkcode end}, and what still runs under the signal stops. */
  cancel(): void {
    this.end();
    this.#controller.abort(new DOMException("the call is over", "AbortError"));
  }

  #arm(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#expired = true;
      this.#controller.abort(new DOMException("the time is up", "TimeoutError"));
    }, this.milliseconds);
  }
}
