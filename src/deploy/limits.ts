import { DeployError } from "./errors.ts";

/** How long a deployment may take. */
export interface DeployLimits {
  /** Milliseconds for the whole deployment, all attempts at it together. */
  readonly package: number;
  /** Milliseconds that earlier attempts have used of it. @default 0 */
  readonly used?: number;
  /** Milliseconds for each component in one attempt. */
  readonly component: number;
}

/** Generous: an action alone may take six hours where it has no limit of its own. */
export const DEFAULT_LIMITS: DeployLimits = { package: 24 * 3_600_000, component: 8 * 3_600_000 };
/** The longest time that a timer takes, in milliseconds. */
const MAX_TIMER = 2 ** 31 - 1;

/** Ends a deployment whose time is up, or a component's. */
export class LimitWatch implements Disposable {
  readonly #limits: DeployLimits;
  readonly #controller = new AbortController();
  readonly #whole: ReturnType<typeof setTimeout> | undefined;

  constructor(limits: DeployLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
    const { package: limit, used = 0 } = limits;
    const what = `the deployment took longer than ${words(limit)}`;
    this.#whole = this.#timer(limit - used, what, "--package-timeout");
  }

  /** Aborts when time is up; the reason is a {@linkcode DeployError} `DeadlineExceeded`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Does the work of one component within its limit. */
  async component<T>(action: () => Promise<T>): Promise<T> {
    const { component: limit } = this.#limits;
    const timer = this.#timer(limit, `it took longer than ${words(limit)}`, "--component-timeout");
    try {
      this.signal.throwIfAborted();
      return await action();
    } finally {
      clearTimeout(timer);
    }
  }

  /** The error that time is up, in place of whatever else that looks like. */
  instead(error: unknown): unknown {
    const isTold = error instanceof DeployError && TOLD.has(error.reason);
    return this.signal.aborted && !isTold ? this.signal.reason : error;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#whole);
  }

  #timer(ms: number, message: string, flag: string): ReturnType<typeof setTimeout> | undefined {
    const reason = new DeployError({
      reason: "DeadlineExceeded",
      message: `${message}, the limit set with ${flag}`,
      remedy: "raise the limit, or mend what takes so long, and drop the package again",
    });
    if (ms > 0) return setTimeout(() => this.#controller.abort(reason), Math.min(ms, MAX_TIMER));
    this.#controller.abort(reason);
    return undefined;
  }
}

/** These say already that time is up, and more. */
const TOLD: ReadonlySet<string> = new Set(["RolledBack", "DeadlineExceeded"]);

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
  [1, "ms"],
];

/** A time in its largest whole unit: `90 min`. */
function words(ms: number): string {
  const [unit, name] = UNITS.find(([unit]) => ms % unit === 0) ?? [1, "ms"];
  return `${ms / unit} ${name}`;
}
