import assert from "node:assert/strict";
import { Deadline } from "./deadline.ts";
import { readBody } from "./read_body.ts";

/** More than a body takes, in milliseconds. */
const AMPLE = 60_000;
const BLOCK = 256 << 10;

/** A body as fetch gives one, in chunks of these sizes; each byte says where it stands. */
function bodyOf(...sizes: number[]) {
  let [at, cancelled] = [0, false];
  const stream = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const size = sizes.shift();
      if (size === undefined) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      controller.enqueue(Uint8Array.from({ length: size }, () => at++ % 251));
    },
    cancel: () => void (cancelled = true),
  });
  return { stream, isCancelled: () => cancelled };
}

async function read(stream: ReadableStream<Uint8Array> | null, limit = 10 * BLOCK) {
  const deadline = new Deadline(AMPLE, undefined);
  try {
    return await readBody(stream, deadline, { what: "GET /x", limit });
  } finally {
    deadline.end();
  }
}

const rows: readonly [what: string, sizes: number[]][] = [
  ["nothing", []],
  ["one chunk", [10]],
  ["many small chunks", Array(500).fill(7)],
  ["just a block", [BLOCK]],
  ["a block and a byte", [BLOCK, 1]],
  ["chunks that end in the middle of a block", [BLOCK - 5, 10, BLOCK, 3]],
  ["a chunk of several blocks", [3 * BLOCK + 17]],
];

for (const [what, sizes] of rows) {
  Deno.test(`a body is whole and in order: ${what}`, async () => {
    const size = sizes.reduce((sum, one) => sum + one, 0);
    const body = await read(bodyOf(...sizes).stream);
    assert.equal(body.length, size);
    assert(body.every((byte, at) => byte === at % 251));
  });
}

Deno.test("an answer without a body is empty", async () => {
  assert.equal((await read(null)).length, 0);
});

Deno.test("a body of the limit is taken, and one that is larger by a byte is given up", async () => {
  assert.equal((await read(bodyOf(900, 100).stream, 1_000)).length, 1_000);
  const { stream, isCancelled } = bodyOf(900, 101, 5_000);
  await assert.rejects(read(stream, 1_000), {
    reason: "TooLarge",
    message: "GET /x: the answer is larger than 1000 bytes",
  });
  assert(isCancelled(), "the rest is not read");
});

Deno.test("a body that does not come is given up with its caller", async () => {
  const stop = new AbortController();
  const deadline = new Deadline(AMPLE, stop.signal);
  const stream = new ReadableStream({ type: "bytes", pull: () => stop.abort(new Error("stop")) });
  await assert.rejects(readBody(stream, deadline, { what: "GET /x", limit: 10 }), /stop/);
  deadline.end();
});
