/** Text as base64 of its UTF-8 bytes, as in a Secret's `data`. */
export function encodeBase64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** The text of base64 of UTF-8 bytes. */
export function decodeBase64(encoded: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(encoded));
}
