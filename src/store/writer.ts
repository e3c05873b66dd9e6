import { failpoint, removeQuietly } from "../std/mod.ts";
import { StoreError, storeError } from "./errors.ts";
import type { FileSink, StoreFs } from "./fs.ts";

/** Takes the bytes of one file, in order. */
export interface EntryWriter {
  /** @throws {StoreError} when the disk does not take them, or there are more than announced. */
  write(chunk: Uint8Array): void;
  /** Ends the file. @throws {StoreError} `SizeMismatch` when bytes are missing. */
  close(): void;
  /** Gives the file up and removes it; harmless after {@linkcode close}. */
  abort(): void;
}

/** What a {@linkcode FileWriter} is made of. */
export interface FileWriterOptions {
  readonly path: string;
  /** Of the file while it is written, beside the owner's right to write. */
  readonly mode: number;
  /** Bytes that have to come; unknown when undefined. */
  readonly size: number | undefined;
  /** What the file is, for messages. */
  readonly what: string;
  /** Passed when all bytes are written. */
  readonly failpoint: string;
  readonly onClose?: () => void;
}

/** Small chunks are gathered to writes of this many bytes (facts: 3x the speed of 64 KiB writes). */
const BATCH = 1 << 20;

/** Writes one file below `tmp/` with few large writes. It is not durable before it is fsynced. */
export class FileWriter implements EntryWriter {
  readonly #options: FileWriterOptions;
  readonly #fs: StoreFs;
  readonly #sink: FileSink;
  #batch: Uint8Array | undefined;
  #batched = 0;
  #taken = 0;
  #open = true;

  /** @throws {StoreError} when the file cannot be created. */
  constructor(fs: StoreFs, options: FileWriterOptions) {
    this.#options = options;
    this.#fs = fs;
    this.#sink = this.#guarded(() => fs.create(options.path, options.mode));
  }

  /** Bytes taken so far. */
  get taken(): number {
    return this.#taken;
  }

  write(chunk: Uint8Array): void {
    this.#taken += chunk.length;
    const { size } = this.#options;
    if (size !== undefined && this.#taken > size) throw this.#sizeMismatch(size);
    if (this.#batched + chunk.length > BATCH) this.#flush();
    if (chunk.length >= BATCH) {
      this.#guarded(() => this.#sink.write(chunk));
      return;
    }
    this.#batch ??= new Uint8Array(Math.min(BATCH, size ?? BATCH));
    this.#batch.set(chunk, this.#batched);
    this.#batched += chunk.length;
  }

  close(): void {
    if (!this.#open) return;
    const { size } = this.#options;
    try {
      if (size !== undefined && this.#taken !== size) throw this.#sizeMismatch(size);
      this.#flush();
      // What went wrong on the way to the disk is told here.
      this.#guarded(() => this.#sink.close());
    } catch (error) {
      this.abort();
      throw error;
    }
    this.#open = false;
    this.#batch = undefined;
    failpoint(this.#options.failpoint);
    this.#options.onClose?.();
  }

  abort(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#batch = undefined;
    try {
      this.#sink.close();
    } catch {
      // Nobody wants what could not be written.
    }
    removeQuietly(this.#options.path, this.#fs);
  }

  #flush(): void {
    const batch = this.#batch;
    if (batch === undefined || this.#batched === 0) return;
    this.#guarded(() => this.#sink.write(batch.subarray(0, this.#batched)));
    this.#batched = 0;
  }

  #guarded<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw storeError(`write ${this.#options.what}`, cause);
    }
  }

  #sizeMismatch(size: number): StoreError {
    return new StoreError({
      reason: "SizeMismatch",
      message:
        `${this.#options.what} has ${this.#taken} bytes or more where ${size} were announced`,
      kept: "what the store held before is unchanged",
    });
  }
}
