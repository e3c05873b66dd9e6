import {
  type CallOptions,
  isTransient,
  type KubeClient,
  KubeError,
  type KubeObject,
  type ObjectRef,
} from "../kube/mod.ts";
import { type Clock, systemClock } from "../std/mod.ts";
import { atOnce } from "./at_once.ts";
import { DeployError } from "./errors.ts";
import { type Health, statusOf } from "./health.ts";
import { lookUpKind } from "./kind_lookup.ts";
import { lastWords, lastWordsOfJob } from "./last_words.ts";
import { podTrouble, type Trouble } from "./pod_trouble.ts";
import { Steadiness } from "./steadiness.ts";
import { TroubleWatch } from "./trouble_watch.ts";
import { ObjectChanges } from "./wait_changes.ts";

/** Milliseconds between two looks at what is not ready, unless a change makes one come earlier. */
const POLL_INTERVAL = 1_000;
/**
 * How often a container may be restarted that ends at once each time, where there is an earlier
 * revision to go back to and nothing else of the release is on its way.
 */
export const MAX_SHORT_RESTARTS = 2;
/** How many objects the message of a time-out names. */
const MAX_NAMED = 3;

/** How a wait is done. */
export interface WaitOptions {
  /** Milliseconds until it is given up. */
  readonly timeout: number;
  /** The whole limit that this wait is part of, for the message. @default `timeout` */
  readonly wholeTimeout?: number;
  /** How long trouble is borne, in milliseconds. @default 90 s */
  readonly troubleGrace?: number;
  /** Whether what ran before can be brought back, so that there is no use in waiting. @default false */
  readonly replaces?: boolean;
  /** How an object stands. @default {@linkcode statusOf} */
  readonly judge?: (object: KubeObject) => Health;
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
 * An object may come to be while it is waited for, and so may its kind (see {@linkcode lookUpKind}).
 * Objects are read again and again: a wait has few objects, and a poll cannot go silent. Watching
 * them only makes the next look come earlier. A lost API server is borne until the time is up.
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
  using changes = new ObjectChanges(kube, clock);
  let said = "";
  while (true) {
    const pending = await unready(watched);
    const first = pending[0];
    if (first === undefined) return;
    options.check?.();
    if (first.text() !== said) options.onProgress?.(said = first.text());
    if (options.signal?.aborted) throw cancelled(options.signal);
    const failed = pending.find((one) => one.failure !== undefined) ??
      (options.replaces === true ? crashing(pending) : undefined);
    if (failed !== undefined) throw await failed.error(watched);
    if (clock.monotonic() >= deadline) throw await timedOut(pending, watched, options);
    changes.watch(pending);
    await changes.wait(POLL_INTERVAL, options.signal);
  }
}

async function unready(watched: readonly Watched[]): Promise<Watched[]> {
  await atOnce(watched.filter((one) => !one.ready), (one) => one.look());
  return watched.filter((one) => !one.ready);
}

/**
 * One whose container ends at once again and again. What it needs may be on its way: only restarts
 * count since everything else was ready or crashed as well.
 */
function crashing(pending: readonly Watched[]): Watched | undefined {
  const settled = pending.every((one) => one.crash !== undefined);
  if (!settled) pending.forEach((one) => one.forgive());
  return settled ? pending.find((one) => one.isCrashing()) : undefined;
}

/** Kinds whose being ready is worth telling. */
const TOLD_KINDS: ReadonlySet<string> = new Set([
  ...["Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"],
]);

/** What of a release runs all the same. */
function keptOf(watched: readonly Watched[]): { readonly kept?: string } {
  const ready = watched.filter((one) => one.ready && TOLD_KINDS.has(one.ref.kind));
  if (ready.length === 0) return {};
  const names = ready.slice(0, MAX_NAMED).map(({ ref }) => `${ref.kind} ${ref.name}`).join(", ");
  const more = ready.length > MAX_NAMED ? ` and ${ready.length - MAX_NAMED} more` : "";
  return { kept: `ready: ${names}${more}` };
}

/** One object that is waited for. */
class Watched {
  ready = false;
  /** The object's `resourceVersion` when it was read last. */
  version: string | undefined;
  ref: ObjectRef;
  readonly #judge: (object: KubeObject) => Health;
  #isKindKnown = false;
  readonly #kube: KubeClient;
  readonly #troubles: TroubleWatch;
  readonly #steadiness: Steadiness | undefined;
  readonly #signal: AbortSignal | undefined;
  #health: Health = { status: "NotFound", message: "not there yet" };
  #trouble: Trouble | undefined;
  #failure: string | undefined;
  #forgiven = 0;

  constructor(kube: KubeClient, ref: ObjectRef, clock: Clock, options: WaitOptions) {
    this.#kube = kube;
    this.ref = ref;
    this.#judge = options.judge ?? statusOf;
    this.#troubles = new TroubleWatch(clock, options.troubleGrace);
    this.#steadiness = options.replaces === true ? new Steadiness(kube, clock) : undefined;
    this.#signal = options.signal;
  }

  /** What is missing, in a few words. */
  text(): string {
    const trouble = this.#trouble === undefined ? "" : ` (${this.#trouble.message})`;
    return `${this.ref.kind} ${this.ref.name}: ${this.#health.message}${trouble}`;
  }

  /** Why it cannot become ready. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Set while a container of it ends again and again. */
  get crash(): Trouble["crash"] {
    return this.#trouble?.crash;
  }

  /** Restarts until now do not count. */
  forgive(): void {
    this.#forgiven = this.crash?.restarts ?? 0;
  }

  isCrashing(): boolean {
    const { crash } = this;
    if (crash === undefined || !crash.short || !crash.ended) return false;
    return crash.restarts - this.#forgiven >= MAX_SHORT_RESTARTS;
  }

  /** Reads the object once. */
  async look(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      if (this.#signal?.aborted) throw cancelled(this.#signal);
      if (!isTransient(error) && !isUnknownKind(error)) throw error;
      this.#health = { status: "NotFound", message: "it cannot be read" };
      return;
    }
    if (this.#health.status === "Failed") this.#failure = this.#health.message;
    else if (this.#troubles.isHopeless(this.#trouble)) this.#failure = this.#trouble?.message;
  }

  async #read(): Promise<void> {
    const abort = this.#signal === undefined ? {} : { signal: this.#signal };
    const object: KubeObject | undefined = await this.#kube.get(this.ref, abort);
    this.version = object?.metadata.resourceVersion;
    this.#health = object === undefined ? await this.#absence(abort) : this.#judge(object);
    const isCurrent = this.#health.status === "Current";
    this.ready = isCurrent && await this.#isSteady(object);
    if (!isCurrent) this.#steadiness?.forget();
    this.#trouble = object === undefined || isCurrent
      ? undefined
      : await podTrouble(this.#kube, object, this.ref.namespace ?? "");
  }

  async #isSteady(object: KubeObject | undefined): Promise<boolean> {
    if (object === undefined || this.#steadiness === undefined) return true;
    return await this.#steadiness.holds(object, this.ref.namespace ?? "");
  }

  /** Why there is no such object. */
  async #absence(call: CallOptions): Promise<Health> {
    const found = this.#isKindKnown ? this.ref : await lookUpKind(this.#kube, this.ref, call);
    if (typeof found === "string") return { status: "NotFound", message: found };
    this.#isKindKnown = found !== undefined;
    this.ref = found ?? this.ref;
    return { status: "NotFound", message: "not there yet" };
  }

  /** The error that says why it cannot become ready, with what its container said last. */
  async error(all: readonly Watched[]): Promise<DeployError> {
    const { kind, name, namespace } = this.ref;
    const why = this.#failure ?? this.#trouble?.message ?? this.#health.message;
    const said = await this.lastWords();
    return new DeployError({
      reason: "NotReady",
      message: `${kind} ${name} in namespace ${namespace ?? "(none)"} cannot become ready: ` +
        `${why}${said}`,
      disposition: "retry",
      ...keptOf(all),
      ...(this.#trouble?.imageMissing ? { remedy: MISSING_REMEDY } : {}),
    });
  }

  /** What the container said last that is to blame, with a semicolon before it. */
  async lastWords(): Promise<string> {
    const { name, kind, namespace = "" } = this.ref;
    if (kind === "Job" && this.#health.status === "Failed") {
      const said = await lastWordsOfJob(this.#kube, namespace, name);
      return said === "" ? "" : `; ${said}`;
    }
    const { crash } = this;
    if (crash === undefined) return "";
    const said = await lastWords(this.#kube, { namespace, ...crash });
    return said === "" ? "" : `; it said last: ${said}`;
  }
}

const MISSING_REMEDY =
  "add the image to the images of its component and build the package again, or push it";

/** A kind whose definition is only just being registered. */
function isUnknownKind(error: unknown): boolean {
  return error instanceof KubeError && error.reason === "NotFound";
}

async function timedOut(
  pending: readonly Watched[],
  all: readonly Watched[],
  options: WaitOptions,
): Promise<DeployError> {
  const named = pending.slice(0, MAX_NAMED).map((one) => one.text()).join("; ");
  const more = pending.length > MAX_NAMED ? ` and ${pending.length - MAX_NAMED} more` : "";
  const seconds = Math.round((options.wholeTimeout ?? options.timeout) / 1000);
  const said = await pending[0]?.lastWords() ?? "";
  return new DeployError({
    reason: "TimedOut",
    message: `not ready within ${seconds} s: ${named}${more}${said}`,
    disposition: "retry",
    ...keptOf(all),
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

/** The error of a deployment whose place a newer package takes. */
export function outdated(): DeployError {
  return new DeployError({
    reason: "Cancelled",
    message: "a newer package of the same name takes its place",
    kept: "what was deployed until then stays, and the newer one goes on from it",
  });
}

/** Aborts when one of these does. */
export function anyOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}
