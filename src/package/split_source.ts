import { type Digest, Digester, digestHex, dirname } from "../std/mod.ts";
import { packageError } from "./errors.ts";
import { type FileLook, lookOf, type OpenSource } from "./file_source.ts";
import { fileSegment, SegmentSource } from "./segments.ts";
import {
  checkParts,
  MAX_HEADER_BYTES,
  parseSplitHeader,
  partName,
  partNumbers,
  splitPart,
} from "./split.ts";

/** A split package whose parts are read in their order; none is changed. */
export interface OpenedSplit {
  readonly source: OpenSource;
  /**
   * Compares the digest in `.part000` with what was read, if all of it was. Zarf never does.
   *
   * @throws {PackageError} ChecksumMismatch.
   */
  checkWhole(): void;
}

/**
 * Opens the parts of a split package.
 *
 * @param path Of the file that was split, as it would lie beside its parts.
 * @returns undefined when no part is there.
 * @throws {PackageError} PartsMissing, InvalidParts.
 * @throws what the file system throws, also when a part goes away while it is read.
 */
export function openSplit(path: string): OpenedSplit | undefined {
  const whole = path.slice(path.lastIndexOf("/") + 1);
  const looks = looksOfParts(path, whole);
  if (looks.size === 0) return undefined;
  const header = looks.has(0) ? parseSplitHeader(whole, readHeader(path)) : undefined;
  looks.delete(0);
  checkParts(whole, header, new Map([...looks].map(([number, { size }]) => [number, size])));
  if (header === undefined) return undefined;
  const segments = partNumbers(header.count).flatMap((number) => {
    const look = looks.get(number);
    const label = partName(whole, number);
    return look === undefined ? [] : [fileSegment(label, partName(path, number), look)];
  });
  const source = new DigestedSource(new SegmentSource(header.bytes, segments));
  return { source, checkWhole: () => checkDigest(whole, header.digest, source.digest()) };
}

function checkDigest(whole: string, expected: Digest, found: Digest | undefined): void {
  if (found === undefined || found === expected) return;
  throw packageError(
    "ChecksumMismatch",
    `${whole}: sha256 of the parts is ${digestHex(found)} but ${partName(whole, 0)} says ${
      digestHex(expected)
    }`,
  );
}

function looksOfParts(path: string, whole: string): Map<number, FileLook> {
  const found = new Map<number, FileLook>();
  for (const { name } of Deno.readDirSync(dirname(path))) {
    const part = splitPart(name);
    if (part?.whole !== whole) continue;
    const info = Deno.statSync(partName(path, part.number));
    if (info.isFile) found.set(part.number, lookOf(info));
  }
  return found;
}

function readHeader(path: string): Uint8Array {
  using file = Deno.openSync(partName(path, 0), { read: true });
  const buffer = new Uint8Array(MAX_HEADER_BYTES + 1);
  return buffer.subarray(0, file.readSync(buffer) ?? 0);
}

/** Hashes what passes. */
class DigestedSource implements OpenSource {
  readonly #inner: OpenSource;
  readonly #digester = new Digester();
  #hashed = 0;

  constructor(inner: OpenSource) {
    this.#inner = inner;
  }

  get size(): number {
    return this.#inner.size;
  }

  read(buffer: Uint8Array): number {
    const count = this.#inner.read(buffer);
    this.#digester.update(buffer.subarray(0, count));
    this.#hashed += count;
    return count;
  }

  skip(bytes: number): void {
    this.#inner.skip(bytes);
  }

  /** Of all bytes, once; undefined when some did not pass. */
  digest(): Digest | undefined {
    return this.#hashed === this.size ? this.#digester.finish() : undefined;
  }

  [Symbol.dispose](): void {
    this.#inner[Symbol.dispose]();
  }
}
