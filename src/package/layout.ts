import { type Digest, isDigest } from "../std/mod.ts";
import * as v from "valibot";
import { packageError } from "./errors.ts";
import { LAYOUT_FILES } from "./entries.ts";
import { estimateValues, isRecord } from "./json.ts";
import type { Limits } from "./limits.ts";
import type { Descriptor } from "./types.ts";

const digest = v.custom<Digest>(
  (value) => typeof value === "string" && isDigest(value),
  "is not a sha256 digest",
);

const annotations = v.exactOptional(v.nullable(v.record(v.string(), v.string())));

const descriptorSchema = v.object({
  mediaType: v.optional(v.string(), ""),
  digest,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  annotations,
});
/** A descriptor as it is written. */
export type RawDescriptor = v.InferOutput<typeof descriptorSchema>;

const INDEX_TYPES: readonly string[] = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFEST_TYPES: readonly string[] = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.artifact.manifest.v1+json",
];

function typeBut(others: readonly string[]) {
  return v.pipe(
    v.string(),
    v.check((type) => !others.includes(type), "is not the type that this document is named by"),
  );
}

/** What only the other kind of document has; containerd refuses one that could be both. */
const elsewhere = v.exactOptional(
  v.nullable(
    v.pipe(v.array(v.unknown()), v.maxLength(0, "has no place in a document of this type")),
  ),
);

const indexSchema = v.object({
  schemaVersion: v.literal(2),
  mediaType: v.optional(typeBut(MANIFEST_TYPES), ""),
  layers: elsewhere,
  artifactType: v.optional(v.string(), ""),
  manifests: v.nullable(v.array(descriptorSchema)),
  subject: v.exactOptional(v.nullable(descriptorSchema)),
  annotations,
});

/** Image manifests of OCI and of Docker, and OCI's former artifact manifest (`blobs`). */
const manifestSchema = v.object({
  schemaVersion: v.exactOptional(v.literal(2)),
  mediaType: v.optional(typeBut(INDEX_TYPES), ""),
  manifests: elsewhere,
  artifactType: v.optional(v.string(), ""),
  config: v.exactOptional(descriptorSchema),
  layers: v.optional(v.nullable(v.array(descriptorSchema)), []),
  blobs: v.optional(v.nullable(v.array(descriptorSchema)), []),
  subject: v.exactOptional(v.nullable(descriptorSchema)),
  annotations,
});

const layoutSchema = v.object({ imageLayoutVersion: v.literal("1.0.0") });

/**
 * The entries of images/index.json, as they are.
 *
 * @param marker The layout's other file, which must be there as well.
 * @throws {PackageError} MissingFile or InvalidImageLayout.
 */
export function readRoots(
  index: Uint8Array,
  marker: Uint8Array | undefined,
): readonly RawDescriptor[] {
  if (marker === undefined) {
    throw packageError("MissingFile", `${LAYOUT_FILES.marker}: is not in the package`);
  }
  parse(layoutSchema, marker, LAYOUT_FILES.marker);
  return parse(indexSchema, index, LAYOUT_FILES.index).manifests ?? [];
}

/**
 * Whether something is kept for all its platforms, whatever its name (Zarf 0.84, layout/oci.go
 * HasImageIndex).
 */
export function hasIndex(roots: readonly RawDescriptor[]): boolean {
  return roots.some((root) => isIndexType(root.mediaType));
}

/** Whether the media type is that of an index (OCI) or a manifest list (Docker). */
export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.includes(mediaType);
}

/** Layers that a registry may not hand on: they are left out of packages and fetched by URL. */
function mayBeAbsent(mediaType: string): boolean {
  return mediaType.includes(".foreign.") || mediaType.includes(".nondistributable.");
}

/** Where the layout's content comes from. */
export interface LayoutSource {
  readonly marker: Uint8Array | undefined;
  readonly index: Uint8Array;
  readonly blobs: ReadonlyMap<Digest, number>;
  read(digest: Digest, limit: number): Uint8Array;
}

/** What the OCI layout holds. */
export interface Layout {
  /** index.json's entries, as they are. */
  readonly roots: readonly RawDescriptor[];
  /** Every manifest and index that can be reached, in the order in which they are found. */
  readonly manifests: ReadonlyMap<Digest, Descriptor>;
}

/**
 * Walks the layout from index.json: every manifest, config and layer that is named must be there with
 * the size that its descriptor gives. The content of blobs is known to match their digests.
 *
 * @throws {PackageError} MissingFile, InvalidImageLayout, MissingBlob or LimitExceeded.
 */
export function walkLayout(source: LayoutSource, limits: Limits): Layout {
  const roots = readRoots(source.index, source.marker);
  const walk = new Walk(source, limits);
  for (const root of roots) walk.add(LAYOUT_FILES.index, root);
  walk.run();
  return { roots, manifests: walk.found };
}

/** Of the types and annotations of all manifests together, which are kept in memory. */
const MAX_CHARACTERS = 8 << 20;

/** Values in one document; the index of a package with 1000 images has some ten thousand. */
const MAX_VALUES = 150_000;

class Walk {
  readonly #source: LayoutSource;
  readonly #limits: Limits;
  readonly found = new Map<Digest, Descriptor>();
  /** Depth first would let an index nest without bound. Each digest is in it once. */
  readonly #queue = new Map<Digest, RawDescriptor>();
  /** Characters of all that was found. */
  #characters = 0;

  constructor(source: LayoutSource, limits: Limits) {
    this.#source = source;
    this.#limits = limits;
  }

  add(parent: string, descriptor: RawDescriptor): void {
    this.#checkBlob(parent, descriptor);
    const { digest, mediaType } = descriptor;
    if (!isIndexType(mediaType) && !MANIFEST_TYPES.includes(mediaType)) return;
    if (this.#queue.has(digest)) return;
    this.#queue.set(digest, descriptor);
    if (this.#queue.size <= this.#limits.manifests) return;
    throw packageError(
      "LimitExceeded",
      `images: there are more than ${this.#limits.manifests} manifests`,
    );
  }

  run(): void {
    // A map hands out what is added on the way, too.
    for (const descriptor of this.#queue.values()) this.#visit(descriptor);
  }

  #visit(descriptor: RawDescriptor): void {
    const name = `images: manifest ${descriptor.digest}`;
    const bytes = this.#read(name, descriptor);
    if (isIndexType(descriptor.mediaType)) {
      const index = parse(indexSchema, bytes, name);
      this.#keep(describe(descriptor, index));
      for (const child of index.manifests ?? []) this.add(name, child);
      return;
    }
    const manifest = parse(manifestSchema, bytes, name);
    this.#keep(describe(descriptor, manifest));
    const parts = [...manifest.layers ?? [], ...manifest.blobs ?? []];
    if (manifest.config !== undefined) parts.unshift(manifest.config);
    for (const part of parts) this.#checkBlob(name, part);
  }

  #keep(descriptor: Descriptor): void {
    const { artifactType = "", annotations = {} } = descriptor;
    const texts = [artifactType, ...Object.entries(annotations).flat()];
    this.#characters += texts.reduce((sum, text) => sum + text.length, 0);
    if (this.#characters > MAX_CHARACTERS) {
      throw packageError(
        "LimitExceeded",
        `images: manifests have more than ${MAX_CHARACTERS} characters of annotations`,
      );
    }
    this.found.set(descriptor.digest, descriptor);
  }

  #read(name: string, descriptor: RawDescriptor): Uint8Array {
    if (descriptor.size > this.#limits.manifestBytes) {
      throw packageError(
        "LimitExceeded",
        `${name}: has ${descriptor.size} bytes, the limit is ${this.#limits.manifestBytes}`,
      );
    }
    return this.#source.read(descriptor.digest, this.#limits.manifestBytes);
  }

  #checkBlob(parent: string, { digest, size, mediaType }: RawDescriptor): void {
    const actual = this.#source.blobs.get(digest);
    if (actual === undefined) {
      if (mayBeAbsent(mediaType)) return;
      throw packageError(
        "MissingBlob",
        `${parent}: names ${digest}, which is not in the package`,
      );
    }
    if (actual === size) return;
    throw packageError(
      "InvalidImageLayout",
      `${parent}: says that ${digest} has ${size} bytes, but it has ${actual}`,
    );
  }
}

type Document = v.InferOutput<typeof indexSchema> | v.InferOutput<typeof manifestSchema>;

function describe(descriptor: RawDescriptor, document: Document): Descriptor {
  const { mediaType, digest, size } = descriptor;
  const config = "config" in document ? document.config?.mediaType ?? "" : "";
  const artifactType = document.artifactType || config;
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === "" ? {} : { artifactType }),
    ...(document.subject ? { subject: document.subject.digest } : {}),
    ...(document.annotations ? { annotations: document.annotations } : {}),
  };
}

function parse<const Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Uint8Array,
  name: string,
): v.InferOutput<Schema> {
  if (estimateValues(bytes) > MAX_VALUES) {
    throw packageError("LimitExceeded", `${name}: may hold more than ${MAX_VALUES} values`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw packageError("InvalidImageLayout", `${name}: is not JSON`, { cause });
  }
  // A list would pass for an object without keys.
  if (!isRecord(value)) {
    throw packageError("InvalidImageLayout", `${name}: is not a JSON object`);
  }
  // One mistake is enough, and each costs hundreds of bytes.
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw packageError(
    "InvalidImageLayout",
    `${name}: ${v.getDotPath(issue) ?? "the document"}: ${issue.message}`,
  );
}
