import { BLOCK } from "./tar_header.ts";

/** What an entry can be; the flags of POSIX 1003.1, pax, "ustar Interchange Format". */
export const TAR_FLAGS = {
  "file": "0",
  "symlink": "2",
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
  // Cut within a character it would be no text.
  const short = encoded.length > NAME_BYTES ? encoder.encode("see the header before") : encoded;
  const block = ustar(short, TAR_FLAGS[type], Math.min(size, MAX_OCTAL));
  if (records.length === 0) return block;
  const pax = encoder.encode(records.join(""));
  const before = ustar(encoder.encode("PaxHeaders.0/entry"), "x", pax.length);
  const all = new Uint8Array(BLOCK + pax.length + tarPadding(pax.length) + BLOCK);
  all.set(before);
  all.set(pax, BLOCK);
  all.set(block, all.length - BLOCK);
  return all;
}

/** How many bytes fill up a content of `size` bytes. */
export function tarPadding(size: number): number {
  return (BLOCK - size % BLOCK) % BLOCK;
}

const encoder = new TextEncoder();

function ustar(name: Uint8Array, flag: string, size: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (text: string, at: number) => block.set(encoder.encode(text), at);
  block.set(name);
  put(octal(MODE, 7), 100);
  put(octal(0, 7), 108);
  put(octal(0, 7), 116);
  put(octal(size, 11), 124);
  put(octal(0, 11), 136);
  put(" ".repeat(8), 148);
  put(flag, 156);
  put("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${octal(sum, 6)}\0 `, 148);
  return block;
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
