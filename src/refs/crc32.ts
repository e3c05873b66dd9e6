import { crc32 as zlibCrc32 } from "node:zlib";

/**
 * The CRC-32 (IEEE 802.3, as in zlib) of a text's UTF-8 bytes as an unsigned decimal without padding
 * (Zarf 0.84, helpers.GetCRCHash, and `zarf internal crc32`).
 */
export function crc32(text: string): string {
  return String(zlibCrc32(text));
}
