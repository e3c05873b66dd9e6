import * as v from "valibot";
import { registryUrl } from "../bootstrap/mod.ts";
import type { KubeClient } from "../kube/mod.ts";
import { type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { loadState } from "../zarf/mod.ts";
import { type AdmissionTls, loadAdmissionTls } from "../admission/mod.ts";

/** Milliseconds between two looks while something is missing, and when nothing is. */
const MISSING_INTERVAL = 1_000;
const COMPLETE_INTERVAL = 60_000;

const KEY = "cluster-facts";

const factsSchema = v.object({
  registry: v.object({ url: v.string(), username: v.string(), password: v.string() }),
  tls: v.object({ ca: v.string(), cert: v.string(), key: v.string() }),
});

/**
 * What this node must know of the cluster to serve it: where the in-cluster registry is and how to
 * read from it, and the webhook's certificate.
 */
export interface Facts {
  readonly registry?: v.InferOutput<typeof factsSchema>["registry"];
  readonly tls?: AdmissionTls;
}

/**
 * Keeps the facts up to date, and in the store, so that a node that starts while no API server
 * answers serves with what it knew.
 */
export class ClusterFacts {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #facts: Facts;
  #wake = new AbortController();
  #tlsChange = new AbortController();

  constructor(store: Store, logger: Logger, clock: Clock = systemClock) {
    this.#store = store;
    this.#logger = logger;
    this.#clock = clock;
    const parsed = v.safeParse(v.partial(factsSchema), store.records.getValue(KEY));
    this.#facts = parsed.success ? compact(parsed.output) : {};
  }

  get current(): Facts {
    return this.#facts;
  }

  /** Aborts when the webhook's certificate is another one than now. */
  get tlsChanged(): AbortSignal {
    return this.#tlsChange.signal;
  }

  /** Something was just made that this node does not know yet. */
  wake(): void {
    this.#wake.abort();
  }

  /** Runs until the signal aborts. */
  async run(kube: KubeClient, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.refresh(kube);
      } catch (error) {
        this.#logger.warn(`the cluster's facts could not be read: ${describeError(error)}`);
      }
      const complete = this.#facts.registry !== undefined && this.#facts.tls !== undefined;
      const pause = complete ? COMPLETE_INTERVAL : MISSING_INTERVAL;
      await this.#clock.sleep(pause, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  /** Reads everything once. */
  async refresh(kube: KubeClient): Promise<void> {
    const state = await loadState(kube);
    const url = state === undefined ? undefined : await registryUrl(kube);
    const tls = state === undefined ? undefined : await loadAdmissionTls(kube);
    const facts = compact({
      tls,
      registry: state === undefined || url === undefined ? undefined : {
        url,
        username: state.registryInfo.pullUsername,
        password: state.registryInfo.pullPassword,
      },
    });
    if (JSON.stringify(facts) === JSON.stringify(this.#facts)) return;
    const tlsChange = JSON.stringify(facts.tls) === JSON.stringify(this.#facts.tls)
      ? undefined
      : this.#tlsChange;
    this.#facts = facts;
    this.#store.records.setValue(KEY, facts);
    if (tlsChange === undefined) return;
    this.#tlsChange = new AbortController();
    tlsChange.abort();
  }
}

function compact(facts: { [K in keyof Facts]: Facts[K] | undefined }): Facts {
  return {
    ...(facts.registry === undefined ? {} : { registry: facts.registry }),
    ...(facts.tls === undefined ? {} : { tls: facts.tls }),
  };
}
