import * as v from "valibot";
import { type Digest, isDigest } from "../std/mod.ts";
import { SEED_OWNER, type Store } from "../store/mod.ts";
import { BootstrapError } from "./errors.ts";
import { type PayloadBlob, type Seed, seedSchema } from "./payload.ts";

const SEED_KEY = "seed";
/** The most bytes that a manifest of a seed image may have. */
const MANIFEST_LIMIT = 4 * 1024 * 1024;

/**
 * Makes the store know the seed image: the node registry serves it by its names from now on. Its
 * blobs must be there.
 */
export function rememberSeed(store: Store, seed: Seed): void {
  const { image, blobs } = seed;
  const { host, repository, tag, zarfTag, descriptor } = image;
  const reference = `${host}/${repository}:${tag}`;
  const named = { reference, host, repository, tag, zarfTag, descriptor };
  store.records.putImages(SEED_OWNER, [named], [descriptor], blobs);
  store.records.setValue(SEED_KEY, seed);
}

/** The seed image in the store; `undefined` when there is none or a blob of it is gone. */
export function knownSeed(store: Store): Seed | undefined {
  const value = store.records.getValue(SEED_KEY);
  if (value === undefined || value === null) return undefined;
  const parsed = v.safeParse(seedSchema, value);
  if (!parsed.success) return undefined;
  const seed = parsed.output;
  return seed.blobs.every((blob) => store.blobs.stat(blob.digest)?.size === blob.size)
    ? seed
    : undefined;
}

/**
 * The blobs of an image that a manifest in the store names, the manifest among them.
 *
 * @throws {BootstrapError} `SeedUnreadable` when it is not an image manifest.
 */
export function manifestBlobs(store: Store, manifest: Seed["image"]["descriptor"]): PayloadBlob[] {
  const bytes = store.blobs.read(manifest.digest, MANIFEST_LIMIT);
  const parsed = v.safeParse(manifestSchema, parseJson(bytes));
  if (!parsed.success) throw unreadable(`${manifest.digest} is not an image manifest`);
  const { config, layers } = parsed.output;
  const { digest, size } = manifest;
  // Layers first: they take longest, and the manifest last says that all is there.
  return unique([...layers, config, { digest, size }]);
}

const blobSchema = v.object({
  digest: v.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
});
const manifestSchema = v.object({ config: blobSchema, layers: v.array(blobSchema) });

function unique(blobs: readonly PayloadBlob[]): PayloadBlob[] {
  return [...new Map(blobs.map(({ digest, size }) => [digest, { digest, size }])).values()];
}

function parseJson(bytes: Uint8Array | undefined): unknown {
  try {
    return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function unreadable(why: string): BootstrapError {
  return new BootstrapError({
    reason: "SeedUnreadable",
    message: `the seed image cannot be used: ${why}`,
    remedy: "put the registry's OCI layout into the seed directory again",
  });
}
