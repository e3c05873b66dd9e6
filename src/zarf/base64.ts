/** Text as base64 of its UTF-8 bytes, as in a Secret's `data`. */
export function encodeBase64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** The text of base64 of UTF-8 bytes; undefined when it is no base64. */
export function decodeBase64(encoded: string): string | undefined {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(encoded));
  } catch {
    return undefined;
  }
}
