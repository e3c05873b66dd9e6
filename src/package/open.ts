import { packageError } from "./errors.ts";
import { FileSource } from "./file_source.ts";
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
 * Opens a package: a `.tar.zst` or `.tar` file.
 *
 * @throws {PackageError} UnknownFormat, UnsupportedEntry.
 * @throws what the file system throws.
 */
export function openPackage(path: string): OpenedPackage {
  const name = nameOf(path);
  const info = Deno.statSync(path);
  const format = packageFormat(name);
  if (format === undefined) {
    throw packageError("UnknownFormat", `${name}: the name ends neither in .tar.zst nor in .tar`);
  }
  // A FIFO would be waited for.
  if (!info.isFile) throw packageError("UnsupportedEntry", `${name}: is no regular file`);
  const source = new FileSource(name, path);
  return { source, format, checkWhole() {}, [Symbol.dispose]: () => source[Symbol.dispose]() };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
