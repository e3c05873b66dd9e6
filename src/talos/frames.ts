import { TalosError } from "./errors.ts";

/** machined's own limit for one message, in bytes (Talos 1.13, constants.GRPCMaxMessageSize). */
export const MAX_MESSAGE = 32 * 1024 * 1024;
/** One byte that says whether it is compressed, four for the length (grpc/doc/PROTOCOL-HTTP2.md). */
const PREFIX = 5;

/** A message as it goes over the wire. */
export function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PREFIX + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, PREFIX);
  return bytes;
}

/**
 * The messages of a body, as they come. Each is copied once, however small its pieces are.
 *
 * @param call names the call in errors.
 * @throws {TalosError} BadResponse for a message that is compressed, too large or cut off; and what
 * reading throws.
 */
export async function* messagesOf(
  body: AsyncIterable<Uint8Array>,
  call: string,
): AsyncGenerator<Uint8Array> {
  const pieces = new Pieces();
  let length: number | undefined;
  for await (const chunk of body) {
    pieces.push(chunk);
    for (;;) {
      if (length === undefined && pieces.size >= PREFIX) {
        length = lengthOf(pieces.take(PREFIX), call);
      }
      if (length === undefined || pieces.size < length) break;
      yield pieces.take(length);
      length = undefined;
    }
  }
  if (length !== undefined || pieces.size > 0) throw bad(call, "the answer ends within a message");
}

/** Bytes of the message that a prefix announces. */
function lengthOf(prefix: Uint8Array, call: string): number {
  const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(1);
  if (prefix[0] !== 0) throw bad(call, "the answer is compressed, which was not asked for");
  if (length <= MAX_MESSAGE) return length;
  throw bad(call, `the answer has a message of ${length} bytes, the limit is ${MAX_MESSAGE}`);
}

/** Bytes that came in pieces. */
class Pieces {
  readonly #pieces: Uint8Array[] = [];
  size = 0;

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.size += piece.length;
  }

  /** The first bytes; so many must be there. */
  take(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    let filled = 0;
    let used = 0;
    while (filled < count) {
      const piece = this.#pieces[used] ?? new Uint8Array();
      const part = piece.subarray(0, count - filled);
      bytes.set(part, filled);
      filled += part.length;
      if (part.length === piece.length) used++;
      else this.#pieces[used] = piece.subarray(part.length);
    }
    this.#pieces.splice(0, used);
    this.size -= count;
    return bytes;
  }
}

function bad(call: string, why: string): TalosError {
  return new TalosError({ reason: "BadResponse", message: `${call}: ${why}` });
}
