import * as v from "valibot";
import type { KubeClient, KubeObject, ReflectOptions, ResourceRef } from "../kube/mod.ts";
import { type Clock, Complaints, describeError, type Logger, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import {
  CLIENT_TLS_SECRET,
  type ClientTls,
  clientTlsOf,
  ClientTlsSchema,
  isInternalRegistry,
  nodePortOf,
  REGISTRY_SERVICE,
  registryServiceOf,
  type SiteAccess,
  siteAccessOf,
  SiteAccessSchema,
  STATE_SECRET,
  stateOf,
  ZARF_NAMESPACE,
  type ZarfState,
} from "../zarf/mod.ts";
import {
  type AdmissionTls,
  type MutationPolicy,
  parseAdmissionTls,
  policyOf,
  TLS_SECRET,
} from "../admission/mod.ts";
import { Occasion, whenAborted } from "./signals.ts";

const KEY = "cluster-facts";

const factsSchema = v.partial(v.object({
  access: SiteAccessSchema,
  policy: v.picklist(["all", "labeled"]),
  clientTls: ClientTlsSchema,
  registry: v.object({ url: v.string(), username: v.string(), password: v.string() }),
  tls: v.object({ ca: v.string(), cert: v.string(), key: v.string() }),
}));

/** What this node must know of the cluster to serve it. */
export interface Facts {
  /** Where things come from, and who may read them there; absent while there is no state. */
  readonly access?: SiteAccess;
  /** What becomes of objects that nothing is said about; absent while there is no state. */
  readonly policy?: MutationPolicy;
  /** What clients of the registry show, where it asks for a certificate. */
  readonly clientTls?: ClientTls;
  /** How to read from the in-cluster registry by plain HTTP: `http://<cluster IP>:5000`. */
  readonly registry?: {
    readonly url: string;
    readonly username: string;
    readonly password: string;
  };
  /** The webhook's certificate. */
  readonly tls?: AdmissionTls;
}

/** The objects that the facts are made from; all are in namespace `zarf`. */
const OBJECTS = {
  state: { kind: "Secret", name: STATE_SECRET },
  tls: { kind: "Secret", name: TLS_SECRET },
  clientTls: { kind: "Secret", name: CLIENT_TLS_SECRET },
  service: { kind: "Service", name: REGISTRY_SERVICE },
} as const;

/** Milliseconds between two attempts to keep facts that the disk did not take. */
export const KEEP_INTERVAL = 15_000;

type Source = keyof typeof OBJECTS;
const SOURCES = Object.keys(OBJECTS) as Source[];
/** Of them, what a node that only serves has to know. */
const READER_SOURCES: readonly Source[] = ["state", "service"];

/**
 * Follows the facts, and keeps them in the store, so that a node that starts while no API server
 * answers serves with what it knew. What cannot be read (a state that is none) changes nothing; when
 * the state is gone, so are the facts.
 */
export class ClusterFacts {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #seen = new Map<Source | "services", readonly KubeObject[]>();
  readonly #complaints: Complaints;
  #facts: Facts;
  #synced = false;
  #isKept = true;
  #needsServices = false;
  readonly #change = new Occasion();
  readonly #tlsChange = new Occasion();
  readonly #needChange = new Occasion();
  #sources: readonly Source[] = SOURCES;

  constructor(store: Store, logger: Logger, clock: Clock = systemClock) {
    this.#store = store;
    this.#clock = clock;
    this.#complaints = new Complaints((text) => logger.warn(text));
    const parsed = v.safeParse(factsSchema, store.records.getValue(KEY));
    this.#facts = parsed.success ? parsed.output as Facts : {};
  }

  get current(): Facts {
    return this.#facts;
  }

  /** Whether the API server has said since the start that the facts are so. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Aborts when the facts are others than now, or {@linkcode synced} becomes true. */
  get changed(): AbortSignal {
    return this.#change.next;
  }

  /** Aborts when the webhook's certificate is another one than now. */
  get tlsChanged(): AbortSignal {
    return this.#tlsChange.next;
  }

  /**
   * Runs until the signal aborts.
   *
   * @param readerState Name of a Secret with the readers' part of the state, for who may read no more;
   * nothing is learned then but how to serve.
   */
  async run(kube: KubeClient, signal: AbortSignal, readerState?: string): Promise<void> {
    this.#seen.clear();
    this.#sources = readerState === undefined ? SOURCES : READER_SOURCES;
    await Promise.all([
      ...this.#sources.map((source) => {
        const { kind } = OBJECTS[source];
        const name = source === "state" ? readerState ?? STATE_SECRET : OBJECTS[source].name;
        const ref = { apiVersion: "v1", kind, namespace: ZARF_NAMESPACE };
        return this.#follow(kube, source, ref, { fieldSelector: `metadata.name=${name}`, signal });
      }),
      this.#followServices(kube, signal),
      this.#keepLate(signal),
    ]);
  }

  /** A disk that does not take them must not keep anybody from serving by them. */
  #keep(): void {
    try {
      this.#store.records.setValue(KEY, this.#facts);
      this.#isKept = true;
      this.#complaints.settle("disk");
    } catch (error) {
      this.#isKept = false;
      const why = describeError(error);
      this.#complaints.say(`the cluster's facts are not kept for the next start: ${why}`, "disk");
    }
  }

  async #keepLate(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(KEEP_INTERVAL, signal);
      if (!this.#isKept && !signal.aborted) this.#keep();
    }
  }

  async #follow(
    kube: KubeClient,
    source: Source | "services",
    ref: ResourceRef,
    options: ReflectOptions,
  ): Promise<void> {
    for await (const snapshot of kube.reflect(ref, options)) {
      this.#seen.set(source, [...snapshot.values()]);
      this.#learn();
    }
  }

  /** While the registry may be any Service with a node port, all of them are followed. */
  async #followServices(kube: KubeClient, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const turned = whenAborted(signal, this.#needChange.next);
      if (this.#needsServices) {
        const stop = new AbortController();
        void turned.then(() => stop.abort());
        const ref = { apiVersion: "v1", kind: "Service" };
        await this.#follow(kube, "services", ref, { signal: stop.signal });
        this.#seen.delete("services");
      }
      await turned;
    }
  }

  /** Makes the facts anew from all that was seen, once everything was. */
  #learn(): void {
    const [secret] = this.#seen.get("state") ?? [];
    for (const source of this.#sources) {
      if (!this.#seen.has(source)) return;
    }
    const state = secret && this.#parsed("state", () => stateOf(secret));
    if (secret !== undefined && state === undefined) return;
    this.#need(
      this.#sources === SOURCES && state !== undefined && !isInternalRegistry(state) &&
        nodePortOf(state.registryInfo.address) !== undefined,
    );
    if (this.#needsServices && !this.#seen.has("services")) return;
    this.#set(state === undefined ? {} : this.#factsOf(state));
  }

  #factsOf(state: ZarfState): Facts {
    const services = this.#seen.get(this.#needsServices ? "services" : "service") ?? [];
    const access = siteAccessOf(state, registryServiceOf(state, services));
    const { clusterAddress, isInternal, usesMtls, pullUsername, pullPassword } = access.registry;
    const [tlsSecret] = this.#seen.get("tls") ?? [];
    const tls = tlsSecret &&
      (this.#parsed("tls", () => parseAdmissionTls(tlsSecret)) ?? this.#facts.tls);
    const clientTls = usesMtls ? clientTlsOf(this.#seen.get("clientTls")?.[0]) : undefined;
    const isReadable = isInternal && !usesMtls && clusterAddress !== undefined;
    return {
      access,
      policy: policyOf(state.agentMutationPolicy),
      ...(clientTls === undefined ? {} : { clientTls }),
      ...(isReadable
        ? {
          registry: {
            url: `http://${clusterAddress}`,
            username: pullUsername,
            password: pullPassword,
          },
        }
        : {}),
      ...(tls === undefined ? {} : { tls }),
    };
  }

  /** What `parse` makes of an object; undefined when it is something else, which is said once. */
  #parsed<T>(source: Source, parse: () => T): T | undefined {
    try {
      const parsed = parse();
      this.#complaints.settle(source);
      return parsed;
    } catch (error) {
      this.#complaints.say(
        `the cluster's facts stay as they were: ${describeError(error)}`,
        source,
      );
      return undefined;
    }
  }

  #need(services: boolean): void {
    if (services === this.#needsServices) return;
    this.#needsServices = services;
    this.#needChange.happen();
  }

  #set(facts: Facts): void {
    const before = this.#facts;
    const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
    const different = differs(facts, before);
    if (!different && this.#synced) return;
    this.#synced = true;
    if (different) {
      this.#facts = facts;
      this.#keep();
    }
    if (differs(facts.tls, before.tls)) this.#tlsChange.happen();
    this.#change.happen();
  }
}
