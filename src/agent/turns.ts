import { backoffDelay, type BackoffOptions, type Clock } from "../std/mod.ts";

/** How agents that see the same take turns. */
export interface TurnOptions {
  /** The longest wait before a first turn, in milliseconds. */
  readonly longest: number;
  readonly clock: Clock;
  /** A number in [0, 1); a test passes its own. */
  readonly random: () => number;
}

/**
 * Waits for this agent's turn, or until the signal aborts. Every agent sees what is to be done, none
 * leads: who waits the shortest does it, and the others see it done.
 */
export async function waitTurn(options: TurnOptions, signal: AbortSignal): Promise<void> {
  await options.clock.sleep(options.random() * options.longest, signal);
}

interface Turn {
  /** Not before this time of the clock. */
  at: number;
  failures: number;
  error?: unknown;
  taken: boolean;
}

/** When this agent's turn is for each of many things ({@linkcode waitTurn}), and how that failed. */
export class Turns {
  readonly #options: TurnOptions;
  readonly #turns = new Map<string, Turn>();

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  /**
   * Gives what is new its turn, and forgets what is not to be done any more, unless it is being done.
   *
   * @param notBefore the earliest time of the clock for one of them.
   */
  arrange(keys: ReadonlySet<string>, notBefore: (key: string) => number = () => 0): void {
    const { clock, random, longest } = this.#options;
    const now = clock.monotonic();
    for (const [key, { taken }] of this.#turns) {
      if (!keys.has(key) && !taken) this.#turns.delete(key);
    }
    for (const key of keys) {
      if (this.#turns.has(key)) continue;
      const at = Math.max(now + random() * longest, notBefore(key));
      this.#turns.set(key, { at, failures: 0, taken: false });
    }
  }

  /** What is to be done now, and is not being done: what has waited longest first. */
  get due(): string[] {
    const now = this.#options.clock.monotonic();
    return [...this.#turns].filter(([, { at, taken }]) => !taken && at <= now)
      .sort(([, a], [, b]) => a.at - b.at)
      .map(([key]) => key);
  }

  /** Milliseconds until something is due: 0 when it is, Infinity when there is nothing. */
  get wait(): number {
    const times = [...this.#turns.values()].filter(({ taken }) => !taken).map(({ at }) => at);
    const first = times.reduce((least, at) => Math.min(least, at), Infinity);
    return Math.max(0, first - this.#options.clock.monotonic());
  }

  /** What could not be done the last time, and why. */
  get failing(): readonly (readonly [key: string, error: unknown])[] {
    return [...this.#turns].filter(([, { error }]) => error !== undefined)
      .map(([key, { error }]) => [key, error] as const);
  }

  /** It is being done: it is not due until it is done, has failed or is put back. */
  take(key: string): void {
    const turn = this.#turns.get(key);
    if (turn !== undefined) turn.taken = true;
  }

  /** It is not being done any more; its turn is when it was. */
  putBack(key: string): void {
    const turn = this.#turns.get(key);
    if (turn !== undefined) turn.taken = false;
  }

  /** It is done, and forgotten until it is to be done again. */
  done(key: string): void {
    this.#turns.delete(key);
  }

  /** Nothing is wrong with it; it has another turn after so many milliseconds. */
  again(key: string, pause: number): void {
    const turn = this.#turns.get(key);
    if (turn === undefined) return;
    const at = this.#options.clock.monotonic() + pause;
    this.#turns.set(key, { at, failures: 0, taken: false });
  }

  /**
   * It failed, and has another turn.
   *
   * @param pause milliseconds that somebody says, or the bounds of a pause that grows with each failure.
   */
  failed(key: string, error: unknown, pause: number | BackoffOptions): void {
    const turn = this.#turns.get(key);
    if (turn === undefined) return;
    const { clock, random } = this.#options;
    const wait = typeof pause === "number"
      ? pause
      : backoffDelay(turn.failures++, { ...pause, random });
    turn.at = clock.monotonic() + wait;
    turn.error = error;
    turn.taken = false;
  }
}
