import assert from "node:assert/strict";
import { RegistryError } from "./errors.ts";
import { guardedRequest, readAll, stallGuarded } from "./transfer.ts";

const LIMITS = { firstByte: 50, stall: 50 };

function reasonIs(reason: string): (error: unknown) => boolean {
  return (error) => error instanceof RegistryError && error.reason === reason;
}

/** A body of one chunk that then never ends. */
function stalled(onCancel: () => void = () => {}): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(3)),
    cancel: onCancel,
  });
}

Deno.test("a server that takes the connection and says nothing is given up", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const { signal } = new AbortController();
  const { port } = listener.addr as Deno.NetAddr;
  await assert.rejects(
    () => guardedRequest("far", `http://127.0.0.1:${port}/`, {}, signal, LIMITS),
    reasonIs("UpstreamTimeout"),
  );
  (await accepted).close();
});

Deno.test("a request whose client is gone already is not made", async () => {
  await assert.rejects(
    () => guardedRequest("far", "http://127.0.0.1:1/", {}, AbortSignal.abort(), LIMITS),
    reasonIs("UpstreamFailed"),
  );
});

Deno.test("a body that stalls fails and is given up", async () => {
  let cancelled = false;
  const body = stalled(() => cancelled = true);
  const reader = stallGuarded("far", body, new AbortController().signal, LIMITS).getReader();
  assert.equal((await reader.read()).value?.length, 3);
  await assert.rejects(() => reader.read(), reasonIs("UpstreamTimeout"));
  assert.ok(cancelled);
});

Deno.test("an abort ends a read that would never end", async () => {
  const control = new AbortController();
  const limits = { firstByte: 50, stall: 60_000 };
  const reader = stallGuarded("far", stalled(), control.signal, limits).getReader();
  await reader.read();
  const pending = reader.read();
  control.abort();
  await assert.rejects(() => pending, reasonIs("UpstreamFailed"));
});

Deno.test("an abort before the first read breaks the body off", async () => {
  const reader = stallGuarded("far", new ReadableStream(), AbortSignal.abort(), LIMITS)
    .getReader();
  await assert.rejects(() => reader.read(), reasonIs("UpstreamFailed"));
});

Deno.test("what has passed is not held, however long the body is", async () => {
  const chunk = 1 << 20;
  const chunks = 400;
  let left = chunks;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left-- === 0) controller.close();
      else controller.enqueue(new Uint8Array(chunk).fill(left));
    },
  }, { highWaterMark: 0 });
  const before = Deno.memoryUsage().rss;
  let most = 0;
  for await (const passed of stallGuarded("far", body, new AbortController().signal)) {
    assert.equal(passed.length, chunk);
    most = Math.max(most, Deno.memoryUsage().rss - before);
  }
  assert.equal(left, -1);
  assert.ok(most < chunks * chunk / 2, `${most} bytes were held`);
});

Deno.test("a body is read whole up to the limit and not further", async () => {
  const { signal } = new AbortController();
  const bytes = new Uint8Array([1, 2, 3]);
  assert.deepEqual(await readAll("far", new Response(bytes), 3, signal), bytes);
  assert.deepEqual(await readAll("far", new Response(null), 3, signal), new Uint8Array());
  await assert.rejects(
    () => readAll("far", new Response(bytes), 2, signal),
    reasonIs("UpstreamInvalid"),
  );
});
