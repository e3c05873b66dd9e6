import assert from "node:assert/strict";
import { Occasion, whenAborted } from "./signals.ts";

Deno.test("whoever waits for several signals is told by the first of them", async () => {
  const [first, second] = [new AbortController(), new AbortController()];
  let told = false;
  const waiting = whenAborted(first.signal, second.signal).then(() => told = true);
  await Promise.resolve();
  assert.equal(told, false);
  second.abort();
  await waiting;
  await whenAborted(first.signal, second.signal);
});

Deno.test("an occasion tells those who waited for it, once, and they can wait for the next", () => {
  const occasion = new Occasion();
  const first = occasion.next;
  let second: AbortSignal | undefined;
  first.addEventListener("abort", () => second = occasion.next);
  occasion.happen();
  assert.equal(first.aborted, true);
  assert(second && !second.aborted);
  occasion.happen();
  assert.equal(second.aborted, true);
});
