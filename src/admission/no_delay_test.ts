import assert from "node:assert/strict";
import { sendAtOnce } from "./no_delay.ts";

/** Reads TCP_NODELAY of every socket of this process that is bound to `port`. */
function noDelayOf(port: number): number[] {
  const inodes = Deno.readTextFileSync("/proc/self/net/tcp").split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = ""]) => parseInt(local.split(":")[1] ?? "", 16) === port)
    .map((fields) => `socket:[${fields[9]}]`);
  const libc = Deno.dlopen("libc.so.6", {
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  });
  const descriptors = Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => name)
    .filter((name) => {
      try {
        return inodes.includes(Deno.readLinkSync(`/proc/self/fd/${name}`));
      } catch {
        return false;
      }
    });
  try {
    return descriptors.map((name) => {
      const [value, size] = [new Int32Array(1), Uint32Array.of(4)];
      assert.equal(libc.symbols.getsockopt(Number(name), 6, 1, value, size), 0);
      return value[0] ?? -1;
    });
  } finally {
    libc.close();
  }
}

Deno.test("what a listener accepts afterwards sends at once", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assert.deepEqual(noDelayOf(listener.addr.port), [0]);
  assert.equal(sendAtOnce(listener.addr), true);
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using accepted = await listener.accept();
  assert.equal(accepted.remoteAddr.transport, client.localAddr.transport);
  assert.deepEqual(noDelayOf(listener.addr.port), [1, 1]);
});

Deno.test("where nobody listens nothing is set, and nothing thrown", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { addr } = listener;
  listener.close();
  assert.equal(sendAtOnce(addr), false);
  assert.equal(sendAtOnce({ ...addr, hostname: "::1" }), false);
});
