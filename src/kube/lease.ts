import {
  backoffDelay,
  type Clock,
  describeError,
  type Logger,
  silentLogger,
  systemClock,
} from "../std/mod.ts";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./errors.ts";
import { microTime } from "./time.ts";
import type { KubeObject } from "./types.ts";

/** Which lease, and for whom. */
export interface LeaseOptions {
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates; whoever comes back under the same one goes on as the holder. */
  readonly identity: string;
  /** Milliseconds that others wait after the last renewal; whole seconds. @default 15_000 */
  readonly leaseDuration?: number;
  /** Ends the waiting; a lease that is held is given back with `release`. */
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** A Lease that is held and renewed. */
export interface HeldLease {
  /** Aborts once it may be somebody else's; what is done under it must stop. */
  readonly lost: AbortSignal;
  /** Whether it is surely ours at this moment. */
  readonly held: boolean;
  /** Gives it back, so that the next one need not wait. Never fails: it expires by itself. */
  release(): Promise<void>;
}

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

interface LeaseObject extends KubeObject {
  spec?: LeaseSpec;
}

const DEFAULT_DURATION = 15_000;
/** Parts of the duration (client-go's defaults are 15 s, 10 s and 2 s; fewer writes here). */
const RENEW_EVERY = 1 / 3;
const LOST_AFTER = 2 / 3;
const LOOK_EVERY = 2 / 15;

/**
 * Waits until the Lease is ours and keeps it.
 *
 * As in client-go's leader election, another's Lease counts as expired when it has not changed for
 * its duration *by our own monotonic clock*; the times in it are written, never read, because the
 * clocks of nodes may differ by years.
 *
 * @throws the signal's reason when it aborts.
 */
export async function acquireLease(client: KubeClient, options: LeaseOptions): Promise<HeldLease> {
  const candidate = new Candidate(client, options);
  await candidate.acquire();
  return new Holder(candidate, options.logger ?? silentLogger);
}

/** `raced`: it was changed in the same moment; whose it is, the next look says. */
type Attempt = "held" | "others" | "raced";

class Candidate {
  readonly duration: number;
  readonly clock: Clock;
  readonly #client: KubeClient;
  readonly #options: LeaseOptions;
  readonly #ref;
  #observed: { readonly text: string; readonly at: number } | undefined;
  /** When the request that last renewed was sent, by our monotonic clock. */
  renewedAt = -Infinity;

  constructor(client: KubeClient, options: LeaseOptions) {
    const { namespace, name, leaseDuration = DEFAULT_DURATION } = options;
    this.#client = client;
    this.#options = options;
    this.duration = Math.max(1, Math.ceil(leaseDuration / 1000)) * 1000;
    this.clock = options.clock ?? systemClock;
    this.#ref = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace, name };
  }

  async acquire(): Promise<void> {
    const { signal, logger = silentLogger, name } = this.#options;
    for (let failures = 0;;) {
      signal?.throwIfAborted();
      let pause = this.duration * LOOK_EVERY;
      try {
        if (await this.tryHold(signal) === "held") return;
        failures = 0;
      } catch (error) {
        signal?.throwIfAborted();
        logger[failures === 0 ? "warn" : "debug"]("cannot ask for the lease", {
          lease: name,
          error: describeError(error),
        });
        pause = backoffDelay(failures++);
      }
      await this.clock.sleep(pause, signal);
    }
  }

  /** Takes or renews the Lease. */
  async tryHold(signal: AbortSignal | undefined): Promise<Attempt> {
    const call = {
      timeout: this.duration * RENEW_EVERY,
      ...(signal === undefined ? {} : { signal }),
    };
    const sentAt = this.clock.monotonic();
    const found = await this.#client.get<LeaseObject>(this.#ref, call);
    if (found !== undefined && this.#isOthers(found)) return "others";
    try {
      if (found === undefined) await this.#client.create(this.#lease(undefined), call);
      else await this.#client.replace(this.#lease(found), call);
    } catch (error) {
      const second = error instanceof KubeError &&
        (error.reason === "Conflict" || error.reason === "AlreadyExists");
      if (second) return "raced";
      throw error;
    }
    this.renewedAt = sentAt;
    return "held";
  }

  /** Leaves the Lease without a holder if it is still ours. */
  async giveBack(): Promise<void> {
    const call = { timeout: this.duration * RENEW_EVERY };
    const found = await this.#client.get<LeaseObject>(this.#ref, call);
    if (found?.spec?.holderIdentity !== this.#options.identity) return;
    const { metadata, spec } = found;
    await this.#client.replace({
      ...this.#ref,
      metadata,
      spec: { ...spec, holderIdentity: "", leaseDurationSeconds: 1 },
    }, call);
  }

  #isOthers({ spec = {} }: LeaseObject): boolean {
    const { holderIdentity = "" } = spec;
    if (holderIdentity === "" || holderIdentity === this.#options.identity) return false;
    const text = JSON.stringify(spec);
    const now = this.clock.monotonic();
    if (this.#observed?.text !== text) this.#observed = { text, at: now };
    const theirs = (spec.leaseDurationSeconds ?? 0) * 1000;
    return now - this.#observed.at < Math.max(theirs, this.duration);
  }

  #lease(found: LeaseObject | undefined): LeaseObject {
    const { identity, name, namespace } = this.#options;
    const { apiVersion, kind } = this.#ref;
    const now = microTime(this.clock.now());
    const ours = found?.spec?.holderIdentity === identity;
    const transitions = found?.spec?.leaseTransitions ?? 0;
    return {
      apiVersion,
      kind,
      metadata: found?.metadata ?? { name, namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: this.duration / 1000,
        acquireTime: ours ? found?.spec?.acquireTime ?? now : now,
        renewTime: now,
        leaseTransitions: found === undefined || ours ? transitions : transitions + 1,
      },
    };
  }
}

class Holder implements HeldLease {
  readonly #candidate: Candidate;
  readonly #logger: Logger;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(candidate: Candidate, logger: Logger) {
    this.#candidate = candidate;
    this.#logger = logger;
    this.#running = Promise.all([this.#renew(), this.#guard()]);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get held(): boolean {
    return !this.#lost.signal.aborted && !this.#stop.signal.aborted && this.#left() > 0;
  }

  async release(): Promise<void> {
    const wasHeld = this.held;
    this.#stop.abort();
    await this.#running;
    if (!wasHeld) return;
    try {
      await this.#candidate.giveBack();
    } catch (error) {
      this.#logger.warn("the lease is left to expire", { error: describeError(error) });
    }
  }

  /** Milliseconds for which it is surely ours. */
  #left(): number {
    const { renewedAt, duration, clock } = this.#candidate;
    return renewedAt + duration * LOST_AFTER - clock.monotonic();
  }

  async #renew(): Promise<void> {
    const { clock, duration } = this.#candidate;
    const { signal } = this.#stop;
    let pause = duration * RENEW_EVERY;
    for (;;) {
      await clock.sleep(pause, signal);
      if (signal.aborted) return;
      try {
        const attempt = await this.#candidate.tryHold(signal);
        if (attempt === "others") return this.#lose("somebody else holds it");
        pause = duration * (attempt === "held" ? RENEW_EVERY : LOOK_EVERY);
      } catch (error) {
        if (signal.aborted) return;
        this.#logger.warn("the lease was not renewed", { error: describeError(error) });
        pause = duration * LOOK_EVERY;
      }
    }
  }

  /** The renewing may hang; the time goes on. */
  async #guard(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const left = this.#left();
      if (left <= 0) return this.#lose("it was not renewed in time");
      await this.#candidate.clock.sleep(left, signal);
    }
  }

  #lose(why: string): void {
    this.#stop.abort();
    if (this.#lost.signal.aborted) return;
    this.#lost.abort(new KubeError({ reason: "Conflict", message: `the lease is lost: ${why}` }));
  }
}
