import { createHash } from "node:crypto";
import { cacheDir, keepNewest, REPOSITORY_ROOT } from "../../extension/build/places.ts";
import { type ImageSpec, writeOciArchive } from "../../extension/build/oci_image.ts";
import { zarfCreate } from "../e2e/support/zarf.ts";
import { writeSource } from "../e2e/support/zarf_sources.ts";
import { talosImages, talosImageSpecs } from "./image_specs.ts";

/** The package's name. */
export const TALOS_PACKAGE = "talos-images";
/** How many packages stay in the cache; older ones are removed. */
const MAX_CACHED = 2;
/** The files whose text decides what a package is, beside what is in its images. */
const SOURCES = ["test/talos/image_specs.ts", "test/talos/images.ts"];

/**
 * The path of a package with everything that Talos needs before there is a registry, made by the real
 * `zarf` the first time and kept in the cache by what is in it. Two processes that ask at once make
 * one.
 */
export async function talosImagesPackage(): Promise<string> {
  const specs = await talosImageSpecs();
  const home = `${cacheDir()}/talos-images`;
  const directory = `${home}/${await keyOf(specs)}`;
  const made = packageIn(directory);
  if (made !== undefined) return made;
  await Deno.mkdir(home, { recursive: true });
  using lock = await Deno.open(`${home}/lock`, { create: true, write: true });
  await lock.lock(true);
  return packageIn(directory) ?? await make(specs, home, directory);
}

/** A digest of everything that goes into the package. */
async function keyOf(specs: readonly ImageSpec[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of SOURCES) hash.update(await Deno.readFile(`${REPOSITORY_ROOT}/${path}`));
  const seen = new Set<string>();
  for (const { references, entries, layersAbove = [] } of specs) {
    hash.update(JSON.stringify(references));
    for (const entry of [entries, ...layersAbove].flat()) {
      if (!("file" in entry) || seen.has(entry.file)) continue;
      seen.add(entry.file);
      hash.update(await Deno.readFile(entry.file));
    }
  }
  return hash.digest("hex").slice(0, 24);
}

function packageIn(directory: string): string | undefined {
  try {
    const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
    const found = names.find((name) => name.endsWith(".tar.zst"));
    return found === undefined ? undefined : `${directory}/${found}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function make(
  specs: readonly ImageSpec[],
  home: string,
  directory: string,
): Promise<string> {
  const work = await Deno.makeTempDir({ dir: home, prefix: "making-" });
  try {
    await writeOciArchive(`${work}/images.tar`, specs);
    const { talos } = await talosImages();
    const images = specs.flatMap(({ references }) => references);
    const source = await writeSource(`${work}/source`, {
      metadata: { name: TALOS_PACKAGE, version: talos.replace(/^v/, "") },
      components: [
        { name: "images", required: true, imageArchives: [{ path: "../images.tar", images }] },
      ],
    });
    const file = await zarfCreate(source, `${work}/out`, ["--skip-sbom"]);
    await Deno.rename(file.slice(0, file.lastIndexOf("/")), directory);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  keepNewest(home, MAX_CACHED);
  const made = packageIn(directory);
  if (made === undefined) throw new Error(`zarf made no package in ${directory}`);
  return made;
}
