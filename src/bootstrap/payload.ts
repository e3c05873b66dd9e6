import * as v from "valibot";
import { type Digest, isDigest } from "../std/mod.ts";
import { BootstrapError } from "./errors.ts";

/**
 * Bytes in one payload ConfigMap. Base64 makes 683 KiB of it, well under etcd's 1.5 MiB request and
 * the API server's limits, and small enough that a retry after a 429 costs little.
 */
export const CHUNK_BYTES = 512 * 1024;
/** The largest payload that is published: 512 chunks, 256 MiB. */
export const MAX_CHUNKS = 512;
/** The ConfigMap that says what the chunks are. It is written first: readers wait for chunks. */
export const INDEX_NAME = "zarf-payload-index";
/** Zarf's label of everything that belongs to the payload (src/pkg/cluster/injector.go). */
export const PAYLOAD_LABELS: Readonly<Record<string, string>> = {
  "zarf-injector": "payload",
  "app.kubernetes.io/managed-by": "zarf",
};
/** Selects the payload and nothing else. */
export const PAYLOAD_SELECTOR = "zarf-injector=payload";

const digestSchema = v.custom<Digest>((value) => typeof value === "string" && isDigest(value));
const sizeSchema = v.pipe(v.number(), v.integer(), v.minValue(0));

const seedEntries = {
  image: v.object({
    host: v.string(),
    repository: v.string(),
    tag: v.string(),
    zarfTag: v.string(),
    descriptor: v.object({ mediaType: v.string(), digest: digestSchema, size: sizeSchema }),
  }),
  blobs: v.array(v.object({ digest: digestSchema, size: sizeSchema })),
};

/** A seed image: its names, its manifest and every blob of it, the manifest among them. */
export const seedSchema = v.object(seedEntries);
/** What is published, and what every store ends with. */
export type Seed = v.InferOutput<typeof seedSchema>;

const indexSchema = v.object({
  version: v.literal(1),
  ...seedEntries,
  chunks: v.pipe(
    v.array(v.object({ name: v.string(), digest: digestSchema, size: sizeSchema })),
    v.maxLength(MAX_CHUNKS),
  ),
});

/**
 * What a payload holds: one image, its blobs in the order in which they follow each other in the
 * byte stream, and the digest of every chunk that the stream was cut into.
 */
export type PayloadIndex = v.InferOutput<typeof indexSchema>;
/** One blob of the payload. */
export type PayloadBlob = Seed["blobs"][number];

/**
 * Reads an index that somebody published.
 *
 * @throws {BootstrapError} `PayloadInvalid` when it is not one, or does not add up.
 */
export function parseIndex(text: string): PayloadIndex {
  const parsed = v.safeParse(indexSchema, parseJson(text));
  if (!parsed.success) throw invalid(v.summarize(parsed.issues));
  const index = parsed.output;
  const blobBytes = sum(index.blobs);
  if (blobBytes !== sum(index.chunks)) {
    throw invalid(`its blobs have ${blobBytes} bytes and its chunks ${sum(index.chunks)}`);
  }
  const wrongSize = index.chunks.find((chunk, i) =>
    chunk.size > CHUNK_BYTES || (i + 1 < index.chunks.length && chunk.size !== CHUNK_BYTES)
  );
  if (wrongSize !== undefined) throw invalid(`chunk ${wrongSize.name} has ${wrongSize.size} bytes`);
  if (!index.blobs.some((blob) => blob.digest === index.image.descriptor.digest)) {
    throw invalid("the image's manifest is not among its blobs");
  }
  return index;
}

/** The name of the chunk with this number, as Zarf names them: `zarf-payload-007`. */
export function chunkName(number: number): string {
  return `zarf-payload-${String(number).padStart(3, "0")}`;
}

/** How many chunks a stream of `bytes` is cut into. */
export function chunkCount(bytes: number): number {
  return Math.ceil(bytes / CHUNK_BYTES);
}

/** A run of bytes of one blob. */
export interface Slice {
  readonly digest: Digest;
  readonly offset: number;
  readonly length: number;
}

/** The parts of blobs that make up chunk `number`, in order. */
export function chunkSlices(blobs: readonly PayloadBlob[], number: number): Slice[] {
  const from = number * CHUNK_BYTES;
  const to = from + CHUNK_BYTES;
  const slices: Slice[] = [];
  let start = 0;
  for (const blob of blobs) {
    const end = start + blob.size;
    const first = Math.max(start, from);
    const last = Math.min(end, to);
    if (last > first) {
      slices.push({ digest: blob.digest, offset: first - start, length: last - first });
    }
    start = end;
  }
  return slices;
}

/** Where in the byte stream a blob starts. */
export function blobOffset(blobs: readonly PayloadBlob[], digest: Digest): number {
  let start = 0;
  for (const blob of blobs) {
    if (blob.digest === digest) return start;
    start += blob.size;
  }
  throw invalid(`it has no blob ${digest}`);
}

function sum(parts: readonly { readonly size: number }[]): number {
  return parts.reduce((total, part) => total + part.size, 0);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid("it is not JSON", cause);
  }
}

function invalid(why: string, cause?: unknown): BootstrapError {
  return new BootstrapError({
    reason: "PayloadInvalid",
    message: `the seed payload's index cannot be used: ${why}`,
    disposition: "wait",
    ...(cause === undefined ? {} : { cause }),
  });
}
