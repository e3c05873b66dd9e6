import { HoldfastError } from "../../src/std/mod.ts";

/** What every entry of an archive has. */
interface EntryBase {
  /** Where it lies in the archive: relative, slash-separated, without `.`, `..` or empty parts. */
  readonly path: string;
  /** Permission bits. @default 0o755 for directories, 0o777 for links, 0o644 for files */
  readonly mode?: number;
  /** @default 0 */
  readonly uid?: number;
  /** @default 0 */
  readonly gid?: number;
}

/** One entry of an archive: bytes, a file of this machine, a symbolic link or a directory. */
export type TarEntry =
  | EntryBase & { readonly content: Uint8Array | string }
  | EntryBase & { readonly file: string }
  | EntryBase & { readonly symlink: string }
  | EntryBase & { readonly directory: true };

/** Why an archive could not be written. */
export class TarError extends HoldfastError<"BadPath" | "PathTooLong" | "FileChanged"> {}

const BLOCK = 512;
/** How much of a file is held at once, in bytes. */
const CHUNK = 1 << 20;
/** Field sizes of a ustar header, in bytes (POSIX.1-1988, ustar interchange format). */
const NAME_MAX = 100;
const PREFIX_MAX = 155;
const LINK_MAX = 100;

/**
 * A ustar archive of `entries`, in chunks. The same entries give the same bytes on every machine:
 * they are sorted by path, parents that are not listed are added as directories, all times are zero
 * and no user names are written.
 *
 * @throws {TarError} when a path cannot be written as ustar, or a file changes while it is read.
 */
export async function* tar(entries: Iterable<TarEntry>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const entry of withParents(entries)) {
    if ("file" in entry) yield* fileFromDisk(entry);
    else if ("content" in entry) {
      const bytes = bytesOf(entry.content);
      yield header(entry, "0", bytes.length);
      if (bytes.length > 0) yield padded(bytes);
    } else yield header(entry, "symlink" in entry ? "2" : "5", 0);
  }
  yield new Uint8Array(2 * BLOCK);
}

/** Sorted by path, without duplicates (the last one counts), each parent before its children. */
function withParents(entries: Iterable<TarEntry>): TarEntry[] {
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) {
    checkPath(entry.path);
    const parts = entry.path.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const path = parts.slice(0, depth).join("/");
      if (!byPath.has(path)) byPath.set(path, { path, directory: true });
    }
    byPath.set(entry.path, entry);
  }
  return [...byPath.values()].sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

function checkPath(path: string): void {
  if (path.split("/").every((part) => part !== "" && part !== "." && part !== "..")) return;
  throw new TarError({
    reason: "BadPath",
    message: `"${path}" is not a clean relative path`,
    remedy: "name archive entries without a leading slash, empty parts, . or ..",
  });
}

async function* fileFromDisk(
  entry: EntryBase & { readonly file: string },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(entry.file);
  const { size } = await file.stat();
  yield header(entry, "0", size);
  let left = size;
  while (left > 0) {
    const chunk = new Uint8Array(Math.min(CHUNK, left));
    const read = await file.read(chunk);
    if (read === null) {
      throw new TarError({
        reason: "FileChanged",
        message: `${entry.file} became shorter while it was read`,
        disposition: "retry",
      });
    }
    left -= read;
    yield left > 0 ? chunk.subarray(0, read) : padded(chunk.subarray(0, read), size);
  }
}

/** The bytes followed by zeros up to the next block; `total` counts what went before, too. */
function padded(bytes: Uint8Array, total = bytes.length): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes.length + (BLOCK - total % BLOCK) % BLOCK);
  out.set(bytes);
  return out;
}

type TypeFlag = "0" | "2" | "5";
const DEFAULT_MODE: Readonly<Record<TypeFlag, number>> = { "0": 0o644, "2": 0o777, "5": 0o755 };

function header(entry: TarEntry, type: TypeFlag, size: number): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => block.set(new TextEncoder().encode(text), at);
  const octal = (at: number, width: number, value: number) =>
    put(at, value.toString(8).padStart(width - 1, "0"));
  const { prefix, name } = splitPath(type === "5" ? `${entry.path}/` : entry.path);
  put(0, name);
  octal(100, 8, entry.mode ?? DEFAULT_MODE[type]);
  octal(108, 8, entry.uid ?? 0);
  octal(116, 8, entry.gid ?? 0);
  octal(124, 12, size);
  octal(136, 12, 0);
  put(148, "        ");
  put(156, type);
  if ("symlink" in entry) put(157, linkTarget(entry));
  put(257, "ustar\x0000");
  put(345, prefix);
  // The checksum counts its own field as blanks and ends in NUL and blank.
  put(148, block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\x00 ");
  return block;
}

function linkTarget(entry: EntryBase & { readonly symlink: string }): string {
  if (byteLength(entry.symlink) <= LINK_MAX) return entry.symlink;
  throw tooLong(`the target of the link ${entry.path}`, LINK_MAX);
}

function splitPath(path: string): { prefix: string; name: string } {
  if (byteLength(path) <= NAME_MAX) return { prefix: "", name: path };
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
    const prefix = path.slice(0, at);
    const name = path.slice(at + 1);
    if (name === "" || byteLength(prefix) > PREFIX_MAX) break;
    if (byteLength(name) <= NAME_MAX) return { prefix, name };
  }
  throw tooLong(`the path ${path}`, NAME_MAX + PREFIX_MAX);
}

function tooLong(what: string, limit: number): TarError {
  return new TarError({
    reason: "PathTooLong",
    message: `${what} does not fit into a ustar header (at most ${limit} bytes)`,
    remedy: "choose a shorter name",
  });
}

function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
