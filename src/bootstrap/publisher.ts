import * as v from "valibot";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { KubeError, valueOfResponse } from "../kube/mod.ts";
import { digestOf, failpoint, type Logger } from "../std/mod.ts";
import type { BlobStore } from "../store/mod.ts";
import { ZARF_NAMESPACE } from "../zarf/mod.ts";
import { Pacer } from "./pacer.ts";
import { ChunkReader } from "./chunk_reader.ts";
import { ChunkSender, DIGEST_ANNOTATION } from "./chunk_sender.ts";
import {
  CHUNK_BYTES,
  chunkCount,
  chunkName,
  INDEX_NAME,
  MAX_CHUNKS,
  PAYLOAD_LABELS,
  PAYLOAD_SELECTOR,
  type PayloadIndex,
  type Seed,
} from "./payload.ts";
import { BootstrapError } from "./errors.ts";

/** The places in which a test may end the process while the payload is published. */
export const PUBLISH_FAILPOINTS = [
  "bootstrap.index",
  "bootstrap.chunk",
  "bootstrap.published",
  "bootstrap.chunk-removed",
  "bootstrap.payload-removed",
] as const;

/** What publishing reports as it goes. */
export type PublishProgress = (done: number, total: number) => void;

/**
 * Makes the cluster hold the payload of `seed`: the index, so that every agent starts to assemble,
 * then every chunk that is not there or is another one, several in flight. Where all is there nothing
 * is written, and who was killed goes on where it was.
 *
 * @throws {KubeError} when the API server refuses for another reason than load; what was published
 * stays and is used by the next attempt.
 */
export async function publishPayload(
  kube: KubeClient,
  blobs: BlobStore,
  seed: Seed,
  options: {
    readonly logger: Logger;
    readonly onProgress?: PublishProgress;
    readonly signal?: AbortSignal;
    /** Called once the index is there: whoever pulls the image from now on is made to wait. */
    readonly onIndex?: () => Promise<void>;
  },
): Promise<PayloadIndex> {
  const index = await planPayload(blobs, seed);
  const text = JSON.stringify(index);
  const found = await readIndex(kube);
  if (found === undefined) await kube.create(indexConfigMap(text));
  else if (found.data?.[INDEX_KEY] !== text) await kube.replace(indexConfigMap(text));
  failpoint("bootstrap.index");
  await options.onIndex?.();
  const there = await publishedDigests(kube);
  const missing = index.chunks.filter((chunk) => there.get(chunk.name) !== chunk.digest);
  const pacer = new Pacer({ overload: overloadOf });
  const sender = new ChunkSender(kube);
  const reader = new ChunkReader(blobs, index.blobs);
  let done = index.chunks.length - missing.length;
  await pacer.run(missing, async (chunk) => {
    await reader.use(
      index.chunks.indexOf(chunk),
      (bytes) => sender.send(chunk.name, chunk.digest, bytes),
    );
    failpoint("bootstrap.chunk");
    options.onProgress?.(++done, index.chunks.length);
  }, options.signal);
  failpoint("bootstrap.published");
  options.logger.info("seed payload published", {
    image: `${index.image.repository}:${index.image.tag}`,
    chunks: index.chunks.length,
    inFlight: pacer.limit,
  });
  return index;
}

/**
 * Takes every ConfigMap of the payload away, the index first; writes nothing if there is none. One by
 * one, because the answer to the deletion of a collection holds all of its tens of megabytes.
 */
export async function removePayload(kube: KubeClient, signal?: AbortSignal): Promise<void> {
  const names = [...(await publishedDigests(kube)).keys()];
  if (names.length === 0) return;
  const pacer = new Pacer({ overload: overloadOf });
  await kube.delete(INDEX_REF);
  await pacer.run(names, async (name) => {
    await kube.delete({ ...CONFIG_MAPS, name });
    failpoint("bootstrap.chunk-removed");
  }, signal);
  failpoint("bootstrap.payload-removed");
}

const metadataSchema = v.object({
  // Go writes an empty list as null.
  items: v.nullable(v.array(v.object({
    metadata: v.object({
      name: v.string(),
      annotations: v.optional(v.record(v.string(), v.string()), {}),
    }),
  }))),
});

/**
 * The payload's ConfigMaps and what digest each says to have; empty where it says none. Asks for
 * metadata only: the objects themselves are tens of megabytes. Followers check the bytes.
 */
async function publishedDigests(kube: KubeClient): Promise<Map<string, string>> {
  const path = `/api/v1/namespaces/${ZARF_NAMESPACE}/configmaps`;
  const response = await kube.request("GET", path, {
    query: { labelSelector: PAYLOAD_SELECTOR },
    accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
  });
  const { items } = v.parse(metadataSchema, await valueOfResponse(`GET ${path}`, response));
  return new Map(
    (items ?? []).map((
      { metadata: { name, annotations } },
    ) => [name, annotations[DIGEST_ANNOTATION] ?? ""]),
  );
}

/** The index in the cluster, if one is there. */
export async function readIndex(kube: KubeClient): Promise<ConfigMap | undefined> {
  return await kube.get<ConfigMap>(INDEX_REF);
}

/** The key of the index in its ConfigMap. */
export const INDEX_KEY = "index.json";

/** A ConfigMap as far as the payload needs it. */
export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

/** Where the payload's ConfigMaps are. */
export const CONFIG_MAPS = {
  apiVersion: "v1",
  kind: "ConfigMap",
  namespace: ZARF_NAMESPACE,
} as const;

const INDEX_REF = { ...CONFIG_MAPS, name: INDEX_NAME } as const;

/** How much a failed call says about load: 429 and the server's own timeouts. */
export function overloadOf(error: unknown): { readonly retryAfter?: number } | undefined {
  if (!(error instanceof KubeError)) return undefined;
  const busy = error.reason === "TooManyRequests" || error.reason === "Timeout" ||
    error.reason === "ServerError" || error.reason === "Unreachable";
  if (!busy) return undefined;
  return error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter };
}

async function planPayload(blobs: BlobStore, seed: Seed): Promise<PayloadIndex> {
  const total = seed.blobs.reduce((sum, blob) => sum + blob.size, 0);
  const count = chunkCount(total);
  if (count > MAX_CHUNKS) {
    throw new BootstrapError({
      reason: "SeedUnreadable",
      message: `the seed image has ${total} bytes; at most ${MAX_CHUNKS * CHUNK_BYTES} can be sent`,
      remedy: "use a registry image without anything that a registry does not need",
    });
  }
  const chunks = [];
  const reader = new ChunkReader(blobs, seed.blobs);
  for (let number = 0; number < count; number++) {
    chunks.push(
      await reader.use(number, (bytes) => ({
        name: chunkName(number),
        digest: digestOf(bytes),
        size: bytes.length,
      })),
    );
  }
  return { version: 1, image: seed.image, blobs: seed.blobs, chunks };
}

function indexConfigMap(text: string): ConfigMap {
  return {
    ...CONFIG_MAPS,
    metadata: {
      name: INDEX_NAME,
      namespace: ZARF_NAMESPACE,
      labels: { ...PAYLOAD_LABELS },
      annotations: { [DIGEST_ANNOTATION]: digestOf(text) },
    },
    data: { [INDEX_KEY]: text },
  };
}
