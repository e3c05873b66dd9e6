import { PackageError, type PackageErrorReason } from "./errors.ts";

/** The size of a header and the unit of everything else in a tar. */
export const BLOCK = 512;

/** What an entry is. */
export type TarType =
  | "file"
  | "directory"
  | "symlink"
  | "hardlink"
  | "character device"
  | "block device"
  | "FIFO"
  | "sparse file"
  | "entry of an unknown type";

/** Headers that describe the entry after them. */
export type TarExtension = "pax" | "pax-global" | "long-name" | "long-link";

/** One header block, decoded. */
export interface TarHeader {
  readonly type: TarType | TarExtension;
  /** As written, with the ustar prefix; not checked. */
  readonly name: string;
  readonly linkTarget: string;
  /** As written; means nothing for entries without content. */
  readonly size: number;
  /** The nine permission bits. */
  readonly mode: number;
}

const TYPES: Readonly<Record<string, TarType | TarExtension>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character device",
  "4": "block device",
  "5": "directory",
  "6": "FIFO",
  "S": "sparse file",
  "x": "pax",
  "g": "pax-global",
  "L": "long-name",
  "K": "long-link",
};

/** Whether the block holds nothing but zero bytes. */
export function isZero(block: Uint8Array): boolean {
  for (const byte of block) if (byte !== 0) return false;
  return true;
}

/** Makes the error of a tar; the reader of the tar adds where it is. */
export type Refuse = (reason: PackageErrorReason, what: string) => PackageError;

/**
 * Decodes a header: ustar, GNU and the old form without a magic (POSIX 1003.1, pax, "ustar
 * Interchange Format"; GNU tar manual, "Basic Tar Format").
 *
 * @throws what `refuse` makes: Corrupt for a wrong checksum or number.
 */
export function decodeHeader(block: Uint8Array, refuse: Refuse): TarHeader {
  if (!checksumMatches(block)) throw refuse("Corrupt", "a header has a wrong checksum");
  const flag = String.fromCharCode(block[156] ?? 0);
  const name = fullName(block, refuse);
  const plain = TYPES[flag] ?? "entry of an unknown type";
  return {
    // Before POSIX a directory was a file whose name ends with a slash.
    type: flag === "\0" && name.endsWith("/") ? "directory" : plain,
    name,
    linkTarget: text(block.subarray(157, 257), refuse),
    size: number(block.subarray(124, 136), refuse),
    mode: number(block.subarray(100, 108), refuse) & 0o777,
  };
}

function fullName(block: Uint8Array, refuse: Refuse): string {
  const name = text(block.subarray(0, 100), refuse);
  // "ustar" and NUL; GNU writes a space there and keeps other things in the prefix field.
  const posix = MAGIC.every((byte, index) => block[257 + index] === byte);
  const prefix = posix ? text(block.subarray(345, 500), refuse) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

const MAGIC = [0x75, 0x73, 0x74, 0x61, 0x72, 0];

/** Whether the header's own checksum is right; old tars summed signed bytes. */
export function checksumMatches(block: Uint8Array): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < BLOCK; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : block[index] ?? 0;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const stated = octal(block.subarray(148, 156));
  return stated === unsigned || stated === signed;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A text field up to its first NUL. */
export function text(field: Uint8Array, refuse: Refuse): string {
  const end = field.indexOf(0);
  try {
    return decoder.decode(end < 0 ? field : field.subarray(0, end));
  } catch {
    throw refuse("UnsafePath", "a name is not UTF-8");
  }
}

function number(field: Uint8Array, refuse: Refuse): number {
  const first = field[0] ?? 0;
  const value = (first & 0x80) === 0 ? octal(field) : base256(field);
  if (value === undefined || value < 0 || !Number.isSafeInteger(value)) {
    throw refuse("Corrupt", "a header has an impossible number");
  }
  return value;
}

function octal(field: Uint8Array): number | undefined {
  const digits = String.fromCharCode(...field).replace(/^[ \0]+|[ \0]+$/g, "");
  if (digits === "") return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

/** GNU's form for numbers that octal digits cannot hold; the second highest bit is the sign. */
function base256(field: Uint8Array): number {
  const first = field[0] ?? 0;
  if ((first & 0x40) !== 0) return -1;
  let value = first & 0x3f;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return value;
}

/** What PAX records change of the entry after them. */
export interface PaxRecords {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
  readonly sparse?: boolean;
}

/**
 * Decodes PAX records: `"<length> <key>=<value>\n"`, the length counting itself (POSIX 1003.1, pax
 * Extended Header).
 *
 * @throws what `refuse` makes: Corrupt, or UnsafePath for a name that is not UTF-8.
 */
export function decodePax(block: Uint8Array, refuse: Refuse): PaxRecords {
  const found: { path?: string; linkpath?: string; size?: number; sparse?: boolean } = {};
  for (let at = 0; at < block.length;) {
    let space = at;
    let length = 0;
    for (; isDigit(block[space]); space++) length = length * 10 + (block[space] ?? 0) - ZERO;
    const end = at + length;
    const equals = block.indexOf(0x3d, space);
    if (
      block[space] !== 0x20 || end > block.length || block[end - 1] !== 0x0a ||
      equals < 0 || equals >= end || space >= end
    ) {
      throw refuse("Corrupt", "an extended header cannot be read");
    }
    const key = text(block.subarray(space + 1, equals), refuse);
    const value = block.subarray(equals + 1, end - 1);
    if (key === "path" || key === "linkpath") found[key] = paxName(value, refuse);
    if (key === "size") found.size = paxSize(value, refuse);
    if (key.startsWith("GNU.sparse.")) found.sparse = true;
    at = end;
  }
  return found;
}

const ZERO = 0x30;

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte < ZERO + 10;
}

function paxName(value: Uint8Array, refuse: Refuse): string {
  if (value.includes(0)) throw refuse("UnsafePath", "a name holds a NUL");
  return text(value, refuse);
}

function paxSize(value: Uint8Array, refuse: Refuse): number {
  const digits = String.fromCharCode(...value);
  const size = /^[0-9]{1,16}$/.test(digits) ? Number(digits) : NaN;
  if (!Number.isSafeInteger(size)) throw refuse("Corrupt", "an extended header has a wrong size");
  return size;
}
