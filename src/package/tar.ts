import { packageError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { utf8Length } from "./names.ts";
import {
  BLOCK,
  checksumMatches,
  decodeHeader,
  decodePax,
  isZero,
  type PaxRecords,
  type Refuse,
  type TarExtension,
  type TarHeader,
  type TarType,
  text,
} from "./tar_header.ts";

/** One entry, with what PAX and GNU headers say of it; names are not checked yet. */
export interface TarEntry {
  readonly type: TarType;
  readonly name: string;
  readonly linkTarget: string;
  /** 0 for everything but files. */
  readonly size: number;
  readonly mode: number;
}

/** Takes an entry's content. */
export interface TarBody {
  /** The chunk is valid until this returns. */
  data(chunk: Uint8Array): void;
  end(): void;
  /** How many of the bytes that come next nobody wants; none where this is left out. */
  unwanted?(): number;
  /** Comes in place of `data` for bytes that `unwanted` has counted. */
  skip?(bytes: number): void;
}

/** Content that nobody wants. */
export const NOTHING: TarBody = { data() {}, end() {}, unwanted: () => Infinity };

/**
 * Headers before one entry that describe it; GNU tar writes at most three. A few kilobytes of zstd
 * stand for millions of them.
 */
const MAX_EXTENSIONS = 16;

/** Bytes of zeros after the end blocks; GNU tar fills its last record, 10 KiB unless told. */
const MAX_PADDING = 16 << 20;

type Mode = "header" | "body" | "padding" | "ended";

/**
 * Parses a tar archive that comes in slices: ustar, PAX, GNU long names and large numbers. It holds
 * one header and one extended header; contents pass through. The two zero blocks at the end must be
 * there.
 */
export class TarParser {
  readonly #label: string;
  readonly #limits: Limits;
  readonly #begin: (entry: TarEntry) => TarBody;
  readonly #block = new Uint8Array(BLOCK);
  #held = 0;
  #mode: Mode = "header";
  /** Bytes left of the body, then of its padding. */
  #left = 0;
  #padding = 0;
  #body: TarBody | undefined;
  #headers = 0;
  #zeroBlocks = 0;
  #afterEnd = 0;
  #current = "";
  #pax: PaxRecords = {};
  #longName: string | undefined;
  #longLink: string | undefined;
  #expectsEntry = false;
  /** Extended headers since the last entry. */
  #extensions = 0;

  /**
   * @param label How messages name this archive.
   * @param begin Called for each entry; gives what takes its content, also for empty ones.
   */
  constructor(label: string, limits: Limits, begin: (entry: TarEntry) => TarBody) {
    this.#label = label;
    this.#limits = limits;
    this.#begin = begin;
  }

  /** @throws {PackageError} NotTar, Corrupt, UnsafePath, LimitExceeded, TrailingData. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#mode) {
        case "body":
          at += this.#pushBody(chunk, at);
          break;
        case "padding":
          at += this.#pushPadding(chunk, at);
          break;
        case "header":
          at += this.#pushHeader(chunk, at);
          break;
        case "ended":
          return this.#checkAfterEnd(chunk.subarray(at));
      }
    }
  }

  /** How many of the bytes that come next nobody wants: {@linkcode TarParser.skip} may take them. */
  get unwanted(): number {
    return Math.min(this.#left, this.#body?.unwanted?.() ?? 0);
  }

  /** Goes on as if `bytes` bytes had been pushed; at most {@linkcode TarParser.unwanted}. */
  skip(bytes: number): void {
    this.#body?.skip?.(bytes);
    this.#advanceBody(bytes);
  }

  /** Call at the end of the data. @throws {PackageError} Truncated. */
  finish(): void {
    if (this.#mode === "ended") return;
    const where = this.#current === "" ? "before its first entry" : `at ${this.#current}`;
    throw packageError("Truncated", `${this.#label}: ends ${where}, without the end mark`);
  }

  #pushBody(chunk: Uint8Array, at: number): number {
    const step = Math.min(this.#left, chunk.length - at);
    this.#body?.data(step === chunk.length ? chunk : chunk.subarray(at, at + step));
    this.#advanceBody(step);
    return step;
  }

  #advanceBody(bytes: number): void {
    this.#left -= bytes;
    if (this.#left === 0) this.#endBody();
  }

  #endBody(): void {
    const body = this.#body;
    this.#body = undefined;
    this.#mode = this.#padding > 0 ? "padding" : "header";
    body?.end();
  }

  #pushPadding(chunk: Uint8Array, at: number): number {
    const step = Math.min(this.#padding, chunk.length - at);
    if (!isZero(chunk.subarray(at, at + step))) {
      throw this.#refuse("Corrupt", "the filling after the content is not empty");
    }
    this.#padding -= step;
    if (this.#padding === 0) this.#mode = "header";
    return step;
  }

  #pushHeader(chunk: Uint8Array, at: number): number {
    const step = Math.min(BLOCK - this.#held, chunk.length - at);
    this.#block.set(chunk.subarray(at, at + step), this.#held);
    this.#held += step;
    if (this.#held === BLOCK) {
      this.#held = 0;
      this.#readBlock();
    }
    return step;
  }

  #readBlock(): void {
    if (isZero(this.#block)) {
      if (this.#expectsEntry) throw this.#refuse("Corrupt", "an extended header has no entry");
      if (++this.#zeroBlocks === 2) this.#mode = "ended";
      return;
    }
    if (this.#zeroBlocks > 0) throw this.#refuse("Corrupt", "the end mark is half there");
    if (this.#headers === 0 && !checksumMatches(this.#block)) {
      throw packageError("NotTar", `${this.#label}: is not a tar archive`);
    }
    this.#headers++;
    const header = decodeHeader(this.#block, this.#refuse);
    if (isExtension(header.type)) return this.#readExtension(header.type, header.size);
    this.#readEntry(header, header.type);
  }

  #readEntry(header: TarHeader, type: TarType): void {
    const entry: TarEntry = {
      type: this.#pax.sparse === true ? "sparse file" : type,
      name: this.#longName ?? this.#pax.path ?? header.name,
      linkTarget: this.#longLink ?? this.#pax.linkpath ?? header.linkTarget,
      // Only files have content, whatever else the header says (Go, archive/tar isHeaderOnlyType).
      size: type === "file" || type === "sparse file" ? this.#pax.size ?? header.size : 0,
      mode: header.mode,
    };
    this.#pax = {};
    this.#longName = this.#longLink = undefined;
    this.#expectsEntry = false;
    this.#extensions = 0;
    this.#checkNameLength(entry.name);
    this.#checkNameLength(entry.linkTarget);
    this.#current = entry.name;
    this.#open(entry.size, this.#begin(entry));
  }

  #readExtension(type: TarExtension, size: number): void {
    if (size > this.#limits.tarExtensionBytes) {
      throw this.#refuse(
        "LimitExceeded",
        `an extended header has ${size} bytes, the limit is ${this.#limits.tarExtensionBytes}`,
      );
    }
    if (++this.#extensions > MAX_EXTENSIONS) {
      throw this.#refuse(
        "LimitExceeded",
        `there are more than ${MAX_EXTENSIONS} extended headers before an entry`,
      );
    }
    if (type !== "pax-global") this.#expectsEntry = true;
    this.#open(size, collected(size, (content) => this.#applyExtension(type, content)));
  }

  #applyExtension(type: TarExtension, content: Uint8Array): void {
    if (type === "long-name") this.#longName = text(content, this.#refuse);
    else if (type === "long-link") this.#longLink = text(content, this.#refuse);
    else {
      const records = decodePax(content, this.#refuse);
      // Global records are defaults for whole archives (a commit's id, say): nothing here uses them.
      if (type === "pax") this.#pax = { ...this.#pax, ...records };
    }
  }

  #open(size: number, body: TarBody): void {
    this.#body = body;
    this.#left = size;
    this.#padding = (BLOCK - size % BLOCK) % BLOCK;
    this.#mode = "body";
    if (size === 0) this.#endBody();
  }

  #checkNameLength(name: string): void {
    const bytes = utf8Length(name);
    if (bytes <= this.#limits.nameBytes) return;
    throw this.#refuse(
      "LimitExceeded",
      `a name has ${bytes} bytes, the limit is ${this.#limits.nameBytes}`,
    );
  }

  #checkAfterEnd(rest: Uint8Array): void {
    this.#afterEnd += rest.length;
    if (!isZero(rest) || this.#afterEnd > MAX_PADDING) {
      throw packageError("TrailingData", `${this.#label}: something follows its end mark`);
    }
  }

  readonly #refuse: Refuse = (reason, what) => {
    const where = this.#current === "" ? "" : ` (after ${JSON.stringify(this.#current)})`;
    return packageError(reason, `${this.#label}: ${what}${where}`);
  };
}

/** Keeps a content of `size` bytes in memory, and gives it on when it has come. */
export function collected(size: number, onEnd: (content: Uint8Array) => void): TarBody {
  const content = new Uint8Array(size);
  let filled = 0;
  return {
    data: (chunk) => {
      content.set(chunk, filled);
      filled += chunk.length;
    },
    end: () => onEnd(content),
  };
}

function isExtension(type: TarHeader["type"]): type is TarExtension {
  return type === "pax" || type === "pax-global" || type === "long-name" || type === "long-link";
}
