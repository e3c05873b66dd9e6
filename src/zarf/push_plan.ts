import * as v from "valibot";
import { type Digest, isDigest } from "../std/mod.ts";
import { ZarfError } from "./errors.ts";

/** Where the bytes come from. */
export interface PushSource {
  /** A manifest or index, whole. */
  manifestBytes(digest: Digest): Promise<Uint8Array>;
  /** A blob; `stream` is called again for each attempt. */
  openBlob(
    digest: Digest,
  ): Promise<{ readonly size: number; stream(): ReadableStream<Uint8Array> }>;
}

/** One image and the names it gets. */
export interface PushImage {
  /** The repository, for example `library/nginx`. */
  readonly repository: string;
  /** May be empty: the image is then reachable by its digest only. */
  readonly tags: readonly string[];
  /** Of its manifest or index. */
  readonly digest: Digest;
}

/** A blob that an image needs. */
export interface PlannedBlob {
  readonly repository: string;
  readonly digest: Digest;
  readonly size: number;
}

/** A manifest or index under one name. */
export interface PlannedManifest {
  readonly repository: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** A tag or the digest. */
  readonly reference: string;
}

/** What a push has to bring. */
export interface Plan {
  /** Unique by repository and digest. */
  readonly blobs: readonly PlannedBlob[];
  /** In the order to put them: what is referred to comes first. */
  readonly manifests: readonly PlannedManifest[];
}

const DescriptorSchema = v.looseObject({
  digest: v.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
  urls: v.optional(v.array(v.string())),
});

const ManifestSchema = v.looseObject({
  mediaType: v.optional(v.string()),
  config: v.optional(DescriptorSchema),
  layers: v.optional(v.array(DescriptorSchema)),
  manifests: v.optional(v.array(DescriptorSchema)),
});

/** How deep indexes may lie in indexes. */
const MAX_DEPTH = 3;

/**
 * Reads the manifests of images and says what has to be in the registry for them.
 *
 * @throws {ZarfError} `RegistryRefused` when one of them is no manifest or index.
 */
export async function planPush(images: readonly PushImage[], source: PushSource): Promise<Plan> {
  const blobs = new Map<string, PlannedBlob>();
  const manifests = new Map<string, PlannedManifest>();
  const visit = async (
    repository: string,
    digest: Digest,
    references: readonly string[],
    depth: number,
  ): Promise<void> => {
    const manifest = readManifest(await source.manifestBytes(digest), digest);
    if (depth > MAX_DEPTH) throw unusable(digest, "its indexes are nested too deeply");
    for (const child of manifest.manifests ?? []) {
      // Indexes that name a child again and again would otherwise be walked without end.
      if (manifests.has(`${repository}:${child.digest}`)) continue;
      await visit(repository, child.digest, [child.digest], depth + 1);
    }
    const layers = [...manifest.layers ?? [], ...manifest.config ? [manifest.config] : []];
    for (const blob of layers) {
      // A layer with addresses of its own is not distributed (image-spec, layer.md).
      if (blob.urls !== undefined && blob.urls.length > 0) continue;
      const { digest, size } = blob;
      blobs.set(`${repository}@${digest}`, { repository, digest, size });
    }
    const mediaType = manifest.mediaType ??
      (manifest.manifests === undefined
        ? "application/vnd.oci.image.manifest.v1+json"
        : "application/vnd.oci.image.index.v1+json");
    for (const reference of references) {
      manifests.set(`${repository}:${reference}`, { repository, digest, mediaType, reference });
    }
  };
  for (const { repository, digest, tags } of images) {
    await visit(repository, digest, tags.length === 0 ? [digest] : tags, 0);
  }
  return { blobs: [...blobs.values()], manifests: [...manifests.values()] };
}

function readManifest(bytes: Uint8Array, digest: Digest): v.InferOutput<typeof ManifestSchema> {
  try {
    return v.parse(ManifestSchema, JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw unusable(digest, "it is not an image manifest or index", cause);
  }
}

/** The error of a manifest that nobody could push. */
export function unusable(digest: Digest, why: string, cause?: unknown): ZarfError {
  return new ZarfError({
    reason: "RegistryRefused",
    message: `manifest ${digest} cannot be pushed: ${why}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
