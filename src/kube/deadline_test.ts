import assert from "node:assert/strict";
import { Deadline } from "./deadline.ts";

const never = new Promise<never>(() => {});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("a wait that ignores its signal ends all the same", async () => {
  const deadline = new Deadline(30);
  await assert.rejects(deadline.race(never), { name: "TimeoutError" });
  assert.ok(deadline.expired && deadline.signal.aborted);
  deadline.end();
  const controller = new AbortController();
  const called = new Deadline(10_000, controller.signal);
  const why = new Error("enough");
  setTimeout(() => controller.abort(why), 10);
  await assert.rejects(called.race(never), why);
  assert.ok(!called.expired);
  called.end();
});

Deno.test("a signal that aborted before counts at once", async () => {
  const why = new Error("enough");
  const deadline = new Deadline(10_000, AbortSignal.abort(why));
  await assert.rejects(deadline.race(never), why);
  deadline.end();
});

Deno.test("the time can be stopped and started again", async () => {
  const deadline = new Deadline(60);
  deadline.pause();
  await pause(120);
  assert.ok(!deadline.expired);
  deadline.extend();
  await assert.rejects(deadline.race(never), { name: "TimeoutError" });
  deadline.end();
});

Deno.test("a result that comes too late is handed over to be thrown away", async () => {
  const deadline = new Deadline(20);
  const { promise, resolve } = Promise.withResolvers<string>();
  const late: string[] = [];
  await assert.rejects(deadline.race(promise, (result) => late.push(result)));
  resolve("answer");
  await pause(0);
  assert.deepEqual(late, ["answer"]);
  const inTime = new Deadline(10_000);
  assert.equal(await inTime.race(Promise.resolve("x"), (result) => late.push(result)), "x");
  await pause(0);
  assert.deepEqual(late, ["answer"]);
  inTime.cancel();
  assert.ok(inTime.signal.aborted && !inTime.expired);
  deadline.end();
});

Deno.test("what was waited for is not held as long as the deadline lives", async () => {
  const chunk = 1 << 20;
  const chunks = 300;
  const deadline = new Deadline(60_000);
  const before = Deno.memoryUsage().rss;
  let most = 0;
  for (let at = 0; at < chunks; at++) {
    const read = await deadline.race(pause(0).then(() => new Uint8Array(chunk).fill(at)));
    assert.equal(read.length, chunk);
    most = Math.max(most, Deno.memoryUsage().rss - before);
  }
  deadline.end();
  assert.ok(most < chunks * chunk / 2, `${most} bytes were held`);
});
