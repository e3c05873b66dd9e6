import { type Clock, digestOf, retry, systemClock } from "../std/mod.ts";
import {
  type PlannedBlob,
  type PlannedManifest,
  planPush,
  type PushImage,
  type PushSource,
  unusable,
} from "./push_plan.ts";
import { type Credentials, RegistryClient } from "./registry_client.ts";
import { hasBlob, refusal } from "./registry_presence.ts";

/** Uploads under way at once when the caller names no number (Zarf: --oci-concurrency 6). */
export const DEFAULT_PUSH_CONCURRENCY = 6;
/** How often one blob or manifest is tried. */
const ATTEMPTS = 6;

/** How far a push is, in bytes of blobs; what the registry had already counts as sent. */
export interface PushProgress {
  readonly bytes: number;
  readonly totalBytes: number;
}

/** How images are pushed. */
export interface PushOptions {
  readonly source: PushSource;
  /** `http://host:port`, `https://host/prefix` */
  readonly registryUrl: string;
  readonly credentials: Credentials;
  /** @default DEFAULT_PUSH_CONCURRENCY */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** For the pauses between attempts. @default the machine's */
  readonly clock?: Clock;
  /**
   * A tag that means another image there is left alone, and the image put under its digest only.
   * distribution denies a tag whose media type is not accepted, so all that may be there are named:
   * `application/vnd.oci.image.index.v1+json, …`. @default every tag gets its new meaning
   */
  readonly keepTagsOf?: string;
  /** Told of each name that means what was pushed now: `library/web:1.0`. */
  readonly onNamed?: (name: string) => void;
  readonly onProgress?: (progress: PushProgress) => void;
}

/** What a push did. */
export interface PushResult {
  readonly blobsSent: number;
  /** Those that were there, in their repository or in another one of the same push. */
  readonly blobsPresent: number;
  readonly manifestsSent: number;
}

/**
 * Brings images into a registry: all blobs that it lacks, several at once and streamed, then the
 * manifests, children before their index, each under all its names. A blob of several repositories is
 * sent once. Doing it again sends only what is missing. Every step is retried by itself, so a lost
 * connection costs one blob and not the image.
 *
 * @throws {ZarfError} `RegistryRefused` (credentials, an image that the registry does not take) or
 * `RegistryUnavailable`, after all attempts; what arrived stays and is not sent again.
 */
export async function pushImages(
  images: readonly PushImage[],
  options: PushOptions,
): Promise<PushResult> {
  const client = new RegistryClient(options.registryUrl, options.credentials);
  const push = new Push(client, options);
  const plan = await planPush(images, options.source);
  await push.blobs(plan.blobs);
  for (const manifest of plan.manifests) await push.manifest(manifest);
  return push.result();
}

/** One run of {@linkcode pushImages}: its client, its counts, its limits. */
class Push {
  readonly #client: RegistryClient;
  readonly #options: PushOptions;
  #bytes = 0;
  #totalBytes = 0;
  #blobsSent = 0;
  #blobsPresent = 0;
  #manifestsSent = 0;

  constructor(client: RegistryClient, options: PushOptions) {
    this.#client = client;
    this.#options = options;
  }

  result(): PushResult {
    return {
      blobsSent: this.#blobsSent,
      blobsPresent: this.#blobsPresent,
      manifestsSent: this.#manifestsSent,
    };
  }

  /** Sends all blobs, a limited number at once; the first failure ends the others. */
  async blobs(blobs: readonly PlannedBlob[]): Promise<void> {
    this.#totalBytes = blobs.reduce((sum, blob) => sum + blob.size, 0);
    const failed = new AbortController();
    const outer = this.#options.signal;
    const signal = outer === undefined ? failed.signal : AbortSignal.any([outer, failed.signal]);
    const queue = Map.groupBy(blobs, ({ digest }) => digest).values();
    const worker = async () => {
      for (const same of queue) await this.#everywhere(same, signal);
    };
    const workers = Math.max(1, this.#options.concurrency ?? DEFAULT_PUSH_CONCURRENCY);
    const guarded = Array.from(
      { length: Math.min(workers, blobs.length) },
      () => worker().catch((error) => failed.abort(error)),
    );
    await Promise.all(guarded);
    if (failed.signal.aborted) throw failed.signal.reason;
  }

  /** Brings one blob into all its repositories; the registry copies it from one to another. */
  async #everywhere(same: readonly PlannedBlob[], signal: AbortSignal): Promise<void> {
    let from = same.length === 1 ? undefined : await this.#repositoryWith(same, signal);
    for (const blob of same) {
      const sent = await this.#retry(() => this.#sendIfAbsent(blob, from, signal), signal);
      if (sent) this.#blobsSent++;
      else this.#blobsPresent++;
      from ??= blob.repository;
    }
  }

  async #repositoryWith(
    same: readonly PlannedBlob[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    for (const blob of same) {
      if (await this.#retry(() => hasBlob(this.#client, blob, signal), signal)) {
        return blob.repository;
      }
    }
    return undefined;
  }

  /** @param from a repository that has it (distribution-spec, "Mounting a blob"). */
  async #sendIfAbsent(
    blob: PlannedBlob,
    from: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { repository, digest } = blob;
    if (await hasBlob(this.#client, blob, signal)) {
      this.#advance(blob.size);
      return false;
    }
    const mount = from === undefined
      ? ""
      : `?mount=${encodeURIComponent(digest)}&from=${
        encodeURIComponent(this.#client.repository(from))
      }`;
    const started = await this.#client.send({
      method: "POST",
      path: this.#client.path(repository, `blobs/uploads/${mount}`),
      signal,
    });
    if (started.status === 201 && from !== undefined) {
      this.#advance(blob.size);
      return false;
    }
    const location = started.headers["location"];
    const session = location === undefined ? undefined : this.#client.locate(location);
    if (started.status !== 202 || session === undefined) {
      throw refusal(`blob ${digest}`, repository, started);
    }
    await this.#upload(blob, session, signal);
    return true;
  }

  async #upload(blob: PlannedBlob, session: string, signal: AbortSignal): Promise<void> {
    const { size, stream } = await this.#options.source.openBlob(blob.digest)
      .then((opened) => ({ size: opened.size, stream: () => opened.stream() }));
    let counted = 0;
    const counter = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        counted += chunk.length;
        this.#advance(chunk.length);
        controller.enqueue(chunk);
      },
    });
    const separator = session.includes("?") ? "&" : "?";
    try {
      const answer = await this.#client.send({
        method: "PUT",
        path: `${session}${separator}digest=${encodeURIComponent(blob.digest)}`,
        headers: { "content-type": "application/octet-stream" },
        body: { size, stream: stream().pipeThrough(counter) },
        signal,
      });
      if (answer.status !== 201) {
        throw refusal(`blob ${blob.digest}`, blob.repository, answer);
      }
    } catch (error) {
      this.#advance(-counted);
      throw error;
    }
  }

  /** Puts one manifest under one name, unless that name means it already. */
  async manifest(manifest: PlannedManifest): Promise<void> {
    await this.#retry(() => this.#name(manifest), this.#options.signal);
  }

  async #name(manifest: PlannedManifest): Promise<void> {
    const { repository, reference, digest, mediaType } = manifest;
    const { keepTagsOf, signal, source, onNamed } = this.#options;
    const path = this.#client.path(repository, `manifests/${reference}`);
    const abort = signal === undefined ? {} : { signal };
    const headers = { accept: keepTagsOf ?? mediaType };
    const found = await this.#client.send({ method: "HEAD", path, headers, ...abort });
    const isThere = found.status === 200;
    if (isThere && found.headers["docker-content-digest"] === digest) {
      return onNamed?.(`${repository}:${reference}`);
    }
    if (keepTagsOf !== undefined && reference !== digest) {
      if (isThere) return await this.#name({ ...manifest, reference: digest });
      // Who cannot say what a tag means may not be made to forget it.
      if (found.status !== 404) throw refusal(`tag ${reference}`, repository, found);
    }
    const bytes = await source.manifestBytes(digest);
    if (digestOf(bytes) !== digest) throw unusable(digest, "its bytes have another digest");
    const answer = await this.#client.send({
      method: "PUT",
      path,
      headers: { "content-type": mediaType },
      body: { size: bytes.length, stream: streamOf(bytes) },
      ...abort,
    });
    if (answer.status !== 201) throw refusal(`manifest ${digest}`, repository, answer);
    this.#manifestsSent++;
    onNamed?.(`${repository}:${reference}`);
  }

  #retry<T>(action: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const { clock = systemClock } = this.#options;
    return retry(action, {
      attempts: ATTEMPTS,
      clock,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #advance(bytes: number): void {
    this.#bytes += bytes;
    this.#options.onProgress?.({ bytes: this.#bytes, totalBytes: this.#totalBytes });
  }
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}
