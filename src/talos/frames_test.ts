import assert from "node:assert/strict";
import { TalosError } from "./errors.ts";
import { frame, MAX_MESSAGE, messagesOf } from "./frames.ts";

const ONE = new TextEncoder().encode("one");
const NONE = new Uint8Array();
const LONG = new Uint8Array(100_000).fill(7);

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

function read(body: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  return Array.fromAsync(messagesOf(body, "a.Service/Call"));
}

Deno.test("a message has five bytes before it", () => {
  assert.deepEqual([...frame(ONE)], [0, 0, 0, 0, 3, 111, 110, 101]);
});

for (const size of [1, 2, 5, 7, 4096, 1_000_000]) {
  Deno.test(`messages that come in pieces of ${size} bytes are whole`, async () => {
    const body = concat(frame(ONE), frame(NONE), frame(LONG), frame(ONE));
    assert.deepEqual(await read(pieces(body, size)), [ONE, NONE, LONG, ONE]);
  });
}

Deno.test("an answer without a message has none", async () => {
  assert.deepEqual(await read(pieces(NONE, 1)), []);
});

Deno.test("an answer that cannot be right is refused, with the call's name", async (t) => {
  const tooLong = new Uint8Array(5);
  new DataView(tooLong.buffer).setUint32(1, MAX_MESSAGE + 1);
  const rows: [name: string, body: Uint8Array, message: RegExp][] = [
    ["cut within a prefix", concat(frame(ONE), frame(ONE).slice(0, 3)), /ends within a message/],
    ["cut before a message", frame(ONE).slice(0, 5), /ends within a message/],
    ["cut within a message", frame(ONE).slice(0, 7), /ends within a message/],
    ["compressed", new Uint8Array([1, 0, 0, 0, 0]), /compressed/],
    ["too long", tooLong, /a message of 33554433 bytes, the limit is 33554432/],
  ];
  for (const [name, body, message] of rows) {
    await t.step(name, async () => {
      await assert.rejects(read(pieces(body, 4)), (error) => {
        assert(error instanceof TalosError);
        assert.deepEqual([error.reason, error.disposition], ["BadResponse", "retry"]);
        assert.match(error.message, /^a\.Service\/Call: /);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

Deno.test("what comes before a cut is given, and what reading throws comes out as it is", async () => {
  const lost = new Error("connection reset");
  const body = async function* () {
    yield frame(ONE);
    throw lost;
  };
  const seen: Uint8Array[] = [];
  await assert.rejects(async () => {
    for await (const message of messagesOf(body(), "x")) seen.push(message);
  }, lost);
  assert.deepEqual(seen, [ONE]);
});
