import { errorOfResponse, type KubeClient } from "../kube/mod.ts";
import { type Clock, digestOf, type Logger, systemClock } from "../std/mod.ts";
import type { BlobStore } from "../store/mod.ts";
import { BootstrapError } from "./errors.ts";
import { blobOffset, CHUNK_BYTES, type PayloadBlob, type PayloadIndex } from "./payload.ts";
import { ZARF_NAMESPACE } from "../zarf/mod.ts";
import { decodeChunk } from "./chunk_decode.ts";

/** How many chunks are fetched ahead of the one that is written. */
const READ_AHEAD = 3;
/** How long a chunk may take to be published, in milliseconds. */
const CHUNK_TIMEOUT = 60_000;
/** Milliseconds between two looks at a chunk that is not there yet. */
const CHUNK_INTERVAL = 250;

/** What assembling needs beside the payload. */
export interface AssembleOptions {
  readonly logger: Logger;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/**
 * Puts the payload's image into this node's store: fetches the chunks of the blobs that are missing,
 * verifies each chunk and each blob, and writes them as every blob is written. Does nothing for what
 * is there already.
 *
 * @throws {BootstrapError} `PayloadIncomplete` when a chunk is gone or is not what the index says;
 * the blobs that were whole are kept.
 */
export async function assemblePayload(
  kube: KubeClient,
  blobs: BlobStore,
  index: PayloadIndex,
  options: AssembleOptions,
): Promise<void> {
  const missing = index.blobs.filter((blob) => blobs.stat(blob.digest) === undefined);
  if (missing.length === 0) return;
  const chunks = new ChunkFetcher(kube, index, options);
  for (const blob of missing) {
    options.signal?.throwIfAborted();
    await blobs.write(blob.digest, blob.size, blobBytes(chunks, index, blob));
  }
  options.logger.info("seed image assembled", {
    image: `${index.image.repository}:${index.image.tag}`,
    blobs: missing.length,
  });
}

async function* blobBytes(
  chunks: ChunkFetcher,
  index: PayloadIndex,
  blob: PayloadBlob,
): AsyncGenerator<Uint8Array> {
  const start = blobOffset(index.blobs, blob.digest);
  const end = start + blob.size;
  for (let at = start; at < end;) {
    const number = Math.floor(at / CHUNK_BYTES);
    const chunk = await chunks.read(number);
    const from = at - number * CHUNK_BYTES;
    const part = chunk.subarray(from, Math.min(chunk.length, end - number * CHUNK_BYTES));
    yield part;
    at += part.length;
  }
}

/** Fetches chunks in order, some ahead, and keeps only those that are still to be used. */
class ChunkFetcher {
  readonly #kube: KubeClient;
  readonly #index: PayloadIndex;
  readonly #signal: AbortSignal | undefined;
  readonly #clock: Clock;
  readonly #fetched = new Map<number, Promise<Uint8Array>>();
  /** One for each chunk that is kept; which one follows from the chunk's number. */
  readonly #buffers = Array.from({ length: READ_AHEAD + 1 }, () => new Uint8Array(CHUNK_BYTES));

  constructor(kube: KubeClient, index: PayloadIndex, options: AssembleOptions) {
    this.#kube = kube;
    this.#index = index;
    this.#signal = options.signal;
    this.#clock = options.clock ?? systemClock;
  }

  /** The chunk's bytes; valid until a chunk that comes READ_AHEAD + 1 later is asked for. */
  read(number: number): Promise<Uint8Array> {
    for (const kept of this.#fetched.keys()) if (kept < number) this.#fetched.delete(kept);
    const last = Math.min(number + READ_AHEAD, this.#index.chunks.length - 1);
    for (let next = number; next <= last; next++) {
      if (this.#fetched.has(next)) continue;
      const fetched = this.#fetch(next);
      // A chunk that was fetched ahead and failed is reported when it is read, not before.
      fetched.catch(() => {});
      this.#fetched.set(next, fetched);
    }
    return this.#fetched.get(number) ?? this.#fetch(number);
  }

  async #fetch(number: number): Promise<Uint8Array> {
    const chunk = this.#index.chunks[number];
    if (chunk === undefined) throw incomplete(`it has no chunk ${number}`);
    const buffer = this.#buffers[number % this.#buffers.length] ?? new Uint8Array(CHUNK_BYTES);
    const deadline = this.#clock.monotonic() + CHUNK_TIMEOUT;
    for (;;) {
      this.#signal?.throwIfAborted();
      const bytes = await this.#get(chunk.name, buffer);
      if (bytes !== undefined && digestOf(bytes) === chunk.digest) return bytes;
      if (this.#clock.monotonic() >= deadline) {
        const what = bytes === undefined ? "is not there" : "is not what the index says";
        throw incomplete(`ConfigMap ${chunk.name} ${what}`);
      }
      await this.#clock.sleep(CHUNK_INTERVAL, this.#signal);
    }
  }

  async #get(name: string, into: Uint8Array): Promise<Uint8Array | undefined> {
    const path = `/api/v1/namespaces/${ZARF_NAMESPACE}/configmaps/${name}`;
    const response = await this.#kube.request("GET", path, {
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    const body = await response.bytes();
    if (response.ok) return decodeChunk(body, name, into);
    if (response.status === 404) return undefined;
    throw errorOfResponse(`GET ${path}`, response.status, null, undefined);
  }
}

function incomplete(why: string): BootstrapError {
  return new BootstrapError({
    reason: "PayloadIncomplete",
    message: `the seed payload cannot be assembled: ${why}`,
    kept: "the parts that were whole are kept",
    disposition: "retry",
  });
}
