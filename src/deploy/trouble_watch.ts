import type { Clock } from "../std/mod.ts";
import type { Trouble } from "./pod_trouble.ts";

/** How long trouble that may pass (an image that cannot be pulled) is borne, in milliseconds. */
export const TROUBLE_GRACE = 90_000;
/** The same for an image that its registry does not have: it comes only if somebody brings it. */
export const MISSING_GRACE = 30_000;

/** Follows the trouble of one thing that is waited for. */
export class TroubleWatch {
  readonly #clock: Clock;
  readonly #grace: number;
  #since: number | undefined;

  /** @param grace in milliseconds */
  constructor(clock: Clock, grace = TROUBLE_GRACE) {
    this.#clock = clock;
    this.#grace = grace;
  }

  /** Whether trouble will not go away, or has been there for too long. */
  isHopeless(trouble: Trouble | undefined): boolean {
    if (trouble?.severity === "fatal") return true;
    if (trouble?.severity !== "persistent") {
      this.#since = undefined;
      return false;
    }
    this.#since ??= this.#clock.monotonic();
    const grace = trouble.imageMissing ? Math.min(this.#grace, MISSING_GRACE) : this.#grace;
    return this.#clock.monotonic() - this.#since >= grace;
  }
}
