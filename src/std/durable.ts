import { failpoint } from "./failpoint.ts";

/**
 * The calls that change what a disk holds, so that a test can put a failing or a forgetting file
 * system in their place. All are synchronous: they run in workers and at points where order is the
 * promise.
 */
export interface DurableFs {
  /** Flushes a file's data and metadata. */
  fsyncFile(path: string): void;
  /** Flushes a directory, which makes the names in it durable. */
  fsyncDir(path: string): void;
  /** Moves `from` over `to` on the same file system, atomically. */
  rename(from: string, to: string): void;
  /** Writes a whole new file; it must not exist. */
  writeNew(path: string, bytes: Uint8Array): void;
  /**
   * Makes a directory; it must not exist, and its parent must.
   *
   * @param mode before the umask. @default 0o777
   */
  mkdir(path: string, mode?: number): void;
  /** Removes a file, a link, or a directory with everything below it. */
  remove(path: string): void;
}

/** The real file system. */
export const systemFs: DurableFs = {
  fsyncFile: (path) => fsyncPath(path),
  fsyncDir: (path) => fsyncPath(path),
  rename: (from, to) => Deno.renameSync(from, to),
  writeNew: (path, bytes) => Deno.writeFileSync(path, bytes, { createNew: true }),
  mkdir: (path, mode = 0o777) => Deno.mkdirSync(path, { mode }),
  remove: (path) => Deno.removeSync(path, { recursive: true }),
};

function fsyncPath(path: string): void {
  using file = Deno.openSync(path, { read: true });
  file.syncSync();
}

/**
 * Puts `bytes` at `path` so that a reader sees the old content or the new and, once this returns, a
 * power cut leaves the new: write beside it, fsync, rename, fsync the directory. `name` is the prefix
 * of the failpoints `<name>.written`, `<name>.renamed` and `<name>.synced`.
 *
 * @throws what the file system throws; the old content is then kept.
 */
export function writeFileAtomic(
  path: string,
  bytes: Uint8Array | string,
  options: { readonly fs?: DurableFs; readonly name?: string } = {},
): void {
  const { fs = systemFs, name = "file" } = options;
  const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    fs.writeNew(temporary, data);
    fs.fsyncFile(temporary);
    failpoint(`${name}.written`);
    fs.rename(temporary, path);
  } catch (error) {
    removeQuietly(temporary, fs);
    throw error;
  }
  failpoint(`${name}.renamed`);
  fs.fsyncDir(dirname(path));
  failpoint(`${name}.synced`);
}

/**
 * Removes from `directory` what {@linkcode writeFileAtomic} left of files whose name ends with
 * `suffix` when the process was killed in it. Nobody may be writing such a file meanwhile.
 */
export function removeUnfinished(
  directory: string,
  suffix: string,
  fs: DurableFs = systemFs,
): void {
  for (const name of namesIn(directory)) {
    const target = name.replace(/\.[0-9a-f]{8}\.tmp$/, "");
    if (target !== name && target.endsWith(suffix)) removeQuietly(`${directory}/${name}`, fs);
  }
}

function namesIn(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map((entry) => entry.name);
  } catch {
    // Not there, or not readable: nothing was written in it either.
    return [];
  }
}

/**
 * Creates `path` and its parents and makes their names durable; one that is there is taken to be so.
 * `name` is the prefix of the failpoints `<name>.made` and `<name>.synced`.
 */
export function ensureDir(path: string, fs: DurableFs = systemFs, name = "directory"): void {
  if (isDirectory(path)) return;
  const parent = dirname(path);
  if (parent !== path) ensureDir(parent, fs, name);
  try {
    fs.mkdir(path);
  } catch (error) {
    // Somebody else may have made it meanwhile; a file of that name is another matter.
    if (!(error instanceof Deno.errors.AlreadyExists) || !isDirectory(path)) throw error;
  }
  failpoint(`${name}.made`);
  fs.fsyncDir(parent);
  failpoint(`${name}.synced`);
}

/** Removes a file or tree if it is there; failures are left for the next start's clean-up. */
export function removeQuietly(path: string, fs: DurableFs = systemFs): void {
  try {
    fs.remove(path);
  } catch {
    // Already gone, or a disk that no longer takes writes: the caller's own error matters more.
  }
}

/** The directory part of a slash-separated path ("." when there is none). */
export function dirname(path: string): string {
  const at = path.lastIndexOf("/");
  if (at < 0) return ".";
  return at === 0 ? "/" : path.slice(0, at);
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
