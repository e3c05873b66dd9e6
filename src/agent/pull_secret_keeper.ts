import { type KubeClient, KubeError, pauseAskedBy } from "../kube/mod.ts";
import { backoffDelay, type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import { applySecret, type SecretManifest } from "../zarf/mod.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import type { Part } from "./listeners.ts";
import { PULL_SECRETS, type PullSecretName, PullSecretView } from "./pull_secret_view.ts";
import { Occasion, whenAborted } from "./signals.ts";
import { Turns } from "./turns.ts";

/** The longest wait before a namespace is written to, in milliseconds. */
const LONGEST_TURN = 300;
/** Namespaces that are written to at once; the first look may find thousands. */
const WORKERS = 4;
/** How long one write may take, in milliseconds; a webhook of somebody's may hang. */
const WRITE_TIMEOUT = 10_000;
/** The longest pause after a failure, in milliseconds. */
const MAX_PAUSE = 60_000;
/** How long a write may take to be seen, in milliseconds. */
const ECHO_TIME = 500;
/** How often a namespace is put right without a pause between, while it never stays so for long. */
const PROMPT_REPAIRS = 5;
/** After so many milliseconds without a repair a namespace has stayed right. */
const CALM = 60_000;

/** What {@linkcode PullSecretKeeper} works with. */
export interface PullSecretKeeperOptions {
  readonly kube: KubeClient;
  readonly facts: Pick<ClusterFacts, "current" | "synced" | "changed">;
  readonly part: Part;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** A number in [0, 1); a test passes its own. @default Math.random */
  readonly random?: () => number;
}

/** When a namespace was put right last, and how often in a row. */
interface Repairs {
  readonly last: number;
  readonly count: number;
}

/**
 * Keeps the pull secrets of all namespaces right: made when a namespace appears, put right when
 * credentials change or somebody changes or deletes them. While all are right nothing is written. A
 * namespace that cannot be written to does not keep the others waiting.
 */
export class PullSecretKeeper {
  readonly #options: PullSecretKeeperOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #view = new PullSecretView();
  readonly #event = new Occasion();
  readonly #turns: Turns;
  readonly #repairs = new Map<string, Repairs>();
  readonly #running = new Set<Promise<void>>();
  readonly #said = new Set<string>();
  #wrong = new Map<string, readonly SecretManifest[]>();
  #needed = 0;
  #changed = true;
  /** Nothing is written before this time, because the API server could not be reached or said so. */
  #pausedUntil = 0;
  #outages = 0;

  constructor(options: PullSecretKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#turns = new Turns({ longest: LONGEST_TURN, clock: this.#clock, random: this.#random });
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const onAbort = () => this.#event.happen();
    signal.addEventListener("abort", onAbort, { once: true });
    await Promise.all([
      this.#followFacts(signal),
      this.#followNamespaces(signal),
      ...PULL_SECRETS.map((name) => this.#followSecrets(name, signal)),
      this.#keep(signal),
    ]);
    await Promise.all(this.#running);
  }

  async #followFacts(signal: AbortSignal): Promise<void> {
    const { facts } = this.#options;
    while (!signal.aborted) {
      const { changed } = facts;
      if (facts.synced) this.#learn(() => this.#view.setFacts(facts.current));
      // What is written from now on is no quarrel about what was.
      for (const [name, { last }] of this.#repairs) this.#repairs.set(name, { last, count: 0 });
      await whenAborted(signal, changed);
    }
  }

  async #followNamespaces(signal: AbortSignal): Promise<void> {
    const ref = { apiVersion: "v1", kind: "Namespace" };
    for await (const namespaces of this.#options.kube.reflect(ref, { signal })) {
      this.#learn(() => this.#view.setNamespaces(namespaces));
    }
  }

  async #followSecrets(name: PullSecretName, signal: AbortSignal): Promise<void> {
    const ref = { apiVersion: "v1", kind: "Secret" };
    const options = { fieldSelector: `metadata.name=${name}`, signal };
    for await (const secrets of this.#options.kube.reflect(ref, options)) {
      this.#learn(() => this.#view.setSecrets(name, secrets));
    }
  }

  #learn(change: () => void): void {
    change();
    this.#changed = true;
    this.#event.happen();
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { next } = this.#event;
      if (this.#changed) this.#look();
      this.#forgetCalm();
      const pause = this.#startDue(signal);
      this.#report();
      await this.#clock.sleep(pause, next);
    }
  }

  /** Sees which namespaces are to be written to now. */
  #look(): void {
    this.#changed = false;
    const needed = this.#view.look();
    this.#needed = needed.size;
    this.#wrong = new Map([...needed].filter(([, secrets]) => secrets.length > 0));
    for (const name of this.#repairs.keys()) {
      if (!needed.has(name)) this.#repairs.delete(name);
    }
    this.#turns.arrange(new Set(this.#wrong.keys()), (name) => this.#notBefore(name));
  }

  #forgetCalm(): void {
    const now = this.#clock.monotonic();
    for (const [name, { last }] of this.#repairs) {
      if (now - last > CALM) this.#repairs.delete(name);
    }
  }

  /** Until when a namespace that was put right a moment ago is left alone. */
  #notBefore(name: string): number {
    const repairs = this.#repairs.get(name);
    if (repairs === undefined) return 0;
    return repairs.last + (repairs.count < PROMPT_REPAIRS ? ECHO_TIME : MAX_PAUSE);
  }

  /** Starts what is due, as far as there are hands; gives the milliseconds until more is. */
  #startDue(signal: AbortSignal): number {
    const paused = this.#pausedUntil - this.#clock.monotonic();
    if (paused > 0) return Math.min(CALM, Math.max(this.#turns.wait, paused));
    const { due } = this.#turns;
    while (this.#running.size < WORKERS) {
      // Agents that have thousands to do must not all do the same ones at the same time.
      const [chosen] = due.splice(Math.floor(this.#random() * due.length), 1);
      if (chosen === undefined) return Math.min(CALM, this.#turns.wait);
      this.#start(chosen, signal);
    }
    // Hands that are free again say so.
    return CALM;
  }

  #start(name: string, signal: AbortSignal): void {
    this.#turns.take(name);
    const writing = this.#write(name, signal).finally(() => {
      this.#turns.putBack(name);
      this.#running.delete(writing);
      this.#event.happen();
    });
    this.#running.add(writing);
  }

  async #write(name: string, signal: AbortSignal): Promise<void> {
    try {
      for (const secret of this.#wrong.get(name) ?? []) {
        await applySecret(this.#options.kube, secret, { signal, timeout: WRITE_TIMEOUT });
      }
      this.#outages = 0;
      this.#turns.done(name);
      // Somebody may have changed it again before the answer came.
      this.#changed ||= this.#wrong.has(name);
      const count = this.#repairs.get(name)?.count ?? 0;
      this.#repairs.set(name, { last: this.#clock.monotonic(), count: count + 1 });
    } catch (error) {
      if (!signal.aborted) this.#failed(name, error);
    }
  }

  #failed(name: string, error: unknown): void {
    const asked = pauseAskedBy(error);
    const reason = reasonOf(error);
    // Somebody else may have done it meanwhile.
    this.#changed = true;
    if (reason === "Unreachable" || reason === "TooManyRequests") {
      // It is not this namespace's failure: the others would fail as well.
      const pause = asked ?? backoffDelay(this.#outages++, { random: this.#random });
      this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock.monotonic() + pause);
      this.#turns.failed(name, error, 0);
    } else {
      this.#turns.failed(name, error, asked ?? { max: MAX_PAUSE });
    }
    if (this.#said.has(reason)) return;
    this.#said.add(reason);
    this.#options.logger.warn("pull secrets cannot be written, trying again", {
      namespace: name,
      error: describeError(error),
    });
  }

  /** Says how it is on the status page, and which reasons are gone. */
  #report(): void {
    const { part } = this.#options;
    const { failing } = this.#turns;
    const reasons = new Set(failing.map(([, error]) => reasonOf(error)));
    for (const reason of this.#said) if (!reasons.has(reason)) this.#said.delete(reason);
    const others = (count: number) => count === 0 ? "" : `, and in ${count} more`;
    const [first] = failing;
    if (first !== undefined) {
      const why = describeError(first[1]);
      part.set(false, `cannot be written in ${first[0]}${others(failing.length - 1)}: ${why}`);
      return;
    }
    const contested = [...this.#repairs].filter(([, { count }]) => count >= PROMPT_REPAIRS);
    if (contested[0] !== undefined) {
      const where = `${contested[0][0]}${others(contested.length - 1)}`;
      part.set(false, `somebody keeps changing them in ${where}; put right once a minute`);
      return;
    }
    const { obstacle } = this.#view;
    part.set(true, obstacle ?? `right in ${this.#needed - this.#wrong.size} namespaces`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof KubeError ? error.reason : String(error);
}
