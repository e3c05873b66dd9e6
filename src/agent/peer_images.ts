import { httpUpstream, type Send, type TransferLimits, type Upstream } from "../registry/mod.ts";
import { type Clock, HoldfastError, isDigest, type Logger, systemClock } from "../std/mod.ts";
import { hostOf } from "./node_address.ts";
import { CHALLENGE_HEADER, type ImageKey, IMAGES_PATH } from "./peer_question.ts";
import { HEX_32 } from "./site_key.ts";

/**
 * A control plane that failed is left alone for so many times as long as it was waited for: a refused
 * connection costs nothing and is tried again at once, a silent one holds others up.
 */
const AWAY_FACTOR = 2;
/** How often a question is asked: the first time, and with the challenge of the answer. */
const ATTEMPTS = 2;

/** They are near: one that takes longer is not there. */
const LIMITS: TransferLimits = { firstByte: 5_000, stall: 20_000 };
/** Images whose coming is said once. */
const MAX_SAID = 1_000;

/** Why a control plane's agent gives nothing. */
export type PeerImagesReason = "NoKey" | "Refused" | "NotAuthentic";

/** The agent on a control plane cannot be asked, or what answers is none. */
export class PeerImagesError extends HoldfastError<PeerImagesReason> {}

/** Who can be asked, and by what they know that they may answer. */
export interface PeerSource {
  /** Addresses of the site's control planes without this machine's own, the likeliest first. */
  addresses(): Promise<readonly string[]>;
  /** The site's key; undefined while Talos has no token. */
  key(): Promise<ImageKey | undefined>;
}

/** What {@linkcode peerUpstream} works with. */
export interface PeerImages {
  readonly source: PeerSource;
  /** Where their agents listen. */
  readonly port: number;
  /** Whether nothing better can be asked now. */
  readonly wanted: () => boolean;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** @default 5 s for the first byte, 20 s for a pause */
  readonly limits?: TransferLimits;
}

/** One control plane. */
interface Peer {
  readonly address: string;
  readonly upstream: Upstream;
  awayUntil: number;
  /** How it failed the last time. */
  failure: unknown;
}

/**
 * The images that the agents of the site's control planes have, one after the other: first the one
 * that had the last. One that does not answer is passed over for a while.
 */
export function peerUpstream(options: PeerImages): Upstream {
  const peers = new Peers(options);
  const said = new Set<string>();
  const say = (image: string, from: string) => {
    if (said.has(image)) return;
    if (said.size >= MAX_SAID) said.clear();
    said.add(image);
    options.logger.info("an image comes from a control plane", { image, from });
  };
  return {
    name: "control-planes",
    async manifest(repository, reference, ns, signal) {
      const ask = ({ upstream }: Peer) => upstream.manifest(repository, reference, ns, signal);
      const answer = await peers.first(ask, signal);
      if (answer !== undefined && !isDigest(reference)) {
        say(`${ns === undefined ? "" : `${ns}/`}${repository}:${reference}`, answer.address);
      }
      return answer?.found;
    },
    async blob(repository, digest, signal) {
      const ask = ({ upstream }: Peer) => upstream.blob(repository, digest, signal);
      return (await peers.first(ask, signal))?.found;
    },
  };
}

class Peers {
  readonly #options: PeerImages;
  readonly #clock: Clock;
  #peers: Peer[] = [];

  constructor(options: PeerImages) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The first answer that is one; undefined when nobody has it. @throws when one that failed may. */
  async first<T>(
    ask: (peer: Peer) => Promise<T | undefined>,
    signal: AbortSignal,
  ): Promise<{ readonly address: string; readonly found: T } | undefined> {
    if (!this.#options.wanted()) return undefined;
    let failure: unknown;
    for (const peer of await this.#present()) {
      const started = this.#clock.monotonic();
      if (started < peer.awayUntil) {
        failure = peer.failure;
        continue;
      }
      try {
        const found = await ask(peer);
        if (found === undefined) continue;
        this.#peers = [peer, ...this.#peers.filter((other) => other !== peer)];
        return { address: peer.address, found };
      } catch (error) {
        if (signal.aborted) throw error;
        const now = this.#clock.monotonic();
        peer.awayUntil = now + AWAY_FACTOR * (now - started);
        failure = peer.failure = error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }

  /** In the order in which they are asked. */
  async #present(): Promise<readonly Peer[]> {
    const addresses = await this.#options.source.addresses();
    const known = this.#peers.filter(({ address }) => addresses.includes(address));
    const added = addresses.filter((address) => known.every((peer) => peer.address !== address));
    this.#peers = [...known, ...added.map((address) => this.#peer(address))];
    return this.#peers;
  }

  #peer(address: string): Peer {
    const { source, port, limits = LIMITS } = this.#options;
    const upstream = httpUpstream({
      name: `control plane ${address}`,
      baseUrl: () => `http://${hostOf(address)}:${port}${IMAGES_PATH}`,
      send: questioner(source),
      limits,
    });
    return { address, upstream, awayUntil: -Infinity, failure: undefined };
  }
}

/** Asks with the site's key, and takes answers with it only. */
function questioner(source: PeerSource): Send {
  let challenge = "0".repeat(64);
  return async (url, init) => {
    const key = await source.key();
    if (key === undefined) throw failed("NoKey", "Talos has no token of the site yet");
    const { pathname, search } = new URL(url);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const { question, headers } = key.ask(challenge, "GET", pathname + search);
      // Compressed, it would not be what was signed.
      const own = { ...headers, "accept-encoding": "identity" };
      const response = await fetch(url, { ...init, headers: own });
      if (key.isAnswer(question, response)) return response;
      await response.body?.cancel().catch(() => {});
      const { status } = response;
      if (status !== 401) {
        throw failed("NotAuthentic", `it answers with HTTP ${status}, without this site's key`);
      }
      const next = response.headers.get(CHALLENGE_HEADER) ?? "";
      if (HEX_32.test(next)) challenge = next;
    }
    throw failed("Refused", "it does not take this machine for one of its site");
  };
}

function failed(reason: PeerImagesReason, message: string): PeerImagesError {
  return new PeerImagesError({ reason, message, disposition: "retry" });
}
