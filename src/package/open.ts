import { packageError } from "./errors.ts";
import { FileSource, type OpenSource } from "./file_source.ts";
import { splitPart } from "./split.ts";
import { openSplit } from "./split_source.ts";
import { isUnpacked, openTree, UNPACKED_FILES } from "./tree_source.ts";
import type { ByteSource, ReadOptions } from "./types.ts";

/** A package in the file system that is ready to be read once, from the beginning. */
export interface OpenedPackage extends Disposable {
  /** Its size is the number of bytes that will come. */
  readonly source: ByteSource;
  readonly format: ReadOptions["format"];
  /**
   * Call it when the package was read and found good, before anything is published: what only the
   * whole source says of itself.
   *
   * @throws {PackageError}
   */
  checkWhole(): void;
}

/** Which archive a file name stands for, or undefined: not a package (Zarf decides by name, too). */
export function packageFormat(name: string): ReadOptions["format"] | undefined {
  if (name.endsWith(".tar.zst")) return "tar.zst";
  return name.endsWith(".tar") ? "tar" : undefined;
}

/**
 * Opens a package: a `.tar.zst` or `.tar` file; a directory with a zarf.yaml and a checksums.txt,
 * which is read as a tar; or the parts of a split package, by the name of any part or of the file
 * that was split. What has the file's own name counts, not the parts beside it.
 *
 * @throws {PackageError} UnknownFormat, UnsupportedEntry, PartsMissing, InvalidParts, MissingFile,
 * LimitExceeded.
 * @throws what the file system throws, and so does the source when it is read.
 */
export function openPackage(path: string): OpenedPackage {
  const trimmed = path.replace(/(?<=.)\/+$/, "");
  const whole = splitPart(trimmed)?.whole ?? trimmed;
  const name = whole.slice(whole.lastIndexOf("/") + 1);
  const info = whole === trimmed ? statOf(whole) : undefined;
  if (info?.isDirectory === true && isUnpacked(whole)) return opened(openTree(whole), "tar");
  const format = packageFormat(name);
  if (info !== undefined && !info.isDirectory) return openFile(name, whole, info);
  if (format !== undefined) {
    const split = openSplit(whole);
    if (split !== undefined) return opened(split.source, format, split.checkWhole);
  }
  if (info === undefined) throw new Deno.errors.NotFound(`${path} is not there`);
  throw packageError(
    "MissingFile",
    `${name}: is a directory without ${UNPACKED_FILES.join(" and ")}`,
  );
}

function openFile(name: string, path: string, info: Deno.FileInfo): OpenedPackage {
  const format = packageFormat(name);
  if (format === undefined) {
    throw packageError("UnknownFormat", `${name}: the name ends neither in .tar.zst nor in .tar`);
  }
  // A FIFO would be waited for.
  if (!info.isFile) throw packageError("UnsupportedEntry", `${name}: is no regular file`);
  return opened(new FileSource(name, path), format);
}

function opened(
  source: OpenSource,
  format: ReadOptions["format"],
  checkWhole: () => void = () => {},
): OpenedPackage {
  return { source, format, checkWhole, [Symbol.dispose]: () => source[Symbol.dispose]() };
}

function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
