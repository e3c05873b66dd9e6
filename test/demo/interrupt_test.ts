import assert from "node:assert/strict";
import { onInterrupt } from "./interrupt.ts";

Deno.test("the first interrupt aborts, the second ends the program", async () => {
  const exits: number[] = [];
  using interrupt = onInterrupt((code) => void exits.push(code));
  const aborted = new Promise((resolve) => interrupt.signal.addEventListener("abort", resolve));
  Deno.kill(Deno.pid, "SIGTERM");
  await aborted;
  assert.deepEqual(exits, []);
  Deno.kill(Deno.pid, "SIGINT");
  const deadline = performance.now() + 5_000;
  while (exits.length === 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual(exits, [130]);
});
