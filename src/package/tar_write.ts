import { BLOCK } from "./tar_header.ts";

/** What an entry can be; the flags of POSIX 1003.1, pax, "ustar Interchange Format". */
export const TAR_FLAGS = {
  "file": "0",
  "symlink": "2",
  "directory": "5",
  "character device": "3",
  "block device": "4",
  "FIFO": "6",
  "socket": "s",
} as const;

/** The two zero blocks that end an archive. */
export const TAR_END_BYTES = 2 * BLOCK;
/** Files of a package are data; Zarf 0.84 writes 0600, older ones 0644. */
const MODE = 0o644;
/** Bytes of the name field, and the largest number that eleven octal digits hold. */
const NAME_BYTES = 100;
const MAX_OCTAL = 0o77777777777;

/**
 * The header of one entry: a ustar block, with a PAX header before it where the name or the size does
 * not fit.
 */
export function tarHeader(name: string, type: keyof typeof TAR_FLAGS, size: number): Uint8Array {
  const encoded = encoder.encode(name);
  const records = [
    ...(encoded.length > NAME_BYTES ? [paxRecord("path", name)] : []),
    ...(size > MAX_OCTAL ? [paxRecord("size", String(size))] : []),
  ];
  const block = ustar(shortened(encoded), TAR_FLAGS[type], Math.min(size, MAX_OCTAL));
  if (records.length === 0) return block;
  const pax = encoder.encode(records.join(""));
  const before = ustar(encoder.encode("PaxHeaders.0/entry"), "x", pax.length);
  const all = new Uint8Array(BLOCK + pax.length + tarPadding(pax.length) + BLOCK);
  all.set(before);
  all.set(pax, BLOCK);
  all.set(block, all.length - BLOCK);
  return all;
}

/** What stands in a header for a name that does not fit: cut within a character it would be no text. */
function shortened(name: Uint8Array): Uint8Array {
  return name.length > NAME_BYTES ? encoder.encode("see the header before") : name;
}

/** How many bytes fill up a content of `size` bytes. */
export function tarPadding(size: number): number {
  return (BLOCK - size % BLOCK) % BLOCK;
}

const encoder = new TextEncoder();

/** What an entry has beside name, type and size. */
export interface TarAttributes {
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Of a symbolic link, where it leads. */
  readonly target?: string;
}

/**
 * The header of one entry as GNU tar writes it, for programs that know nothing of PAX (busybox): a name
 * or a link's target that does not fit is the content of an entry before it, a large size is binary.
 * The owner is root.
 */
export function gnuTarHeader(
  name: string,
  type: "file" | "directory" | "symlink",
  size: number,
  { mode, mtime, target = "" }: TarAttributes,
): Uint8Array {
  const encoded = encoder.encode(name);
  const linked = encoder.encode(target);
  const block = ustar(shortened(encoded), TAR_FLAGS[type], size, { mode, mtime });
  block.set(shortened(linked), LINK_AT);
  // "ustar" with two spaces and no version is GNU's.
  block.set(encoder.encode("ustar  \0"), MAGIC_AT);
  seal(block);
  return joined([
    ...(linked.length > NAME_BYTES ? longName("K", linked) : []),
    ...(encoded.length > NAME_BYTES ? longName("L", encoded) : []),
    block,
  ]);
}

/** GNU's entry for a name that is too long for its header. */
function longName(flag: "K" | "L", name: Uint8Array): Uint8Array[] {
  const size = name.length + 1;
  const header = ustar(encoder.encode("././@LongLink"), flag, size);
  header.set(encoder.encode("ustar  \0"), MAGIC_AT);
  seal(header);
  return [header, name, new Uint8Array(1 + tarPadding(size))];
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Where fields of a header begin, in bytes. */
const SIZE_AT = 124;
const SUM_AT = 148;
const LINK_AT = 157;
const MAGIC_AT = 257;

function ustar(
  name: Uint8Array,
  flag: string,
  size: number,
  { mode, mtime }: TarAttributes = { mode: MODE, mtime: 0 },
): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (text: string, at: number) => block.set(encoder.encode(text), at);
  block.set(name);
  put(octal(mode, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  if (size <= MAX_OCTAL) put(octal(size, 11), SIZE_AT);
  else {
    block[SIZE_AT] = 0x80;
    new DataView(block.buffer).setBigUint64(SIZE_AT + 4, BigInt(size));
  }
  put(octal(mtime, 11), 136);
  put(flag, 156);
  put("ustar\x0000", MAGIC_AT);
  seal(block);
  return block;
}

/** Writes the checksum of a header, which counts itself as spaces. */
function seal(block: Uint8Array): void {
  block.fill(0x20, SUM_AT, SUM_AT + 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(encoder.encode(`${octal(sum, 6)}\0 `), SUM_AT);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** `"<length> <key>=<value>\n"`; the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return `${length} ${key}=${value}\n`;
}
