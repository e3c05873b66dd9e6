import assert from "node:assert/strict";
import { sendAtOnce } from "./no_delay.ts";

/** Milliseconds that the second of two small answers takes after the first, in the middle of eleven. */
async function secondAnswer(prepare: (port: number) => void): Promise<number> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  prepare(listener.addr.port);
  const accepting = listener.accept();
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  client.setNoDelay();
  using server = await accepting;
  const buffer = new Uint8Array(10);
  const times: number[] = [];
  for (let round = 0; round < 11; round++) {
    await client.write(Uint8Array.of(1));
    await server.read(buffer);
    await server.write(Uint8Array.of(2));
    assert.equal(await client.read(buffer), 1);
    const start = performance.now();
    await server.write(Uint8Array.of(3));
    assert.equal(await client.read(buffer), 1);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[5] ?? assert.fail();
}

if (Deno.build.os === "linux") {
  Deno.test("an answer does not wait until the one before it is acknowledged", async () => {
    const took = await secondAnswer((port) => assert.equal(sendAtOnce(port), true));
    // Linux acknowledges after 40 ms what nothing is sent back to.
    assert.ok(took < 25, `${took} ms`);
  });
}

Deno.test("a port where nobody listens is no reason to fail", () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  assert.equal(sendAtOnce(port), false);
});
