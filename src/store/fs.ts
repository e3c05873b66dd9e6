import { type DurableFs, systemFs } from "../std/mod.ts";
import { EagerFile } from "./eager_file.ts";

/** An open file that takes bytes. */
export interface FileSink {
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array): void;
  close(): void;
}

/**
 * Every call by which the store changes what the disk holds, but SQLite's own; tests put a failing or
 * a recording one in its place.
 */
export interface StoreFs extends DurableFs {
  /** Creates a new file; it must not exist. */
  create(path: string, mode: number): FileSink;
  /** Creates an empty file where there is none. */
  touch(path: string, mode: number): void;
  chmod(path: string, mode: number): void;
  chown(path: string, uid: number, gid: number): void;
  /** Sets when a file was last read and changed. */
  utime(path: string, time: Date): void;
  /** Gives the file `from` a second name. */
  link(from: string, to: string): void;
  /** Makes a symbolic link at `path`. */
  symlink(target: string, path: string): void;
}

/** The real file system. */
export const systemStoreFs: StoreFs = {
  ...systemFs,
  create: (path, mode) => {
    const file = new EagerFile(path, mode | 0o200);
    return { write: (bytes) => file.write(bytes), close: () => file.close() };
  },
  touch: (path, mode) => Deno.openSync(path, { write: true, create: true, mode }).close(),
  chmod: (path, mode) => Deno.chmodSync(path, mode),
  chown: (path, uid, gid) => Deno.chownSync(path, uid, gid),
  utime: (path, time) => Deno.utimeSync(path, time, time),
  link: (from, to) => Deno.linkSync(from, to),
  symlink: (target, path) => Deno.symlinkSync(target, path),
};

/** What is at `path`, a link itself and not what it leads to; undefined when nothing is. */
export function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether something of any type is at `path`. */
export function exists(path: string): boolean {
  return lookAt(path) !== undefined;
}

/** The size of the regular file at `path`, if there is one. */
export function fileSize(path: string): number | undefined {
  const info = lookAt(path);
  return info?.isFile ? info.size : undefined;
}
