import { type Clock, systemClock } from "../std/mod.ts";

/** Lets something through at most once in `interval` milliseconds. */
export class Throttle {
  readonly #interval: number;
  readonly #clock: Clock;
  #last = -Infinity;

  constructor(interval: number, clock: Clock = systemClock) {
    this.#interval = interval;
    this.#clock = clock;
  }

  /** Whether it is time again; if so, the interval starts anew. */
  due(): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#last < this.#interval) return false;
    this.#last = now;
    return true;
  }
}
