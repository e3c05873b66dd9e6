import {
  isTransient,
  type KubeClient,
  KubeError,
  type KubeObject,
  type ObjectRef,
} from "../kube/mod.ts";
import { type Clock, systemClock } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { type Health, statusOf } from "./health.ts";
import { podTrouble, type Trouble } from "./pod_trouble.ts";

/** Milliseconds between two looks at what is not ready. */
const POLL_INTERVAL = 1_000;
/** How long trouble that may pass (an image that cannot be pulled) is borne, in milliseconds. */
export const TROUBLE_GRACE = 90_000;
/** How many objects are read at once. */
const READ_CONCURRENCY = 8;
/** How many objects the message of a time-out names. */
const MAX_NAMED = 3;

/** How a wait is done. */
export interface WaitOptions {
  /** Milliseconds until it is given up. */
  readonly timeout: number;
  /** The whole limit that this wait is part of, for the message. @default `timeout` */
  readonly wholeTimeout?: number;
  /** @default {@linkcode TROUBLE_GRACE} */
  readonly troubleGrace?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Called at every look; what it throws ends the wait. */
  readonly check?: () => void;
  /** Called when what is waited for changes, in a few words: "Deployment web: 1 of 3 ready". */
  readonly onProgress?: (message: string) => void;
}

/**
 * Waits until every object is there and current (see {@linkcode statusOf}). It ends early when one
 * has failed, when a container keeps crashing, or when an image cannot be pulled and the like for
 * longer than the grace; the error names the object and what the kubelet says.
 *
 * Objects are read again and again instead of watched: a wait has few objects, and a poll cannot go
 * silent. A lost API server is borne until the time is up.
 *
 * @throws {DeployError} `NotReady`, `TimedOut` or `Cancelled`.
 */
export async function waitReady(
  kube: KubeClient,
  refs: readonly ObjectRef[],
  options: WaitOptions,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  const deadline = clock.monotonic() + options.timeout;
  const watched = refs.map((ref) => new Watched(kube, ref, clock, options));
  let said = "";
  while (true) {
    const pending = await unready(watched);
    const first = pending[0];
    if (first === undefined) return;
    options.check?.();
    if (first.text() !== said) options.onProgress?.(said = first.text());
    if (options.signal?.aborted) throw cancelled(options.signal);
    if (clock.monotonic() >= deadline) throw timedOut(pending, options);
    await clock.sleep(POLL_INTERVAL, options.signal);
  }
}

async function unready(watched: readonly Watched[]): Promise<Watched[]> {
  const queue = watched.filter((one) => !one.ready).values();
  const worker = async () => {
    for (const one of queue) await one.look();
  };
  await Promise.all(Array.from({ length: READ_CONCURRENCY }, worker));
  return watched.filter((one) => !one.ready);
}

/** One object that is waited for. */
class Watched {
  ready = false;
  readonly ref: ObjectRef;
  readonly #kube: KubeClient;
  readonly #clock: Clock;
  readonly #grace: number;
  readonly #signal: AbortSignal | undefined;
  #health: Health = { status: "NotFound", message: "not there yet" };
  #trouble: Trouble | undefined;
  #troubledSince: number | undefined;

  constructor(kube: KubeClient, ref: ObjectRef, clock: Clock, options: WaitOptions) {
    this.#kube = kube;
    this.ref = ref;
    this.#clock = clock;
    this.#grace = options.troubleGrace ?? TROUBLE_GRACE;
    this.#signal = options.signal;
  }

  /** What is missing, in a few words. */
  text(): string {
    const trouble = this.#trouble === undefined ? "" : ` (${this.#trouble.message})`;
    return `${this.ref.kind} ${this.ref.name}: ${this.#health.message}${trouble}`;
  }

  /** Reads the object once; throws when it cannot become ready. */
  async look(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      if (this.#signal?.aborted) throw cancelled(this.#signal);
      if (!isTransient(error) && !isUnknownKind(error)) throw error;
      this.#health = { status: "NotFound", message: "it cannot be read" };
      return;
    }
    if (this.#health.status === "Failed") throw this.#notReady(this.#health.message);
    if (this.#trouble?.severity === "fatal") throw this.#notReady(this.#trouble.message);
    this.#watchTrouble();
  }

  async #read(): Promise<void> {
    const abort = this.#signal === undefined ? {} : { signal: this.#signal };
    const object: KubeObject | undefined = await this.#kube.get(this.ref, abort);
    this.#health = object === undefined
      ? { status: "NotFound", message: "not there yet" }
      : statusOf(object);
    this.ready = this.#health.status === "Current";
    this.#trouble = object === undefined || this.ready
      ? undefined
      : await podTrouble(this.#kube, object, this.ref.namespace ?? "");
  }

  #watchTrouble(): void {
    if (this.#trouble?.severity !== "persistent") {
      this.#troubledSince = undefined;
      return;
    }
    this.#troubledSince ??= this.#clock.monotonic();
    if (this.#clock.monotonic() - this.#troubledSince >= this.#grace) {
      throw this.#notReady(this.#trouble.message);
    }
  }

  #notReady(why: string): DeployError {
    const { kind, name, namespace } = this.ref;
    return new DeployError({
      reason: "NotReady",
      message: `${kind} ${name} in namespace ${namespace ?? "(none)"} cannot become ready: ${why}`,
      disposition: "retry",
    });
  }
}

/** A kind whose definition is only just being registered. */
function isUnknownKind(error: unknown): boolean {
  return error instanceof KubeError && error.reason === "NotFound";
}

function timedOut(pending: readonly Watched[], options: WaitOptions): DeployError {
  const named = pending.slice(0, MAX_NAMED).map((one) => one.text()).join("; ");
  const more = pending.length > MAX_NAMED ? ` and ${pending.length - MAX_NAMED} more` : "";
  const seconds = Math.round((options.wholeTimeout ?? options.timeout) / 1000);
  return new DeployError({
    reason: "TimedOut",
    message: `not ready within ${seconds} s: ${named}${more}`,
    disposition: "retry",
  });
}

/** The error of a deployment that was told to stop. */
export function cancelled(signal: AbortSignal): DeployError {
  return new DeployError({
    reason: "Cancelled",
    message: "the deployment was stopped",
    kept: "what was deployed until then stays, and the next attempt goes on from it",
    disposition: "retry",
    cause: signal.reason,
  });
}
