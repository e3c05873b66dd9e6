import type { Clock } from "../std/mod.ts";
import { judgeCompany } from "./etcd_agreement.ts";
import type { EtcdFacts } from "./etcd_facts.ts";
import { askPeer } from "./etcd_peers.ts";

/** Milliseconds between two questions: nothing depends on the answers. */
const INTERVAL = 10_000;

/** What {@linkcode EtcdCompany} works with. */
export interface EtcdCompanyOptions {
  /** The site's control planes, canonical addresses. */
  readonly controlPlanes: readonly string[];
  /** Where the agents of the others listen. */
  readonly peerPort: number;
  readonly clock: Clock;
}

/**
 * Whom a control plane that does not begin the cluster itself misses, so that each one's page names
 * who is awaited.
 */
export class EtcdCompany {
  readonly #options: EtcdCompanyOptions;
  #missing: string | undefined;
  #askedAt = -Infinity;

  constructor(options: EtcdCompanyOptions) {
    this.#options = options;
  }

  /** Who is not there or has other settings, and what to do; undefined when all are there. */
  async missing(
    { siteSecret, addresses }: Pick<EtcdFacts, "siteSecret" | "addresses">,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { controlPlanes, peerPort, clock } = this.#options;
    const now = clock.monotonic();
    if (siteSecret === undefined || now - this.#askedAt < INTERVAL) return this.#missing;
    this.#askedAt = now;
    const others = controlPlanes.filter((address) => !addresses.includes(address));
    const answers = await Promise.all(
      others.map((address) => askPeer(address, peerPort, siteSecret, signal)),
    );
    const objection = judgeCompany(answers, controlPlanes);
    this.#missing = objection?.kind === "wait" ? objection.text : undefined;
    return this.#missing;
  }
}
