import assert from "node:assert/strict";
import { freeAddress } from "./free_address.ts";

Deno.test("each address is another one, is free, and is none that connections are given", () => {
  const addresses = Array.from({ length: 50 }, freeAddress);
  assert.equal(new Set(addresses).size, addresses.length);
  for (const address of addresses) {
    const [hostname = "", port] = address.split(":");
    using _listener = Deno.listen({ hostname, port: Number(port) });
    assert.ok(Number(port) >= 20_000 && Number(port) < 30_000, "below 32768, and no node port");
  }
});

Deno.test("an address that is in use is left out", () => {
  const [, port] = freeAddress().split(":");
  // The next few, which it would come to.
  const listeners = [1, 2, 3].flatMap((more) => {
    try {
      return [Deno.listen({ hostname: "127.0.0.1", port: Number(port) + more })];
    } catch {
      return [];
    }
  });
  try {
    const taken = listeners.map(({ addr }) => `127.0.0.1:${addr.port}`);
    assert.ok(taken.length > 0 && !taken.includes(freeAddress()));
  } finally {
    for (const listener of listeners) listener.close();
  }
});
