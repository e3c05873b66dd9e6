import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { RegistryError } from "./errors.ts";
import { verifiedBody } from "./verified.ts";

const encoder = new TextEncoder();

/** The body of another registry: chunks, then an end or an error. */
function source(chunks: readonly string[], failure?: Error) {
  let at = 0;
  const seen = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = chunks[at++];
      if (chunk !== undefined) controller.enqueue(encoder.encode(chunk));
      else if (failure === undefined) controller.close();
      else controller.error(failure);
    },
    cancel: () => void (seen.cancelled = true),
  }, { highWaterMark: 0 });
  return { body, seen };
}

interface Outcome {
  readonly received: string;
  readonly error: unknown;
  readonly bytes: number;
  readonly ends: number;
}

/** Reads a blob that is announced with `size` and the digest of `expected`. */
async function receive(
  chunks: readonly string[],
  expected: string,
  size = expected.length,
  failure?: Error,
): Promise<Outcome> {
  let bytes = 0;
  let ends = 0;
  const { body } = source(chunks, failure);
  const observer = { onBytes: (count: number) => void (bytes += count), onEnd: () => void ends++ };
  let received = "";
  let error: unknown;
  try {
    for await (const chunk of verifiedBody({ size, body }, digestOf(expected), observer)) {
      received += new TextDecoder().decode(chunk);
    }
  } catch (caught) {
    error = caught;
  }
  return { received, error, bytes, ends };
}

for (
  const chunks of [["hello, blob"], ["hello", ", ", "blob"], [..."hello, blob"], [
    "hello",
    "",
    ", blob",
  ]]
) {
  Deno.test(`a right blob in ${chunks.length} chunks comes whole`, async () => {
    assert.deepEqual(await receive(chunks, "hello, blob"), {
      received: "hello, blob",
      error: undefined,
      bytes: 11,
      ends: 1,
    });
  });
}

Deno.test("an empty blob comes whole", async () => {
  const outcome = await receive([], "");
  assert.deepEqual(outcome, { received: "", error: undefined, bytes: 0, ends: 1 });
});

for (
  const [what, chunks, expected, size, message, received] of [
    ["other bytes in its only chunk", ["hell0"], "hello", 5, /has other bytes/, ""],
    ["other bytes in its last chunk", ["hel", "l0"], "hello", 5, /has other bytes/, "hel"],
    ["other bytes in its first chunk", ["h3l", "lo"], "hello", 5, /has other bytes/, "h3l"],
    ["a byte less", ["hel", "l"], "hello", 5, /is shorter than announced/, "hel"],
    ["nothing at all", [], "hello", 5, /is shorter than announced/, ""],
    ["a byte more", ["hel", "lo!"], "hello", 5, /is longer than announced/, ""],
    ["the right bytes and a wrong length", ["hello"], "hello", 6, /is shorter/, ""],
    ["an end that never comes", ["hello", "more", "more"], "hello", 5, /is longer/, ""],
  ] as const
) {
  Deno.test(`a blob with ${what} breaks off before its last byte`, async () => {
    const outcome = await receive(chunks, expected, size);
    assert.ok(outcome.error instanceof RegistryError);
    assert.equal(outcome.error.reason, "UpstreamInvalid");
    assert.equal(outcome.error.disposition, "retry");
    assert.match(outcome.error.message, message);
    assert.ok(outcome.error.message.includes(digestOf(expected)));
    assert.equal(outcome.received, received);
    assert.equal(outcome.bytes, received.length, "only what was sent is counted");
    assert.equal(outcome.ends, 1);
  });
}

Deno.test("a transfer that breaks off breaks off for the client, with its own cause", async () => {
  const gone = new Error("the connection is gone");
  const outcome = await receive(["hel"], "hello", 5, gone);
  assert.equal(outcome.error, gone);
  assert.equal(outcome.received, "");
  assert.equal(outcome.ends, 1);
});

Deno.test("a client that goes away ends the transfer, and is counted once", async () => {
  let ends = 0;
  const { body, seen } = source(["a", "b", "c", "d"]);
  const observer = { onBytes: () => {}, onEnd: () => void ends++ };
  const reader = verifiedBody({ size: 4, body }, digestOf("abcd"), observer).getReader();
  assert.equal((await reader.read()).value?.length, 1);
  await reader.cancel("gone");
  assert.equal(seen.cancelled, true);
  assert.equal(ends, 1);
});

Deno.test("a wrong blob's transfer is ended, not left to run", async () => {
  const { body, seen } = source(["too", "long", "by", "far"]);
  const observer = { onBytes: () => {}, onEnd: () => {} };
  const stream = verifiedBody({ size: 5, body }, digestOf("right"), observer);
  await assert.rejects(() => new Response(stream).arrayBuffer());
  assert.equal(seen.cancelled, true);
});

Deno.test("nothing is asked of the other registry before the client reads", async () => {
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls++;
      controller.enqueue(encoder.encode("x"));
    },
  }, { highWaterMark: 0 });
  const observer = { onBytes: () => {}, onEnd: () => {} };
  const stream = verifiedBody({ size: 100, body }, digestOf("x"), observer);
  await Promise.resolve();
  assert.equal(pulls, 0);
  const reader = stream.getReader();
  await reader.read();
  assert.equal(pulls, 2, "the chunk that is sent, and the one that is held back");
  await reader.cancel();
});
