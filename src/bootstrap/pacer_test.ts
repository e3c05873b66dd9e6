import assert from "node:assert/strict";
import type { Clock } from "../std/mod.ts";
import { Pacer } from "./pacer.ts";

class TooMany extends Error {
  constructor(readonly retryAfter?: number) {
    super("429");
  }
}

const overload = (error: unknown) =>
  error instanceof TooMany
    ? (error.retryAfter === undefined ? {} : { retryAfter: error.retryAfter })
    : undefined;

/** A clock on which sleeping takes no time but is remembered. */
function fakeClock(): Clock & { slept: number[]; advance(ms: number): void } {
  let time = 0;
  const slept: number[] = [];
  return {
    slept,
    advance: (ms) => void (time += ms),
    now: () => new Date(time),
    monotonic: () => time,
    sleep: (ms) => {
      slept.push(ms);
      time += ms;
      return Promise.resolve();
    },
  };
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

Deno.test("every item is handled once and the limit is kept", async () => {
  const pacer = new Pacer({ overload, initial: 2, max: 5 });
  const done: number[] = [];
  let active = 0;
  let most = 0;
  await pacer.run(numbers(40), async (item) => {
    most = Math.max(most, ++active);
    await new Promise((resolve) => setTimeout(resolve, 1));
    active--;
    done.push(item);
  });
  assert.deepEqual(done.toSorted((a, b) => a - b), numbers(40));
  assert(most <= 5, `at most 5 in flight, not ${most}`);
  assert(most > 2, "quick answers let more in flight");
});

Deno.test("a server that says 429 gets fewer calls, later, and every item in the end", async () => {
  const clock = fakeClock();
  const pacer = new Pacer({ overload, initial: 8, clock });
  let refusals = 3;
  const done = new Set<number>();
  await pacer.run(numbers(10), (item) => {
    if (refusals-- > 0) return Promise.reject(new TooMany(700));
    done.add(item);
    return Promise.resolve();
  });
  assert.equal(done.size, 10);
  assert(pacer.limit < 8, `the limit fell to ${pacer.limit}`);
  assert(clock.slept.some((ms) => ms >= 700), "it waited as long as the server asked");
});

Deno.test("slow answers halve the limit", async () => {
  const clock = fakeClock();
  const pacer = new Pacer({ overload, initial: 8, slow: 100, clock });
  await pacer.run(numbers(3), () => {
    clock.advance(500);
    return Promise.resolve();
  });
  assert.equal(pacer.limit, 1);
});

Deno.test("another failure ends the run and starts nothing new", async () => {
  const started: number[] = [];
  const pacer = new Pacer({ overload, initial: 1, max: 1 });
  await assert.rejects(
    pacer.run(numbers(5), (item) => {
      started.push(item);
      return item === 1 ? Promise.reject(new Error("refused")) : Promise.resolve();
    }),
    /refused/,
  );
  assert.deepEqual(started, [0, 1]);
});

Deno.test("overload for ever is given up after the attempts", async () => {
  const pacer = new Pacer({ overload, attempts: 3, clock: fakeClock() });
  let calls = 0;
  await assert.rejects(
    pacer.run([1], () => {
      calls++;
      return Promise.reject(new TooMany());
    }),
    /429/,
  );
  assert.equal(calls, 3);
});

Deno.test("an aborted run stops and says so", async () => {
  const abort = new AbortController();
  const pacer = new Pacer({ overload, initial: 1, max: 1 });
  let calls = 0;
  const run = pacer.run(numbers(5), () => {
    if (++calls === 2) abort.abort();
    return Promise.resolve();
  }, abort.signal);
  await assert.rejects(run, /abort/i);
  assert.equal(calls, 2);
});
