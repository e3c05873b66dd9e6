import { once } from "node:events";
import { createGzip } from "node:zlib";
import { type Digest, Digester, digestHex, digestOf } from "../../src/std/mod.ts";
import { tar, type TarEntry } from "./tar.ts";

/** What a container runtime is told (OCI image-spec, config.md). */
export interface ImageConfig {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** `NAME=value`. */
  readonly env?: readonly string[];
  /** `uid`, `uid:gid` or a name of the image's own passwd. */
  readonly user?: string;
  readonly workdir?: string;
  /** `5000/tcp`. */
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** An image, of one layer unless more are named. */
export interface ImageSpec {
  /** Full references (`docker.io/library/hello:0.1.0`), at least one. */
  readonly references: readonly string[];
  /** The content of the lowest layer. */
  readonly entries: readonly TarEntry[];
  /** The content of those above it, the lowest first. @default none */
  readonly layersAbove?: readonly (readonly TarEntry[])[];
  readonly config?: ImageConfig;
  /** Go's name of the processor. @default "amd64" */
  readonly architecture?: string;
  /** @default "gzip" */
  readonly compression?: "gzip" | "none";
  /** 0, which only stores, is for what cannot be compressed. @default 9 */
  readonly gzipLevel?: number;
}

/** A blob as the OCI image-spec describes it (descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** What was written of one image. */
export interface WrittenImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** The lowest one. */
  readonly layer: Descriptor;
  /** All of them, the lowest first. */
  readonly layers: readonly Descriptor[];
}

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";
/** Every image has the same date, so that the same content has the same digest. */
const CREATED = "1970-01-01T00:00:00Z";

/**
 * Writes `images` as an OCI image layout (image-spec, image-layout.md) into `directory`, which is
 * created; what lay there under the same names is replaced. Same input, same bytes: times are zero
 * and entries sorted. Each reference becomes one descriptor of `index.json`, named the way that
 * `ctr images import`, oras and Zarf read (`io.containerd.image.name`, `…ref.name`, `…base.name`).
 */
export async function writeOciLayout(
  directory: string,
  images: readonly ImageSpec[],
): Promise<WrittenImage[]> {
  await Deno.mkdir(`${directory}/blobs/sha256`, { recursive: true });
  const written: WrittenImage[] = [];
  for (const image of images) written.push(await writeImage(directory, image));
  const manifests = images.flatMap((image, at) => {
    const manifest = written[at]?.manifest;
    return image.references.map((reference) => ({
      ...manifest,
      annotations: nameAnnotations(reference),
      platform: { architecture: image.architecture ?? "amd64", os: "linux" },
    }));
  });
  await Deno.writeTextFile(
    `${directory}/index.json`,
    json({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }),
  );
  await Deno.writeTextFile(`${directory}/oci-layout`, json({ imageLayoutVersion: "1.0.0" }));
  return written;
}

/** Writes `images` as one tar file that `ctr images import` and Zarf's `imageArchives` take. */
export async function writeOciArchive(
  file: string,
  images: readonly ImageSpec[],
): Promise<WrittenImage[]> {
  const layout = await Deno.makeTempDir({ prefix: "holdfast-image-" });
  try {
    const written = await writeOciLayout(layout, images);
    const blobs = new Set(
      written.flatMap((image) => [image.manifest, image.config, ...image.layers]),
    );
    const paths = [...new Set([...blobs].map((blob) => blobPath(blob.digest)))];
    const entries = ["index.json", "oci-layout", ...paths]
      .map((path) => ({ path, file: `${layout}/${path}` }));
    await Deno.writeFile(file, ReadableStream.from(tar(entries)));
    return written;
  } finally {
    await Deno.remove(layout, { recursive: true });
  }
}

async function writeImage(directory: string, image: ImageSpec): Promise<WrittenImage> {
  const lowest = await writeLayer(directory, image, image.entries);
  const written = [lowest];
  for (const entries of image.layersAbove ?? []) {
    written.push(await writeLayer(directory, image, entries));
  }
  const diffIds = written.map(({ diffId }) => diffId);
  const layers = written.map(({ layer }) => layer);
  const config = await writeBlob(directory, CONFIG_TYPE, imageConfig(image, diffIds));
  const manifest = await writeBlob(directory, MANIFEST_TYPE, {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config,
    layers,
  });
  return { manifest, config, layer: lowest.layer, layers };
}

/** Streams the layer to its blob; `diffId` is the digest of the tar before compression. */
async function writeLayer(
  directory: string,
  { compression = "gzip", gzipLevel = 9 }: ImageSpec,
  entries: readonly TarEntry[],
): Promise<{ layer: Descriptor; diffId: Digest }> {
  const compressed = compression === "gzip";
  const unpacked = new Digester();
  const packed = new Digester();
  const temporary = `${directory}/blobs/layer.tmp`;
  let size = 0;
  try {
    using file = await Deno.open(temporary, { write: true, create: true, truncate: true });
    const source = observed(tar(entries), (chunk) => unpacked.update(chunk));
    for await (const chunk of compressed ? gzip(source, gzipLevel) : source) {
      packed.update(chunk);
      size += chunk.length;
      await writeAll(file, chunk);
    }
    const digest = packed.finish();
    await Deno.rename(temporary, `${directory}/${blobPath(digest)}`);
    const mediaType = compressed ? `${LAYER_TYPE}+gzip` : LAYER_TYPE;
    return { layer: { mediaType, digest, size }, diffId: unpacked.finish() };
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

function imageConfig(image: ImageSpec, diffIds: readonly Digest[]): Record<string, unknown> {
  const config = image.config ?? {};
  return {
    created: CREATED,
    architecture: image.architecture ?? "amd64",
    os: "linux",
    config: {
      User: config.user,
      ExposedPorts: emptyObjects(config.ports),
      Env: config.env,
      Entrypoint: config.entrypoint,
      Cmd: config.cmd,
      Volumes: emptyObjects(config.volumes),
      WorkingDir: config.workdir,
      Labels: config.labels,
    },
    rootfs: { type: "layers", diff_ids: diffIds },
    history: diffIds.map(() => ({ created: CREATED, created_by: "holdfast" })),
  };
}

/** The specification writes sets as objects with empty values. */
function emptyObjects(
  keys: readonly string[] | undefined,
): Record<string, Record<never, never>> | undefined {
  return keys === undefined ? undefined : Object.fromEntries(keys.map((key) => [key, {}]));
}

function nameAnnotations(reference: string): Record<string, string> {
  return {
    "io.containerd.image.name": reference,
    "org.opencontainers.image.base.name": reference,
    "org.opencontainers.image.ref.name": reference,
  };
}

async function writeBlob(
  directory: string,
  mediaType: string,
  value: unknown,
): Promise<Descriptor> {
  const text = json(value);
  const digest = digestOf(text);
  await Deno.writeTextFile(`${directory}/${blobPath(digest)}`, text);
  return { mediaType, digest, size: new TextEncoder().encode(text).length };
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

function json(value: unknown): string {
  return JSON.stringify(value);
}

async function* observed(
  source: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    see(chunk);
    yield chunk;
  }
}

async function* gzip(
  source: AsyncIterable<Uint8Array>,
  level: number,
): AsyncGenerator<Uint8Array> {
  const stream = createGzip({ level });
  const fed = (async () => {
    for await (const chunk of source) {
      if (!stream.write(chunk)) await once(stream, "drain");
    }
    stream.end();
  })();
  // Without this a failing source would leave the reader below waiting for ever.
  fed.catch((error) => stream.destroy(error));
  for await (const chunk of stream) yield chunk as Uint8Array;
  await fed;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}
