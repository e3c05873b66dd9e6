/**
 * Writes zstd frames by hand (RFC 8878, section 3.1): what compressors do not write.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** What stands in a frame's header; nothing is checked. */
export interface FrameHeader {
  /** log2 of the window. @default 20 */
  readonly windowLog?: number;
  /** Makes it a single segment of so many bytes, with a field of 8 bytes. */
  readonly contentSize?: bigint;
  /** In a field of 1 byte. */
  readonly dictionary?: number;
  readonly reserved?: boolean;
}

/** A frame without a checksum. */
export function frame(header: FrameHeader, blocks: readonly Uint8Array[]): Uint8Array {
  const { windowLog = 20, contentSize, dictionary, reserved } = header;
  const descriptor = (contentSize === undefined ? 0 : 0b1110_0000) | (reserved ? 8 : 0) |
    (dictionary === undefined ? 0 : 1);
  const size = Buffer.alloc(contentSize === undefined ? 0 : 8);
  if (contentSize !== undefined) size.writeBigUInt64LE(contentSize);
  return Buffer.concat([
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, descriptor),
    ...(contentSize === undefined ? [Uint8Array.of((windowLog - 10) << 3)] : []),
    ...(dictionary === undefined ? [] : [Uint8Array.of(dictionary)]),
    size,
    ...blocks,
  ]);
}

/** The content in blocks that are not compressed, the last one marked as that. */
export function rawBlock(content: Uint8Array, size: number = 100_000): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += size) {
    const part = content.subarray(at, at + size);
    const last = at + size >= content.length ? 1 : 0;
    const header = Buffer.alloc(3);
    header.writeUIntLE((part.length << 3) | last, 0, 3);
    blocks.push(header, part);
  }
  return blocks;
}

/** A skippable frame. */
export function skippable(content: Uint8Array): Uint8Array {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}
