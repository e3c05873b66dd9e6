import type { Deadline } from "./deadline.ts";
import { KubeError } from "./errors.ts";

/** Bytes that a body is read in. */
const BLOCK = 256 << 10;

/** Which body is read. */
export interface BodyOptions {
  /** The request, for people. */
  readonly what: string;
  /** The most bytes that are taken. */
  readonly limit: number;
}

/**
 * A whole body. It is read into blocks that are filled to their end: a stream's own chunks are small
 * parts of large buffers, which would hold several times the memory of the body.
 *
 * @throws {KubeError} `TooLarge`
 */
export async function readBody(
  stream: ReadableStream<Uint8Array> | null,
  deadline: Deadline,
  { what, limit }: BodyOptions,
): Promise<Uint8Array> {
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader({ mode: "byob" });
  const blocks: Uint8Array[] = [];
  let size = 0;
  try {
    for (let block = new Uint8Array(BLOCK), filled = 0;;) {
      const { done, value } = await deadline.race(reader.read(block.subarray(filled)));
      if (done) {
        return concat([...blocks, new Uint8Array(value?.buffer ?? block.buffer, 0, filled)]);
      }
      block = new Uint8Array(value.buffer);
      filled += value.length;
      size += value.length;
      if (size > limit) throw tooLarge(what, limit);
      if (filled < BLOCK) continue;
      blocks.push(block);
      [block, filled] = [new Uint8Array(BLOCK), 0];
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  }
}

function tooLarge(what: string, limit: number): KubeError {
  return new KubeError({
    reason: "TooLarge",
    message: `${what}: the answer is larger than ${limit} bytes`,
  });
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
