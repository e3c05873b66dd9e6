import { CHECKSUMS, DEFINITION } from "./checksums.ts";
import { packageError } from "./errors.ts";
import { type FileLook, lookOf, type OpenSource } from "./file_source.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { bytesSegment, fileSegment, type Segment, SegmentSource } from "./segments.ts";
import { TAR_END_BYTES, type TAR_FLAGS, tarHeader, tarPadding } from "./tar_write.ts";

/** The files that make a directory an unpacked package. */
export const UNPACKED_FILES: readonly string[] = [DEFINITION, CHECKSUMS];
/** Directories of an unpacked package, one in another; Zarf makes three. */
export const MAX_TREE_DEPTH = 16;

interface TreeEntry {
  /** Below the package's directory, with slashes. */
  readonly name: string;
  readonly type: keyof typeof TAR_FLAGS;
  readonly look: FileLook;
}

/**
 * Reads an unpacked package, as `zarf tools archiver decompress` leaves it, as the tar that it would
 * be: everything but directories, sorted by name. Nothing is copied, no link is followed.
 *
 * @throws {PackageError} LimitExceeded; when read, FileChanged.
 * @throws what the file system throws, also when a file goes away while another is read.
 */
export function openTree(path: string): OpenSource {
  const entries = listTree(path);
  const size = entries.reduce((sum, entry) => sum + tarSize(entry), TAR_END_BYTES);
  return new SegmentSource(size, segmentsOf(path, entries));
}

/** Whether a directory is an unpacked package, or will be when it is copied. */
export function isUnpacked(path: string): boolean {
  return UNPACKED_FILES.every((name) => {
    try {
      return !Deno.lstatSync(`${path}/${name}`).isDirectory;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}

function* segmentsOf(path: string, entries: readonly TreeEntry[]): Generator<Segment> {
  for (const entry of entries) {
    const { name, type, look } = entry;
    const size = contentSize(entry);
    yield bytesSegment(tarHeader(name, type, size));
    if (size === 0) continue;
    yield fileSegment(name, `${path}/${name}`, look);
    yield bytesSegment(new Uint8Array(tarPadding(size)));
  }
  yield bytesSegment(new Uint8Array(TAR_END_BYTES));
}

function tarSize(entry: TreeEntry): number {
  const size = contentSize(entry);
  return tarHeader(entry.name, entry.type, size).length + size + tarPadding(size);
}

function contentSize({ type, look }: TreeEntry): number {
  return type === "file" ? look.size : 0;
}

function listTree(root: string): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (const entry of walk(root, "", 0)) {
    entries.push(entry);
    if (entries.length > DEFAULT_LIMITS.entries) {
      throw tooLarge("the directory", `has more than ${DEFAULT_LIMITS.entries} files`);
    }
  }
  return entries;
}

/** @param below The directory in `root` with a slash at its end, or nothing. */
function* walk(root: string, below: string, depth: number): Generator<TreeEntry> {
  if (depth > MAX_TREE_DEPTH) {
    throw tooLarge(below.slice(0, -1), `is more than ${MAX_TREE_DEPTH} directories deep`);
  }
  const names = [...Deno.readDirSync(`${root}/${below}`)].map((entry) => entry.name).sort();
  for (const name of names) {
    const info = Deno.lstatSync(`${root}/${below}${name}`);
    if (info.isDirectory) yield* walk(root, `${below}${name}/`, depth + 1);
    else yield { name: below + name, type: typeOf(info), look: lookOf(info) };
  }
}

function tooLarge(what: string, why: string): Error {
  return packageError("LimitExceeded", `${what}: ${why}`);
}

function typeOf(info: Deno.FileInfo): TreeEntry["type"] {
  if (info.isFile) return "file";
  if (info.isSymlink) return "symlink";
  if (info.isFifo === true) return "FIFO";
  if (info.isSocket === true) return "socket";
  return info.isCharDevice === true ? "character device" : "block device";
}
