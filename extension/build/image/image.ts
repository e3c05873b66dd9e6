import { ignoreMissing } from "../stamp.ts";
import { type ImageSpec, writeOciLayout, type WrittenImage } from "../oci_image.ts";
import type { TarEntry } from "../tar.ts";
import { writeImageArchive } from "./archive.ts";
import { containerParts, type Ingredients, type Part } from "./contents.ts";
import { billOf, type BillOptions } from "./bill.ts";
import { manifestYaml, SERVICE_NAME, serviceYaml } from "./service.ts";

/** Where the container's file system lies in the image (Talos 1.13, constants.go). */
const CONTAINER = `rootfs/usr/local/lib/containers/${SERVICE_NAME}`;
const SPEC = `rootfs/usr/local/etc/containers/${SERVICE_NAME}.yaml`;
/**
 * Talos lists what lies there with its own parts, one of each name (Talos 1.13, SBOMItemController):
 * a module that both have would be taken for ours.
 */
const BILL = `rootfs/usr/local/share/spdx/${SERVICE_NAME}.spdx.json`;
/** Beside the notices of the container's own packages. */
const NOTICES = `${CONTAINER}/usr/share/doc/${SERVICE_NAME}`;
/** gzip's best costs three times as much and takes off one in a hundred. */
const GZIP_LEVEL = 6;

/** What an image is made of, and its version. */
export interface ExtensionOptions extends Ingredients, BillOptions {
  /** The agent's version. */
  readonly version: string;
}

/** A part of the image with what it takes. */
export interface PartSize {
  readonly name: string;
  /** Bytes of its files, unpacked. */
  readonly bytes: number;
}

/** An image that was written. */
export interface ExtensionImage extends WrittenImage {
  readonly reference: string;
  readonly parts: readonly PartSize[];
}

/** The image's name: a tag has no `+`. */
export function referenceOf(version: string): string {
  return `holdfast.dev/talos-extension:${version.replaceAll("+", "-")}`;
}

/**
 * Writes the extension image as an OCI layout into `directory`, and as one tar file to `archive`. What
 * was there is replaced. The same ingredients give the same bytes.
 *
 * @throws {ExtensionError} when a part cannot be found or is for another processor.
 */
export async function writeExtension(
  options: ExtensionOptions,
  directory: string,
  archive: string,
): Promise<ExtensionImage> {
  const parts = containerParts(options);
  const bill = await billOf(parts, options);
  const reference = referenceOf(options.version);
  const spec: ImageSpec = {
    references: [reference],
    entries: [...talosEntries(options.version), ...inContainer(parts), ...billEntries(bill)],
    architecture: options.architecture,
    gzipLevel: GZIP_LEVEL,
  };
  const unfinished = `${directory}.tmp`;
  await Deno.remove(unfinished, { recursive: true }).catch(ignoreMissing);
  const [image] = await writeOciLayout(unfinished, [spec]);
  if (image === undefined) throw new Error("no image was written");
  await Deno.remove(directory, { recursive: true }).catch(ignoreMissing);
  await Deno.rename(unfinished, directory);
  await writeImageArchive(archive, directory, image, reference);
  return { ...image, reference, parts: sizesOf([...parts, asPart(bill)]) };
}

function talosEntries(version: string): TarEntry[] {
  return [
    { path: "manifest.yaml", content: manifestYaml(version) },
    { path: SPEC, content: serviceYaml() },
  ];
}

function inContainer(parts: readonly Part[]): TarEntry[] {
  return parts.flatMap(({ entries }) => entries)
    .map((entry) => ({ ...entry, path: `${CONTAINER}/${entry.path}` }));
}

/** What {@linkcode billOf} has found. */
type Bill = Awaited<ReturnType<typeof billOf>>;

function billEntries(bill: Bill): TarEntry[] {
  return [
    { path: BILL, content: bill.summary },
    { path: `${NOTICES}/${SERVICE_NAME}.spdx.json`, content: bill.spdx },
    ...bill.notices.map(({ name, text }) => ({ path: `${NOTICES}/${name}`, content: text })),
  ];
}

function asPart(bill: Bill): Part {
  return { name: "licences and SBOM", entries: billEntries(bill) };
}

function sizesOf(parts: readonly Part[]): PartSize[] {
  return parts.map(({ name, entries }) => ({
    name,
    bytes: entries.reduce((sum, entry) => sum + sizeOf(entry), 0),
  }));
}

function sizeOf(entry: TarEntry): number {
  if ("file" in entry) return Deno.statSync(entry.file).size;
  if (!("content" in entry)) return 0;
  return typeof entry.content === "string"
    ? new TextEncoder().encode(entry.content).length
    : entry.content.length;
}
