import { type PackageError, packageError } from "./errors.ts";

/*
 * The outer structure of zstd data (RFC 8878, section 3.1). The decompressor of node:zlib says neither
 * that data ended early nor where a frame ended, so the structure is followed here beside it, without
 * decoding anything.
 */

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
/** The same as they stand in the file; of the second one the lower half of the first byte is free. */
const FRAME_START = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE_START = [0x50, 0x2a, 0x4d, 0x18];
const PART = "the compressed data";

type State =
  | "magic"
  | "skippable-size"
  | "descriptor"
  | "header"
  | "block-header"
  | "skip"
  | "checksum";

/**
 * Follows frames and blocks through compressed bytes that come in any slices, and says whether they
 * end where a frame ends.
 */
export class FrameWalker {
  readonly #maxWindow: number;
  readonly #held = new Uint8Array(16);
  #heldLength = 0;
  /** Bytes that the present state needs before it can go on. */
  #need = 4;
  #state: State = "magic";
  /** Where to go when `skip` is done. */
  #afterSkip: State = "magic";
  #skip = 0;
  #descriptor = 0;
  #frames = 0;

  /** @param maxWindow The largest window in bytes that the decompressor may be asked for. */
  constructor(maxWindow: number) {
    this.#maxWindow = maxWindow;
  }

  /**
   * @throws {PackageError} NotZstd, Corrupt, TrailingData or UnsupportedCompression.
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === "skip") {
        const step = Math.min(this.#skip, chunk.length - at);
        this.#skip -= step;
        at += step;
        if (this.#skip === 0) this.#expect(this.#afterSkip);
        continue;
      }
      const step = Math.min(this.#need - this.#heldLength, chunk.length - at);
      this.#held.set(chunk.subarray(at, at + step), this.#heldLength);
      this.#heldLength += step;
      at += step;
      if (this.#heldLength === this.#need) this.#advance();
    }
    // At once: the decompressor would call the same bytes corrupt.
    if (this.#state === "magic" && this.#frames === 0 && !this.#canBeMagic()) throw notZstd();
  }

  /**
   * Call at the end of the file.
   *
   * @throws {PackageError} Truncated when a frame is not complete.
   */
  finish(): void {
    if (this.#state === "magic" && this.#heldLength === 0) return;
    throw packageError("Truncated", `${PART}: the file ends inside a frame`);
  }

  /** Whether the bytes held so far can become the first magic number. */
  #canBeMagic(): boolean {
    const held = this.#held.subarray(0, this.#heldLength);
    return held.every((byte, index) => byte === FRAME_START[index]) ||
      held.every((byte, index) => (index === 0 ? byte & 0xf0 : byte) === SKIPPABLE_START[index]);
  }

  #expect(state: State): void {
    this.#state = state;
    this.#heldLength = 0;
    this.#need = NEEDS[state];
  }

  #skipThen(bytes: number, next: State): void {
    if (bytes === 0) return this.#expect(next);
    this.#skip = bytes;
    this.#afterSkip = next;
    this.#state = "skip";
  }

  #advance(): void {
    switch (this.#state) {
      case "magic":
        return this.#readMagic();
      case "skippable-size":
        return this.#skipThen(this.#number(0, 4), "magic");
      case "descriptor":
        return this.#readDescriptor();
      case "header":
        return this.#readHeader();
      case "block-header":
        return this.#readBlockHeader();
      case "checksum":
        return this.#expect("magic");
      case "skip":
        return;
    }
  }

  #readMagic(): void {
    const magic = this.#number(0, 4);
    if (magic === MAGIC) {
      this.#frames++;
      return this.#expect("descriptor");
    }
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) return this.#expect("skippable-size");
    if (this.#frames === 0) throw notZstd();
    throw packageError("TrailingData", `${PART}: something else follows the last frame`);
  }

  #readDescriptor(): void {
    this.#descriptor = this.#held[0] ?? 0;
    if ((this.#descriptor & 0x08) !== 0) throw corrupt("a reserved bit of a frame is set");
    this.#need = 1 + this.#windowBytes() + this.#dictionaryBytes() + this.#sizeBytes();
    this.#state = "header";
    if (this.#need === 1) this.#readHeader();
  }

  #singleSegment(): boolean {
    return (this.#descriptor & 0x20) !== 0;
  }

  #windowBytes(): number {
    return this.#singleSegment() ? 0 : 1;
  }

  #dictionaryBytes(): number {
    return [0, 1, 2, 4][this.#descriptor & 3] ?? 0;
  }

  #sizeBytes(): number {
    return [this.#singleSegment() ? 1 : 0, 2, 4, 8][this.#descriptor >> 6] ?? 0;
  }

  #readHeader(): void {
    const dictionaryAt = 1 + this.#windowBytes();
    if (this.#number(dictionaryAt, this.#dictionaryBytes()) !== 0) {
      throw packageError("UnsupportedCompression", `${PART}: needs a dictionary`, {
        remedy: "compress the package without a dictionary",
      });
    }
    const window = this.#window(dictionaryAt + this.#dictionaryBytes());
    if (window > this.#maxWindow) {
      throw packageError(
        "UnsupportedCompression",
        `${PART}: needs a window of ${window} bytes, the limit is ${this.#maxWindow}`,
        { remedy: "compress the package without --long or --ultra" },
      );
    }
    this.#expect("block-header");
  }

  #window(sizeAt: number): number {
    if (this.#singleSegment()) {
      const size = this.#number(sizeAt, this.#sizeBytes());
      return this.#sizeBytes() === 2 ? size + 256 : size;
    }
    const byte = this.#held[1] ?? 0;
    const base = 2 ** (10 + (byte >> 3));
    return base + (base / 8) * (byte & 7);
  }

  #readBlockHeader(): void {
    const header = this.#number(0, 3);
    const last = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type === 3) throw corrupt("a block has the reserved type");
    if (size > MAX_BLOCK) throw corrupt(`a block has ${size} bytes`);
    const next = !last ? "block-header" : (this.#descriptor & 0x04) !== 0 ? "checksum" : "magic";
    // A run-length block holds one byte, whatever its size says.
    this.#skipThen(type === 1 ? 1 : size, next);
  }

  /** Little-endian; above 2^53 only the magnitude matters. */
  #number(at: number, length: number): number {
    let value = 0;
    for (let index = length - 1; index >= 0; index--) {
      value = value * 256 + (this.#held[at + index] ?? 0);
    }
    return value;
  }
}

/** RFC 8878, section 3.1.1.2.4: Block_Maximum_Size. */
const MAX_BLOCK = 128 << 10;

/** For `header` the descriptor decides. */
const NEEDS: Readonly<Record<State, number>> = {
  "magic": 4,
  "skippable-size": 4,
  "descriptor": 1,
  "header": 1,
  "block-header": 3,
  "skip": 0,
  "checksum": 4,
};

function notZstd(): PackageError {
  return packageError("NotZstd", `${PART}: the file does not begin with a zstd frame`);
}

function corrupt(what: string): PackageError {
  return packageError("Corrupt", `${PART}: ${what}`);
}
