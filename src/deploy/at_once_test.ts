import assert from "node:assert/strict";
import { atOnce } from "./at_once.ts";

Deno.test("each item has its turn once, never more than eight at a time", async () => {
  const seen: number[] = [];
  let running = 0;
  let most = 0;
  await atOnce(Array.from({ length: 30 }, (_, at) => at), async (item) => {
    most = Math.max(most, ++running);
    seen.push(item);
    await Promise.resolve();
    running--;
  });
  assert.deepEqual(seen.toSorted((a, b) => a - b), Array.from({ length: 30 }, (_, at) => at));
  assert.equal(most, 8);
  await atOnce([], () => assert.fail("there is nothing"));
});

Deno.test("what fails comes out", async () => {
  const why = new Error("no answer");
  await assert.rejects(
    atOnce([1, 2], (item) => item === 2 ? Promise.reject(why) : Promise.resolve()),
    why,
  );
});
