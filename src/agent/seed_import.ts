import * as v from "valibot";
import {
  BootstrapError,
  knownSeed,
  manifestBlobs,
  rememberSeed,
  type Seed,
} from "../bootstrap/mod.ts";
import { parseImageReference, zarfTag } from "../refs/mod.ts";
import { type Digest, isDigest, type Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";

const digestSchema = v.custom<Digest>((value) => typeof value === "string" && isDigest(value));
const layoutSchema = v.object({
  manifests: v.array(v.object({
    mediaType: v.string(),
    digest: digestSchema,
    size: v.pipe(v.number(), v.integer(), v.minValue(0)),
    annotations: v.optional(v.record(v.string(), v.string()), {}),
  })),
});

/** Bytes that are read at once. */
const READ_CHUNK = 1 << 20;

/** The names under which a seed image is kept: as the store and the payload have them. */
export function seedNames(reference: string): Omit<Seed["image"], "descriptor"> {
  const parsed = parseImageReference(reference);
  const [tag, zarf] = [parsed.tag, zarfTag(parsed)];
  if (tag === undefined || zarf === undefined) throw unreadable(`${reference} has no tag`);
  return { host: parsed.host, repository: parsed.path, tag, zarfTag: zarf };
}

/** Of which image the last directory was, among the store's values. */
const DIRECTORY_KEY = "seed-directory";

/**
 * Takes the registry's image from an OCI layout directory into the store, unless it was taken before:
 * another one may have come in its place since, from an init package. The first image with a name is
 * the one.
 *
 * @throws {BootstrapError} `SeedUnreadable` when the directory holds no usable layout.
 */
export async function importSeedDirectory(
  store: Store,
  directory: string,
  logger: Logger,
): Promise<void> {
  const layout = await readLayout(directory);
  const named = layout.manifests.find((one) => referenceOf(one.annotations) !== undefined);
  const reference = referenceOf(named?.annotations ?? {});
  if (named === undefined || reference === undefined) {
    throw unreadable(`${directory}/index.json names no image`);
  }
  const descriptor = { mediaType: named.mediaType, digest: named.digest, size: named.size };
  const known = knownSeed(store)?.image.descriptor.digest;
  const isTaken = store.records.getValue(DIRECTORY_KEY) === descriptor.digest;
  if (known === descriptor.digest || (known !== undefined && isTaken)) {
    if (!isTaken) store.records.setValue(DIRECTORY_KEY, descriptor.digest);
    return;
  }
  await copyBlob(store, directory, descriptor);
  const blobs = manifestBlobs(store, descriptor);
  for (const blob of blobs) await copyBlob(store, directory, blob);
  rememberSeed(store, { image: { ...seedNames(reference), descriptor }, blobs });
  store.records.setValue(DIRECTORY_KEY, descriptor.digest);
  logger.info("the registry's image is in the store", { image: reference });
}

function referenceOf(annotations: Readonly<Record<string, string>>): string | undefined {
  return annotations["org.opencontainers.image.base.name"] ??
    annotations["org.opencontainers.image.ref.name"];
}

async function readLayout(directory: string) {
  try {
    const text = await Deno.readTextFile(`${directory}/index.json`);
    return v.parse(layoutSchema, JSON.parse(text));
  } catch (cause) {
    throw unreadable(`${directory} is not an OCI layout`, cause);
  }
}

async function copyBlob(
  store: Store,
  directory: string,
  blob: { readonly digest: Digest; readonly size: number },
): Promise<void> {
  if (store.blobs.stat(blob.digest)?.size === blob.size) return;
  const path = `${directory}/blobs/${blob.digest.replace(":", "/")}`;
  await store.blobs.write(blob.digest, blob.size, readFile(path));
}

async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path, { read: true });
  const buffer = new Uint8Array(READ_CHUNK);
  for (;;) {
    const count = await file.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

function unreadable(why: string, cause?: unknown): BootstrapError {
  return new BootstrapError({
    reason: "SeedUnreadable",
    message: `the seed image cannot be used: ${why}`,
    kept: "packages are taken in, and the registry starts when there is an image for it",
    remedy: "check --seed-dir, or drop a zarf-init package",
    disposition: "wait",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A package, as far as its images matter here. */
export interface InitPackage {
  readonly kind: string;
  readonly images: readonly {
    readonly reference: string;
    readonly descriptor: Seed["image"]["descriptor"];
  }[];
}

/**
 * Uses the registry's image of an init package as the seed, when there is no other: the image of its
 * component `zarf-seed-registry` whose repository ends in `registry` (Zarf 0.84, zarf.yaml).
 */
export function adoptInitPackage(store: Store, init: InitPackage): boolean {
  if (init.kind !== "ZarfInitConfig" || knownSeed(store) !== undefined) return false;
  const image = init.images.find((one) => /(^|\/)registry$/.test(seedNamesOrNone(one.reference)));
  if (image === undefined) return false;
  const { mediaType, digest, size } = image.descriptor;
  const descriptor = { mediaType, digest, size };
  rememberSeed(store, {
    image: { ...seedNames(image.reference), descriptor },
    blobs: manifestBlobs(store, descriptor),
  });
  return true;
}

function seedNamesOrNone(reference: string): string {
  const { path, tag } = parseImageReference(reference);
  return tag === undefined ? "" : path;
}
