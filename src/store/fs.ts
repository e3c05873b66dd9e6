import { type DurableFs, systemFs } from "../std/mod.ts";

/** An open file that takes bytes. */
export interface FileSink {
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array): void;
  close(): void;
}

/** What the store asks of the file system; tests put a failing or a recording one in its place. */
export interface StoreFs extends DurableFs {
  /** Creates a new file; it must not exist. */
  create(path: string, mode: number): FileSink;
}

/** The real file system. */
export const systemStoreFs: StoreFs = {
  ...systemFs,
  create: (path, mode) => {
    const file = Deno.openSync(path, { write: true, createNew: true, mode: mode | 0o200 });
    return {
      write: (bytes) => writeAll(file, bytes),
      close: () => file.close(),
    };
  },
};

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += file.writeSync(bytes.subarray(done));
}

/** Whether something of any type is at `path`. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The size of the regular file at `path`, if there is one. */
export function fileSize(path: string): number | undefined {
  try {
    const info = Deno.lstatSync(path);
    return info.isFile ? info.size : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
