import { packageError } from "./errors.ts";
import { FileSource } from "./file_source.ts";
import { splitPart } from "./split.ts";
import { openSplit } from "./split_source.ts";
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
 * Opens a package: a `.tar.zst` or `.tar` file, or the parts of a split one by the name of any part
 * or of the file that was split. A file that lies beside parts of its name counts, not they.
 *
 * @throws {PackageError} UnknownFormat, UnsupportedEntry, PartsMissing, InvalidParts.
 * @throws what the file system throws.
 */
export function openPackage(path: string): OpenedPackage {
  const whole = splitPart(path)?.whole ?? path;
  const name = whole.slice(whole.lastIndexOf("/") + 1);
  const format = packageFormat(name);
  if (format === undefined) {
    throw packageError("UnknownFormat", `${name}: the name ends neither in .tar.zst nor in .tar`);
  }
  if (whole === path && isThere(path)) return openFile(name, path, format);
  const split = openSplit(whole);
  if (split === undefined) throw new Deno.errors.NotFound(`${path} is not there`);
  const { source, checkWhole } = split;
  return { source, format, checkWhole, [Symbol.dispose]: () => source[Symbol.dispose]() };
}

function openFile(name: string, path: string, format: ReadOptions["format"]): OpenedPackage {
  // A FIFO would be waited for.
  if (!Deno.statSync(path).isFile) {
    throw packageError("UnsupportedEntry", `${name}: is no regular file`);
  }
  const source = new FileSource(name, path);
  return { source, format, checkWhole() {}, [Symbol.dispose]: () => source[Symbol.dispose]() };
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
