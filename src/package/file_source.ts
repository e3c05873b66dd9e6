import { packageError } from "./errors.ts";
import type { ByteSource } from "./types.ts";

/** What a file looks like from outside: when one of these changes, so has the file. */
export interface FileLook {
  readonly size: number;
  /** Milliseconds since 1970, by the file system's clock. */
  readonly mtime: number;
}

/** The look of a file or link that is there. */
export function lookOf(info: Deno.FileInfo): FileLook {
  return { size: info.size, mtime: info.mtime?.getTime() ?? 0 };
}

/** A source that holds something open. */
export type OpenSource = Required<ByteSource> & Disposable;

/**
 * A file that is read from its first to its last byte: exactly as many bytes as it had at the
 * beginning, or an error. Whoever writes to it meanwhile makes it another file.
 */
export class FileSource implements OpenSource {
  readonly #label: string;
  readonly #file: Deno.FsFile;
  readonly #look: FileLook;
  #position = 0;

  /**
   * @param label How messages name the file.
   * @param expected What it looked like when it was found.
   * @throws {PackageError} FileChanged when it does not look so any more.
   * @throws what the file system throws.
   */
  constructor(label: string, path: string, expected?: FileLook) {
    this.#label = label;
    this.#file = Deno.openSync(path, { read: true });
    try {
      this.#look = lookOf(this.#file.statSync());
      if (expected !== undefined && !sameLook(this.#look, expected)) throw this.#changed();
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  get size(): number {
    return this.#look.size;
  }

  /** @throws {PackageError} FileChanged. @throws what the file system throws. */
  read(buffer: Uint8Array): number {
    const left = this.size - this.#position;
    if (left === 0 || buffer.length === 0) return 0;
    const count = this.#file.readSync(buffer.subarray(0, Math.min(left, buffer.length)));
    if (count === null || count === 0) throw this.#changed();
    this.#advance(count);
    return count;
  }

  skip(bytes: number): void {
    const step = Math.min(bytes, this.size - this.#position);
    this.#file.seekSync(step, Deno.SeekMode.Current);
    this.#advance(step);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #advance(bytes: number): void {
    this.#position += bytes;
    if (this.#position < this.size) return;
    if (!sameLook(lookOf(this.#file.statSync()), this.#look)) throw this.#changed();
  }

  #changed(): Error {
    return packageError("FileChanged", `${this.#label}: was changed while it was read`);
  }
}

function sameLook(one: FileLook, other: FileLook): boolean {
  return one.size === other.size && one.mtime === other.mtime;
}
