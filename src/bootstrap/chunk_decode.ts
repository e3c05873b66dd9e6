import { Buffer } from "node:buffer";

/** Base64 characters that are decoded at once; a multiple of four. */
const DECODE_STEP = 64 * 1024;

/**
 * The bytes of the chunk `name` in the JSON of its ConfigMap, decoded into `into`; `undefined` where
 * there are none, or not base64, or more than fit.
 *
 * The JSON is searched and not parsed: thirty chunks as JavaScript strings and their copies left an
 * agent at three times the memory. What is found is believed only when its digest is right.
 */
export function decodeChunk(
  json: Uint8Array,
  name: string,
  into: Uint8Array,
): Uint8Array | undefined {
  const text = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  const marker = `"${name}":"`;
  const found = text.indexOf(marker);
  if (found < 0) return undefined;
  const start = found + marker.length;
  const end = text.indexOf('"', start);
  if (end < 0) return undefined;
  let filled = 0;
  for (let from = start; from < end; from += DECODE_STEP) {
    const piece = text.toString("latin1", from, Math.min(end, from + DECODE_STEP));
    const space = into.subarray(filled);
    try {
      const { read, written } = space.setFromBase64(piece);
      if (read !== piece.length) return undefined;
      filled += written;
    } catch {
      return undefined;
    }
  }
  return into.subarray(0, filled);
}
