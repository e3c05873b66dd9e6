import type { Digest } from "../std/mod.ts";

/** A manifest with its bytes, whose digest was checked. */
export interface FetchedManifest {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** A blob on its way. */
export interface FetchedBlob {
  /** Bytes. */
  readonly size: number;
  readonly body: ReadableStream<Uint8Array>;
}

/** Another place to look for what the store does not have. */
export interface Upstream {
  /** For metrics and log lines: `cluster`, `peer`. */
  readonly name: string;
  /**
   * A manifest by tag or digest; `undefined` when it is not there. `ns` is the registry host that a
   * mirror request names.
   */
  manifest(
    repository: string,
    reference: string,
    ns: string | undefined,
    signal: AbortSignal,
  ): Promise<FetchedManifest | undefined>;
  /** A blob; `undefined` when it is not there. The bytes need not be verified yet. */
  blob(
    repository: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<FetchedBlob | undefined>;
}

/** What a tag means: the descriptor of its manifest. */
export interface KnownTag {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** Knows of tags that were given another meaning after the store got them. */
export interface TagBook {
  /**
   * What a tag means now, where that is known; undefined leaves it to the store and the upstreams. It
   * takes a bounded time and never rejects.
   *
   * @param ns the registry host that a mirror request names.
   * @param stored what the store says.
   */
  current(
    repository: string,
    tag: string,
    ns: string | undefined,
    stored: Digest | undefined,
  ): Promise<KnownTag | undefined>;
}

/** What the status room prints of the registry; all counters only grow. */
export interface RegistryMetrics {
  /** Requests by route (`manifests`, `blobs` …) and status code: `requests.blobs["200"]`. */
  readonly requests: Record<string, Record<string, number>>;
  /** Bytes of bodies by where they came from: `store` or an upstream's name. */
  readonly bytes: Record<string, number>;
  /** Failures of upstreams by their name; what is simply not there is no failure. */
  readonly upstreamErrors: Record<string, number>;
  /** Blob bodies that are being sent now; a gauge. */
  activeStreams: number;
}
