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
