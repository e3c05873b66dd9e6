import { readPackage } from "../../src/package/mod.ts";
import { type Digest, digestOf } from "../../src/std/mod.ts";
import {
  buildPackage,
  type Content,
  type Definition,
  flipBit,
  type ImageSpec,
  type PackageSpec,
} from "../fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../fixtures/package_sink.ts";
import { Random } from "./random.ts";

/** A package that is to be taken in, and all that has to be there then. */
export interface GoodPackage {
  /** Name of the file. */
  readonly file: string;
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly digest: Digest;
  readonly blobs: ReadonlySet<Digest>;
  /** Digest of each file that is no blob, by path in the package. */
  readonly files: ReadonlyMap<string, Digest>;
  readonly images: readonly PackedImage[];
}

/** An image of a package. */
export interface PackedImage {
  /** `library/nginx` */
  readonly repository: string;
  readonly tag: string;
  /** Of its manifest. */
  readonly digest: Digest;
  /** Its config and layers. */
  readonly blobs: readonly Digest[];
}

/** A file that is to be refused. */
export interface BadPackage {
  readonly file: string;
  readonly path: string;
}

/** What is dropped, in the order of versions: a newer one of a name comes later. */
export interface Pool {
  readonly good: readonly GoodPackage[];
  readonly bad: readonly BadPackage[];
}

const NAMES = ["apple", "birch", "cedar", "dogwood", "elder", "fir"];
/** Names that come in two versions. */
const UPGRADED = 3;
/** A layer's least and greatest size, in bytes. */
const LAYER_SIZES = [50_000, 24_000_000] as const;
/** Bytes of the layers that several have. */
const SHARED_LAYERS = [4_000_000, 300_000, 900];
/** Layers of the package that has many small ones, each of at most so many bytes. */
const MANY_LAYERS = 60;
const SMALL_LAYER = 40_000;

/**
 * Writes packages of all sizes to `directory`: with layers in common, with many small ones, in both
 * formats, newer versions of some, and files that are to be refused. Equal seeds give equal files.
 *
 * @param scale of the layers' sizes. @default 1, about 100 MB in all
 */
export async function makePool(directory: string, seed: number, scale = 1): Promise<Pool> {
  const random = new Random(seed);
  const layer = (size = random.magnitude(...LAYER_SIZES)): Content => ({
    size: Math.ceil(size * scale),
    seed: random.next(),
  });
  const shared = SHARED_LAYERS.map((size) => layer(size));
  const specs = NAMES.map((name, at) => {
    const own = at === 0
      ? Array.from({ length: MANY_LAYERS }, () => layer(random.between(1, SMALL_LAYER)))
      : Array.from({ length: random.between(1, 5) }, () => layer());
    return specOf(random, name, own, shared);
  });
  const upgrades = specs.slice(0, UPGRADED).map((spec) => upgradeOf(spec, layer()));
  const good: GoodPackage[] = [];
  for (const spec of [...specs, ...upgrades]) good.push(await writeGood(directory, spec));
  const bad = badFiles(random, specOf(random, "yew", [layer()], shared)).map(([name, bytes]) => {
    const file = `zarf-package-${name}-amd64-1.0.0.tar.zst`;
    Deno.writeFileSync(`${directory}/${file}`, bytes);
    return { file, path: `${directory}/${file}` };
  });
  return { good, bad };
}

function specOf(
  random: Random,
  name: string,
  own: readonly Content[],
  shared: readonly Content[],
): PackageSpec {
  const common = random.some(shared, random.between(1, shared.length));
  const images = [`docker.io/library/${name}`, `quay.io/tools/${name}`].map((reference, at) => ({
    reference: `${reference}:1.0.0`,
    layers: at === 0 ? [...own, ...common] : common,
  }));
  return {
    name,
    version: "1.0.0",
    format: random.chance(0.3) ? "tar" : "tar.zst",
    images,
    files: { "sboms.tar": { size: random.between(1, 200_000), seed: random.next() } },
    components: [{
      name: "web",
      images: images.map((image) => image.reference),
      definition: { manifests: [{ name: "web", namespace: name, files: ["web.yaml"] }] },
      files: manifests(random),
    }],
  };
}

function manifests(random: Random): Record<string, Content> {
  const count = random.magnitude(1, 40);
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `manifests/${at % 4 === 3 ? "more/" : ""}web-${at}.yaml`,
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web-${at}\ndata:\n  n: "${random.next()}"\n`,
    ]),
  );
}

/** The same with a layer more; whatever else it has is in the store already. */
function upgradeOf(spec: PackageSpec, layer: Content): PackageSpec {
  const newer = (reference: string) => reference.replace(/:1\.0\.0$/, ":1.1.0");
  return {
    ...spec,
    version: "1.1.0",
    images: (spec.images ?? []).map((image: ImageSpec) => ({
      ...image,
      reference: newer(image.reference),
      layers: [...image.layers ?? [], layer],
    })),
    components: (spec.components ?? []).map((component) => ({
      ...component,
      images: (component.images ?? []).map(newer),
    })),
  };
}

/** Found to be wrong at once, in the middle, and when all of it is read. */
function badFiles(random: Random, spec: PackageSpec): (readonly [string, Uint8Array])[] {
  const right = buildPackage({ ...spec, format: "tar.zst" });
  const middle = random.between(right.length >> 2, right.length - (right.length >> 2));
  // The definition is the last file in a package.
  const definition = ({ metadata }: Definition) => {
    metadata["aggregateChecksum"] = "0".repeat(64);
  };
  return [
    ["bad-page", new TextEncoder().encode("<html>".repeat(500))],
    ["bad-bit", flipBit(right, middle)],
    ["bad-end", right.subarray(0, middle)],
    ["bad-sum", buildPackage({ ...spec, format: "tar.zst", hooks: { definition } })],
  ];
}

/** Writes one package to `directory`, and reads from it what has to be in a store. */
export async function writeGood(directory: string, spec: PackageSpec): Promise<GoodPackage> {
  const { name = "", version = "", format = "tar.zst" } = spec;
  const file = `zarf-package-${name}-amd64-${version}.${format}`;
  const path = `${directory}/${file}`;
  const bytes = buildPackage(spec);
  await Deno.writeFile(path, bytes);
  const sink = new MemorySink();
  const options = { format, architecture: "amd64", sink } as const;
  const contents = await readPackage(sourceOf(bytes), options);
  return {
    file,
    path,
    name,
    version,
    digest: contents.digest,
    blobs: new Set(contents.blobs.map((blob) => blob.digest)),
    files: new Map([...sink.files].map(([path, { content }]) => [path, digestOf(content)])),
    images: contents.images.map(({ repository, tag, descriptor }) => ({
      repository,
      tag: tag ?? "",
      digest: descriptor.digest,
      blobs: blobsOf(sink.readBlob(descriptor.digest, descriptor.size)),
    })),
  };
}

function blobsOf(manifest: Uint8Array): Digest[] {
  const { config, layers } = JSON.parse(new TextDecoder().decode(manifest));
  return [config, ...layers].map((blob) => blob.digest);
}
