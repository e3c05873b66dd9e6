import {
  backoffDelay,
  type Clock,
  Complaints,
  describeError,
  dispositionOf,
  HoldfastError,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import type { PackageRecord, Store } from "../store/mod.ts";
import { differs, type Elsewhere, READY } from "./elsewhere.ts";
import { planPackages } from "./plan.ts";

/** Milliseconds between two looks when nobody calls. */
export const IDLE_INTERVAL = 30_000;
/** The longest pause after a failure that may pass, in milliseconds. */
export const MAX_RETRY_PAUSE = 30_000;

/**
 * How often a package is tried whose objects were applied and did not become ready, or whose actions,
 * files or data failed. What the cluster is to blame for (no answer, no lease) is tried for ever.
 */
export const MAX_ATTEMPTS = 3;
/** The failures that {@linkcode MAX_ATTEMPTS} counts. */
const COUNTED: ReadonlySet<string> = new Set([
  "NotReady",
  "TimedOut",
  "ObjectRefused",
  "HookFailed",
  "ActionFailed",
  "FileFailed",
  "InjectionFailed",
]);

/** What the reconciler does with a package; each is safe to do again. */
export interface PackageActions {
  /**
   * Runs `work` while this node may write to the cluster: reaches it, holds the lease, brings up the
   * registry. Throws when that cannot be had now.
   */
  lead(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
  /**
   * Deploys one package and returns when everything in it is ready.
   *
   * @param newer A newer package of the name was accepted: there is no use in waiting for this one.
   */
  deploy(record: PackageRecord, signal: AbortSignal, newer: AbortSignal): Promise<void>;
  /** What others have made of a package that was Ready, if that can be seen now; it only reads. */
  elsewhere(record: PackageRecord, signal: AbortSignal): Promise<Elsewhere | undefined>;
  /** Whether the cluster surely lacks something of a package that was Ready; it only reads. */
  damaged(record: PackageRecord, signal: AbortSignal): Promise<boolean>;
  /** Brings back what {@linkcode damaged} found missing. */
  repair(record: PackageRecord, signal: AbortSignal): Promise<void>;
}

/** What {@linkcode Reconciler} works with. */
export interface ReconcilerOptions {
  readonly store: Store;
  readonly actions: PackageActions;
  readonly logger: Logger;
  /** Told after the state, the message or a component of a package has changed. */
  readonly onChange: () => void;
  readonly clock?: Clock;
}

/**
 * Closes the gap between the packages that were accepted and what runs in the cluster. It looks at
 * all of them each time, does what {@linkcode planPackages} says, and records where each stands;
 * `wake` only makes the next look come earlier.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #clock: Clock;
  #wake: AbortController = new AbortController();
  readonly #attempts = new Map<string, number>();
  #said = "";
  readonly #refusals: Complaints;
  /** What is being deployed, and what tells that a newer package has come. */
  #current: { readonly record: PackageRecord; readonly newer: AbortController } | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#refusals = new Complaints((text) => options.logger.warn(text));
  }

  /** There may be something to do. */
  wake(): void {
    this.#wake.abort();
    const current = this.#current;
    if (current === undefined || current.newer.signal.aborted) return;
    const { digest } = current.record;
    if (this.#plan().supersede.some((one) => one.digest === digest)) current.newer.abort();
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const error = await this.#attempt(signal);
      failures = error === undefined ? 0 : failures + 1;
      const pause = error === undefined
        ? IDLE_INTERVAL
        : backoffDelay(failures - 1, { initial: 1_000, max: MAX_RETRY_PAUSE });
      await this.#clock.sleep(pause, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  async #attempt(signal: AbortSignal): Promise<unknown> {
    try {
      await this.reconcile(signal);
      return undefined;
    } catch (error) {
      if (!signal.aborted) this.#tryTelling(error);
      return error;
    }
  }

  /**
   * One look: supersedes what is no longer wanted and deploys what is not deployed, if anything.
   *
   * @throws what kept it from working at all (no cluster, no lease, no registry); what is wrong with
   * one package is recorded with that package.
   */
  async reconcile(signal: AbortSignal): Promise<void> {
    await this.#lookElsewhere(signal);
    this.#supersede();
    const toDeploy = this.#plan().deploy.length > 0;
    // Whoever waits to be deployed is not kept waiting for a look at what is deployed.
    const damaged = toDeploy ? [] : await this.#damaged(signal);
    if (!toDeploy && damaged.length === 0) return;
    await this.#options.actions.lead(async (leading) => {
      for (const record of damaged) await this.#repair(record, leading);
      const failed = new Set<string>();
      for (;;) {
        const next = this.#plan().deploy.find((record) => !failed.has(record.digest));
        if (next === undefined) break;
        if (!await this.#deploy(next, leading)) failed.add(next.digest);
        this.#supersede();
      }
      if (failed.size > 0) throw new PackagesPending(failed.size);
    }, signal);
  }

  /** What somebody removed is not brought back, and what took a package's place is left alone. */
  async #lookElsewhere(signal: AbortSignal): Promise<void> {
    const { store, actions, logger, onChange } = this.#options;
    for (const record of store.records.listPackages()) {
      if (record.state !== "ready") continue;
      const now = await actions.elsewhere(record, signal);
      if (now === undefined || !differs(record, now)) continue;
      const { state, ...outcome } = now;
      store.records.setPackageState(record.digest, state, outcome);
      logger.info(`package ${record.name}: ${now.message}`, { reason: now.reason });
      onChange();
    }
  }

  async #damaged(signal: AbortSignal): Promise<PackageRecord[]> {
    const { store, actions } = this.#options;
    const damaged: PackageRecord[] = [];
    for (const record of store.records.listPackages()) {
      if (record.state !== "ready") continue;
      if (await actions.damaged(record, signal)) damaged.push(record);
    }
    return damaged;
  }

  async #repair(record: PackageRecord, signal: AbortSignal): Promise<void> {
    const { logger, actions } = this.#options;
    logger.warn("the cluster lost a part of a package; it is brought back", {
      package: record.name,
    });
    await actions.repair(record, signal);
  }

  #plan() {
    return planPackages(this.#options.store.records.listPackages());
  }

  #supersede(): void {
    const { store, onChange } = this.#options;
    const plan = this.#plan();
    for (const record of plan.supersede) {
      store.records.setPackageState(record.digest, "superseded", {
        reason: "Superseded",
        message: `a newer package of the name ${record.name} took its place`,
      });
    }
    if (plan.supersede.length > 0) onChange();
  }

  /** Says whether the package is settled, for good or bad. */
  async #deploy(record: PackageRecord, signal: AbortSignal): Promise<boolean> {
    const { store, logger, actions, onChange } = this.#options;
    const set = (state: PackageRecord["state"], reason: string, message: string) => {
      store.records.setPackageState(record.digest, state, { reason, message });
      onChange();
    };
    set("deploying", "Deploying", "the package is being deployed");
    const newer = new AbortController();
    this.#current = { record, newer };
    try {
      await actions.deploy(record, signal, newer.signal);
      set("ready", READY.reason, READY.message);
      logger.info("package ready", { package: record.name, version: record.version });
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      // Whatever it came to: the newer one is next.
      if (newer.signal.aborted) return true;
      const reason = error instanceof HoldfastError ? error.reason : "DeployFailed";
      const terminal = dispositionOf(error) === "terminal" || this.#isLastAttempt(record, reason);
      const text = describeError(error);
      logger.warn(`deployment failed: ${text}`, { package: record.name, reason, terminal });
      if (reason === "RolledBack") set("rolled-back", reason, text);
      else if (terminal) set("failed", reason, text);
      else set("deploying", reason, `${text}; it is tried again`);
      return terminal;
    } finally {
      this.#current = undefined;
    }
  }

  /** A full disk is one of the reasons to wait, and may keep them from being recorded. */
  #tryTelling(error: unknown): void {
    try {
      this.#waiting(error);
      this.#refusals.settle();
    } catch (refusal) {
      this.#refusals.say(`nothing can be recorded: ${describeError(refusal)}`);
    }
  }

  #isLastAttempt({ digest, sequence }: PackageRecord, reason: string): boolean {
    if (!COUNTED.has(reason)) return false;
    const key = `${sequence} ${digest}`;
    const attempts = (this.#attempts.get(key) ?? 0) + 1;
    if (attempts >= MAX_ATTEMPTS) this.#attempts.delete(key);
    else this.#attempts.set(key, attempts);
    return attempts >= MAX_ATTEMPTS;
  }

  /** Tells every package that waits why it does. */
  #waiting(error: unknown): void {
    if (error instanceof PackagesPending) return;
    const { store, logger, onChange } = this.#options;
    const reason = error instanceof HoldfastError ? error.reason : "ClusterUnavailable";
    const why = describeError(error);
    if (this.#said !== why) logger.info(`waiting for the cluster: ${why}`, { reason });
    this.#said = why;
    for (const record of this.#plan().deploy) {
      // Pulled before there is a cluster, they may be what it starts from.
      const serves = store.records.images(record.digest).length > 0
        ? ", its images are served on this node"
        : "";
      const message = `waiting for the cluster${serves}: ${why}`;
      store.records.setPackageState(record.digest, record.state, { reason, message });
    }
    onChange();
  }
}

/** Some packages are to be tried again; each says so itself. */
class PackagesPending extends HoldfastError<"PackagesPending"> {
  constructor(count: number) {
    super({
      reason: "PackagesPending",
      message: `${count} packages are tried again`,
      disposition: "retry",
    });
  }
}
