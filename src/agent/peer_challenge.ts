import { type Clock, systemClock } from "../std/mod.ts";
import { newNonce } from "./site_key.ts";

/** Milliseconds for which a challenge is taken. */
export const CHALLENGE_TIME = 10 * 60_000;
/** Questions that are taken with one challenge; their nonces are kept meanwhile. */
export const MAX_NONCES = 4_096;

/**
 * Takes each question once. Questions carry a challenge of this process, so that no clock is needed,
 * nothing is remembered for long, and what somebody has recorded before a restart is worth nothing.
 */
export class Challenge {
  readonly #clock: Clock;
  readonly #nonces = new Set<string>();
  #text = newNonce();
  #since: number;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** What questions have to carry now. */
  get text(): string {
    const age = this.#clock.monotonic() - this.#since;
    if (age > CHALLENGE_TIME || this.#nonces.size >= MAX_NONCES) this.#renew();
    return this.#text;
  }

  /** Whether a question, which must be authentic, is asked now and for the first time. */
  take({ challenge, nonce }: { readonly challenge: string; readonly nonce: string }): boolean {
    if (challenge !== this.text || this.#nonces.has(nonce)) return false;
    this.#nonces.add(nonce);
    return true;
  }

  #renew(): void {
    this.#nonces.clear();
    this.#text = newNonce();
    this.#since = this.#clock.monotonic();
  }
}
