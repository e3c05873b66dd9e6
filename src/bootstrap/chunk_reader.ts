import type { BlobStore } from "../store/mod.ts";
import { BootstrapError } from "./errors.ts";
import { CHUNK_BYTES, chunkSlices, type PayloadBlob } from "./payload.ts";

/** Reads the chunks of an image's byte stream from the store, through buffers that are used again. */
export class ChunkReader {
  readonly #store: BlobStore;
  readonly #blobs: readonly PayloadBlob[];
  readonly #free: Uint8Array[] = [];

  constructor(store: BlobStore, blobs: readonly PayloadBlob[]) {
    this.#store = store;
    this.#blobs = blobs;
  }

  /**
   * Calls `action` with the bytes of chunk `number`, which are valid only until it is done.
   *
   * @throws {BootstrapError} `SeedUnreadable` when a blob is shorter than its size says.
   */
  async use<T>(number: number, action: (bytes: Uint8Array) => T | Promise<T>): Promise<T> {
    const buffer = this.#free.pop() ?? new Uint8Array(CHUNK_BYTES);
    try {
      return await action(await this.#read(number, buffer));
    } finally {
      this.#free.push(buffer);
    }
  }

  async #read(number: number, buffer: Uint8Array): Promise<Uint8Array> {
    let filled = 0;
    for (const { digest, offset, length } of chunkSlices(this.#blobs, number)) {
      using file = await Deno.open(this.#store.path(digest), { read: true });
      await file.seek(offset, Deno.SeekMode.Start);
      await readFull(file, buffer.subarray(filled, filled + length));
      filled += length;
    }
    return buffer.subarray(0, filled);
  }
}

async function readFull(file: Deno.FsFile, into: Uint8Array): Promise<void> {
  let filled = 0;
  while (filled < into.length) {
    const count = await file.read(into.subarray(filled));
    if (count === null) {
      throw new BootstrapError({
        reason: "SeedUnreadable",
        message: "a blob of the seed image is shorter than its size says",
        disposition: "retry",
      });
    }
    filled += count;
  }
}
