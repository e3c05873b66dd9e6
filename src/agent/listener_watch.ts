import type { Clock } from "../std/mod.ts";
import type { Part } from "./listeners.ts";

/** Milliseconds for which a listener may be closed and still be counted on. */
const CLOSED_LIMIT = 5_000;
/** Milliseconds between two looks at it. */
const LOOK_INTERVAL = 1_000;

/** Whether a listener of the agent can be counted on: it is open, or was a moment ago. */
export class ListenerWatch {
  readonly #listener: Part;
  readonly #clock: Clock;
  #closedSince: number | undefined;

  constructor(listener: Part, clock: Clock) {
    this.#listener = listener;
    this.#clock = clock;
  }

  /** Whether it can be counted on, by the last look. */
  get canServe(): boolean {
    return this.#closedSince === undefined ||
      this.#clock.monotonic() - this.#closedSince < CLOSED_LIMIT;
  }

  /** Tells when it opens, and when it has been closed for too long, until the signal aborts. */
  async run(changed: () => void, signal: AbortSignal): Promise<void> {
    let served = true;
    while (!signal.aborted) {
      if (this.#listener.ok) this.#closedSince = undefined;
      else this.#closedSince ??= this.#clock.monotonic();
      if (this.canServe !== served) changed();
      served = this.canServe;
      await this.#clock.sleep(LOOK_INTERVAL, signal);
    }
  }
}
