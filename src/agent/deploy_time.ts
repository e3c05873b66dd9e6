import * as v from "valibot";
import { type Clock, type Digest, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";

/** Milliseconds between two notes of the time that has gone. */
const NOTE_INTERVAL = 60_000;

const noteSchema = v.object({ wish: v.string(), used: v.number() });

/**
 * How long the attempts at a deployment have taken together, kept across restarts: the time of a
 * monotonic clock while an attempt runs, so neither pauses nor a clock that is set count. A power cut
 * forgets a minute at most.
 */
export class DeployTime implements Disposable {
  /** Milliseconds of the attempts before this one. */
  readonly used: number;
  readonly #records: Store["records"];
  readonly #key: string;
  readonly #wish: string;
  readonly #clock: Clock;
  readonly #began: number;
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param wish Tells one wish to deploy the package from the next, which begins at nothing. */
  constructor(
    records: Store["records"],
    digest: Digest,
    wish: string,
    clock: Clock = systemClock,
  ) {
    this.#records = records;
    this.#key = `deploy-time/${digest}`;
    this.#wish = wish;
    this.#clock = clock;
    this.#began = clock.monotonic();
    const note = v.safeParse(noteSchema, records.getValue(this.#key));
    this.used = note.success && note.output.wish === wish ? note.output.used : 0;
    this.#timer = setInterval(() => this.#note(), NOTE_INTERVAL);
  }

  /** The attempt is over. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#note();
  }

  #note(): void {
    const used = this.used + this.#clock.monotonic() - this.#began;
    try {
      this.#records.setValue(this.#key, { wish: this.#wish, used });
    } catch {
      // A full disk: the limit comes later then.
    }
  }
}
