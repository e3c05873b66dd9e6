import * as v from "valibot";
import { type Digest, isDigest } from "../std/mod.ts";
import type { BlobStore } from "./blobs.ts";
import { MAX_MANIFEST } from "./source.ts";
import type { BlobReference } from "./types.ts";

/** How deep indexes may stand in indexes. */
const MAX_DEPTH = 4;

const descriptorSchema = v.object({
  digest: v.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
});
/** An image manifest or an index, OCI's or Docker's. */
const manifestSchema = v.object({
  config: v.optional(descriptorSchema),
  layers: v.optional(v.nullable(v.array(descriptorSchema))),
  manifests: v.optional(v.nullable(v.array(descriptorSchema))),
});

/**
 * The configs and layers of the image `digest`, each once; of an index, those of all its images.
 * Manifests are not among them. What the store does not have (layers that may not be handed on,
 * platforms that were left out) is left out.
 */
export function imageBlobs(blobs: BlobStore, digest: Digest): BlobReference[] {
  const found = new Map<Digest, BlobReference>();
  collect(blobs, digest, MAX_DEPTH, found);
  return [...found.values()];
}

function collect(
  blobs: BlobStore,
  digest: Digest,
  depth: number,
  found: Map<Digest, BlobReference>,
): void {
  const bytes = blobs.read(digest, MAX_MANIFEST);
  if (bytes === undefined || depth === 0) return;
  const manifest = parse(bytes);
  for (const { digest, size } of [...manifest?.layers ?? [], ...[manifest?.config ?? []].flat()]) {
    if (blobs.stat(digest)?.size === size) found.set(digest, { digest, size });
  }
  for (const child of manifest?.manifests ?? []) collect(blobs, child.digest, depth - 1, found);
}

function parse(bytes: Uint8Array): v.InferOutput<typeof manifestSchema> | undefined {
  try {
    const parsed = v.safeParse(manifestSchema, JSON.parse(new TextDecoder().decode(bytes)));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}
