import * as v from "valibot";
import { isIndexType, type PackageImage } from "../package/mod.ts";
import { type Digest, isDigest, renderBytes } from "../std/mod.ts";
import { type OutputFormat, printAs } from "./output.ts";
import { type PackageReadOptions, type ReadPackage, readWholePackage } from "./package_read.ts";
import { table } from "./table.ts";

/** An image of a package. */
export interface ImageOverview {
  /** Whole and normalised. */
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
  /** One platform, several, or something else than a container image. */
  readonly kind: "image" | "index" | "artifact";
  /** `linux/amd64`; of an index those that it names. */
  readonly platforms: readonly string[];
  /** Bytes of all its blobs in the package, each once. */
  readonly size: number;
}

/** Prints the images of a package. */
export async function inspectImages(
  path: string,
  format: OutputFormat,
  options: PackageReadOptions,
): Promise<void> {
  const images = imagesOf(await readWholePackage(path, options));
  printAs(format, images, () =>
    table(
      ["IMAGE", "KIND", "PLATFORMS", "SIZE", "DIGEST"],
      images.map(({ reference, kind, platforms, size, digest }) => [
        reference,
        kind,
        platforms.join(","),
        renderBytes(size),
        digest,
      ]),
    ), options.terminal);
}

/** What images are described from. */
type ImagesSource = Pick<ReadPackage, "contents" | "document">;

/** The images of a package that was read, in its order. */
export function imagesOf(read: ImagesSource): ImageOverview[] {
  const sizes = new Map(read.contents.blobs.map(({ digest, size }) => [digest, size]));
  return read.contents.images.map((image) => describe(image, read, sizes));
}

const platformSchema = v.object({
  os: v.string(),
  architecture: v.string(),
  variant: v.optional(v.string(), ""),
});

const partSchema = v.object({
  digest: v.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
  platform: v.exactOptional(v.nullable(platformSchema)),
});

const parts = v.optional(v.nullable(v.array(partSchema)), []);

/** A manifest or index, or a configuration, which has none of these fields. */
const documentSchema = v.object({
  config: v.exactOptional(partSchema),
  layers: parts,
  blobs: parts,
  manifests: parts,
});

/** What the configurations of container images are called (OCI, Docker). */
const IMAGE_CONFIGS: readonly string[] = [
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
];

function describe(
  { reference, descriptor }: PackageImage,
  read: ImagesSource,
  sizes: ReadonlyMap<Digest, number>,
): ImageOverview {
  const { digest, mediaType, artifactType = "" } = descriptor;
  const kind = isIndexType(mediaType)
    ? "index"
    : IMAGE_CONFIGS.includes(artifactType)
    ? "image"
    : "artifact";
  const names = platformsOf(kind, parse(documentSchema, read.document(digest)), read)
    .map(platformName)
    .filter((name) => name !== ATTESTATION);
  return {
    reference,
    digest,
    mediaType,
    kind,
    platforms: [...new Set(names)],
    size: sizeBelow(digest, read, sizes),
  };
}

type Platform = v.InferOutput<typeof platformSchema>;

function platformsOf(
  kind: ImageOverview["kind"],
  document: v.InferOutput<typeof documentSchema> | undefined,
  read: ImagesSource,
): Platform[] {
  if (kind === "index") {
    return (document?.manifests ?? []).flatMap(({ platform }) => platform ?? []);
  }
  if (kind === "artifact" || document?.config === undefined) return [];
  const platform = parse(platformSchema, read.document(document.config.digest));
  return platform === undefined ? [] : [platform];
}

/** The platform that builders give to what describes an image and is none. */
const ATTESTATION = "unknown/unknown";

function platformName({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === "" ? [] : [variant])].join("/");
}

function sizeBelow(root: Digest, read: ImagesSource, sizes: ReadonlyMap<Digest, number>): number {
  const manifests = new Set(read.contents.manifests.map(({ digest }) => digest));
  const seen = new Set<Digest>([root]);
  // A set gives what is added while it is walked.
  for (const digest of seen) {
    const document = manifests.has(digest)
      ? parse(documentSchema, read.document(digest))
      : undefined;
    if (document === undefined) continue;
    const { config, layers, blobs, manifests: children } = document;
    const below = [config ?? [], layers ?? [], blobs ?? [], children ?? []].flat();
    for (const part of below) seen.add(part.digest);
  }
  return [...seen].reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0);
}

function parse<const Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Uint8Array | undefined,
): v.InferOutput<Schema> | undefined {
  if (bytes === undefined) return undefined;
  try {
    const parsed = v.safeParse(schema, JSON.parse(new TextDecoder().decode(bytes)));
    return parsed.success ? parsed.output : undefined;
  } catch {
    // An artifact's configuration may be anything.
    return undefined;
  }
}
