import { constants, createZstdDecompress } from "node:zlib";
import { HoldfastError } from "../std/mod.ts";
import { type PackageError, packageError } from "./errors.ts";
import { FrameWalker } from "./frames.ts";

/** Bytes per step out of the decompressor. */
const OUTPUT_BYTES = 1 << 20;

/** The runtime's zlib is not the one that this was written for. */
export class DecompressorError extends HoldfastError<"DecompressorUnavailable"> {}

/**
 * The synchronous side of node:zlib's streams, as `zlib.zstdDecompressSync` uses it (Deno 2.7.11,
 * ext/node/polyfills/zlib.js processChunkSync).
 *
 * The stream itself cannot be used: under Deno corrupted data there is an uncaught exception that no
 * handler of the stream sees, and every chunk costs a turn of the event loop and an allocation. This
 * side throws where it is called and writes into a buffer of ours, at the speed of libzstd.
 */
interface SyncDecompressor {
  readonly _handle: {
    writeSync(
      flush: number,
      input: Uint8Array,
      inputOffset: number,
      inputLength: number,
      output: Uint8Array,
      outputOffset: number,
      outputLength: number,
    ): void;
  };
  /** After a write: room left in the output, bytes left of the input. */
  readonly _writeState: Uint32Array;
  close(): void;
}

/** `ZSTD_e_continue` */
const CONTINUE = 0;

/** Decompresses zstd data that comes in slices: any number of frames, skippable ones too. */
export class ZstdDecoder {
  readonly #walker: FrameWalker;
  readonly #stream: SyncDecompressor;
  readonly #output = new Uint8Array(OUTPUT_BYTES);
  readonly #emit: (chunk: Uint8Array) => void;

  /**
   * @param maxWindow The largest window in bytes that data may ask for.
   * @param emit Takes what comes out; the chunk is overwritten after it returns.
   * @throws {DecompressorError} when the runtime's zlib lacks the interface used here.
   */
  constructor(maxWindow: number, emit: (chunk: Uint8Array) => void) {
    this.#walker = new FrameWalker(maxWindow);
    this.#stream = openDecompressor(maxWindow);
    this.#emit = emit;
  }

  /**
   * @throws {PackageError} NotZstd, Corrupt, TrailingData or UnsupportedCompression.
   */
  push(chunk: Uint8Array): void {
    this.#walker.push(chunk);
    let offset = 0;
    for (;;) {
      const left = this.#write(chunk, offset);
      const produced = OUTPUT_BYTES - left.output;
      const consumed = chunk.length - offset - left.input;
      if (produced > 0) this.#emit(this.#output.subarray(0, produced));
      offset += consumed;
      if (left.input === 0 && left.output > 0) return;
      if (produced === 0 && consumed === 0) throw corruptData();
    }
  }

  /**
   * Call at the end of the file.
   *
   * @throws {PackageError} Truncated.
   */
  finish(): void {
    this.#walker.finish();
  }

  /** Frees the decompressor's memory; may be called more than once. */
  close(): void {
    this.#stream.close();
  }

  #write(chunk: Uint8Array, offset: number): { readonly input: number; readonly output: number } {
    try {
      this.#stream._handle.writeSync(
        CONTINUE,
        chunk,
        offset,
        chunk.length - offset,
        this.#output,
        0,
        OUTPUT_BYTES,
      );
    } catch (cause) {
      throw corruptData(cause);
    }
    const [output, input] = this.#stream._writeState;
    return { input: input ?? 0, output: output ?? 0 };
  }
}

function corruptData(cause?: unknown): PackageError {
  return packageError("Corrupt", "the compressed data: cannot be decompressed", { cause });
}

/** The exponents that libzstd takes for its own bound on windows (zstd.h, ZSTD_WINDOWLOG_…). */
const WINDOW_LOG = { min: 10, max: 31 } as const;

/** The walker keeps the bound; libzstd's own must not be a lower one. */
function openDecompressor(maxWindow: number): SyncDecompressor {
  const log = Math.ceil(Math.log2(maxWindow));
  const stream: unknown = createZstdDecompress({
    chunkSize: 1024,
    params: {
      [constants.ZSTD_d_windowLogMax]: Math.min(WINDOW_LOG.max, Math.max(WINDOW_LOG.min, log)),
    },
  });
  if (isSyncDecompressor(stream)) return stream;
  throw new DecompressorError({
    reason: "DecompressorUnavailable",
    message: "this runtime's node:zlib has no synchronous zstd decompressor",
    remedy: "use the Deno version that Holdfast is built with",
  });
}

function isSyncDecompressor(stream: unknown): stream is SyncDecompressor {
  if (typeof stream !== "object" || stream === null) return false;
  if (!("_handle" in stream) || !("_writeState" in stream)) return false;
  const handle = stream._handle;
  return typeof handle === "object" && handle !== null && "writeSync" in handle &&
    typeof handle.writeSync === "function" && stream._writeState instanceof Uint32Array;
}
