import * as v from "valibot";
import { type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import { CONTROL_PLANE_ENDPOINTS, RESOURCES, TalosClient } from "../talos/mod.ts";
import { ownAddresses } from "./etcd_facts.ts";
import { canonicalAddress, isEverywhere } from "./node_address.ts";
import type { PeerSource } from "./peer_images.ts";
import { ImageKey } from "./peer_question.ts";

/** Milliseconds for which what Talos said is good. */
const LOOK_AGE = 10_000;
/** Milliseconds that Talos may take for one of the questions. */
const LOOK_DEADLINE = 5_000;
/** Control planes that are asked. */
export const MAX_PEERS = 16;

const rootSchema = v.object({ token: v.string() });
const endpointSchema = v.object({ addresses: v.nullish(v.array(v.string())) });

/** What {@linkcode PeerSite} works with. */
export interface PeerSiteOptions {
  /** machined's socket. */
  readonly socket: string;
  /** What the settings say of the site's control planes, canonical addresses. */
  readonly controlPlanes: readonly string[];
  readonly logger: Logger;
  readonly clock?: Clock;
}

interface Known {
  readonly token: string;
  readonly key: ImageKey | undefined;
  readonly addresses: readonly string[];
}

/**
 * What a machine of Talos knows of its site before there is a cluster: the token that all machines of
 * the site have (Talos 1.13, OSRootSecrets.secrets.talos.dev), and where its control planes are
 * (Endpoints.kubernetes.talos.dev, made of the machine configuration, later of what Kubernetes says).
 * Where Talos does not answer, what it said last counts.
 */
export class PeerSite implements PeerSource {
  readonly #options: PeerSiteOptions;
  readonly #clock: Clock;
  #known: Known;
  #lookedAt = -Infinity;
  #looking: Promise<void> | undefined;

  constructor(options: PeerSiteOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#known = { token: "", key: undefined, addresses: options.controlPlanes };
  }

  async addresses(): Promise<readonly string[]> {
    await this.#look();
    return this.#known.addresses;
  }

  async key(): Promise<ImageKey | undefined> {
    await this.#look();
    return this.#known.key;
  }

  /** Who comes while Talos is asked waits for the same answer. */
  async #look(): Promise<void> {
    if (this.#looking === undefined) {
      if (this.#clock.monotonic() - this.#lookedAt < LOOK_AGE) return;
      this.#looking = this.#ask().finally(() => {
        this.#lookedAt = this.#clock.monotonic();
        this.#looking = undefined;
      });
    }
    await this.#looking;
  }

  async #ask(): Promise<void> {
    const { socket, controlPlanes, logger } = this.#options;
    const options = { deadline: LOOK_DEADLINE };
    try {
      using client = new TalosClient(socket);
      const [root, endpoints, own] = await Promise.all([
        client.resource(RESOURCES.osRoot, options),
        client.resources(CONTROL_PLANE_ENDPOINTS, options),
        ownAddresses(client, options),
      ]);
      const { token } = root === undefined ? { token: "" } : v.parse(rootSchema, root.spec);
      const key = token === this.#known.token ? this.#known.key : ImageKey.of(token);
      const addresses = endpoints
        .flatMap(({ spec }) => v.parse(endpointSchema, spec).addresses ?? [])
        .flatMap((address) => canonicalAddress(address) ?? []);
      this.#known = { token, key, addresses: others([...controlPlanes, ...addresses], own) };
    } catch (error) {
      // A schema's error says what was found, which may be the token.
      const text = error instanceof v.ValiError ? "an answer of another shape" : undefined;
      logger.debug(`the site's control planes are not known: ${text ?? describeError(error)}`);
    }
  }
}

function others(addresses: readonly string[], own: readonly string[]): string[] {
  return [...new Set(addresses)]
    .filter((address) => !own.includes(address) && !isEverywhere(address))
    .slice(0, MAX_PEERS);
}
