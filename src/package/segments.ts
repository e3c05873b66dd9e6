import { type FileLook, FileSource, type OpenSource } from "./file_source.ts";

/** A stretch of a source that is opened when its turn comes. */
export interface Segment {
  readonly size: number;
  /** @throws {PackageError} FileChanged. @throws what the file system throws. */
  open(): OpenSource;
}

/** A whole file that looked like `look` when it was found. */
export function fileSegment(label: string, path: string, look: FileLook): Segment {
  return { size: look.size, open: () => new FileSource(label, path, look) };
}

/** Bytes from memory. */
export function bytesSegment(bytes: Uint8Array): Segment {
  return {
    size: bytes.length,
    open() {
      let rest = bytes;
      return {
        size: bytes.length,
        read(buffer) {
          const chunk = rest.subarray(0, buffer.length);
          buffer.set(chunk);
          rest = rest.subarray(chunk.length);
          return chunk.length;
        },
        skip: (count) => void (rest = rest.subarray(count)),
        [Symbol.dispose]() {},
      };
    },
  };
}

/** Segments one after another as one source. One at a time is open. */
export class SegmentSource implements OpenSource {
  readonly size: number;
  readonly #segments: Iterator<Segment>;
  #open: OpenSource | undefined;
  /** Bytes left of the open segment. */
  #left = 0;

  /** @param size Of all segments together. */
  constructor(size: number, segments: Iterable<Segment>) {
    this.size = size;
    this.#segments = segments[Symbol.iterator]();
  }

  /** Fills all of `buffer` unless it is the end. @throws as {@linkcode Segment.open}. */
  read(buffer: Uint8Array): number {
    let filled = 0;
    while (filled < buffer.length) {
      if (this.#left === 0) {
        const next = this.#next();
        if (next === undefined) break;
        this.#begin(next);
      } else {
        const count = this.#open?.read(buffer.subarray(filled)) ?? 0;
        filled += count;
        this.#left -= count;
      }
    }
    return filled;
  }

  /** What is skipped whole is never opened. @throws as {@linkcode Segment.open}. */
  skip(bytes: number): void {
    let rest = bytes;
    while (rest > 0) {
      if (this.#left > 0) {
        const step = Math.min(rest, this.#left);
        this.#open?.skip(step);
        this.#left -= step;
        rest -= step;
        continue;
      }
      const next = this.#next();
      if (next === undefined) return;
      if (next.size <= rest) rest -= next.size;
      else this.#begin(next);
    }
  }

  [Symbol.dispose](): void {
    this.#open?.[Symbol.dispose]();
    this.#open = undefined;
  }

  #next(): Segment | undefined {
    this[Symbol.dispose]();
    const { value, done } = this.#segments.next();
    return done === true ? undefined : value;
  }

  #begin(segment: Segment): void {
    this.#open = segment.open();
    this.#left = segment.size;
  }
}
