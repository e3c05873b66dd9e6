/**
 * Resolves when one of the signals aborts. Not `AbortSignal.any`: Deno 2.7 may collect a composite
 * signal that only its listeners hold, and then they are never called.
 */
export function whenAborted(...signals: readonly AbortSignal[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of signals) {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  }
  return promise;
}

/** Something that happens again and again, for those who wait for the next time. */
export class Occasion {
  #next = new AbortController();

  /** Aborts when it happens next. */
  get next(): AbortSignal {
    return this.#next.signal;
  }

  /** It happens: who waits is told, and sees what was changed before. */
  happen(): void {
    const now = this.#next;
    this.#next = new AbortController();
    now.abort();
  }
}
