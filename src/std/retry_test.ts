import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { HoldfastError } from "./errors.ts";
import { backoffDelay, retry } from "./retry.ts";

const middle = () => 0.5;

Deno.test("pauses double up to the longest one", () => {
  const at = (attempt: number) =>
    backoffDelay(attempt, { initial: 100, max: 1_000, random: middle });
  assert.deepEqual([0, 1, 2, 3, 4, 5, 1_000].map(at), [75, 150, 300, 600, 750, 750, 750]);
});

Deno.test("the lower half of a pause is certain and the upper half is chance", () => {
  const between = (random: number) => backoffDelay(0, { initial: 100, random: () => random });
  assert.equal(between(0), 50);
  assert.equal(between(0.999_999) > 99.9, true);
  for (let i = 0; i < 200; i++) {
    const pause = backoffDelay(3);
    assert(pause >= 800 && pause < 1_600, String(pause));
  }
});

Deno.test("an action that succeeds is called once, and its value is given", async () => {
  const clock = new TestClock();
  assert.equal(await retry((attempt) => Promise.resolve(`value ${attempt}`), { clock }), "value 0");
  assert.deepEqual(clock.slept, []);
});

/** Fails as often as it is told to, then gives the number of calls. */
function failing(times: number, error: (call: number) => unknown) {
  const calls: number[] = [];
  return {
    calls,
    action: (attempt: number) => {
      calls.push(attempt);
      return calls.length <= times ? Promise.reject(error(calls.length)) : Promise.resolve("done");
    },
  };
}

Deno.test("a failure that may pass is tried again after growing pauses", async () => {
  const clock = new TestClock();
  const { action, calls } = failing(3, () => new Error("not yet"));
  const options = { clock, random: middle, initial: 100, max: 250 };
  assert.equal(await retry(action, options), "done");
  assert.deepEqual(calls, [0, 1, 2, 3]);
  assert.deepEqual(clock.slept, [75, 150, 187.5]);
});

Deno.test("when the attempts are used up the last failure is thrown as it is", async () => {
  const clock = new TestClock();
  const errors = [1, 2, 3].map((n) => new Error(String(n)));
  const { action, calls } = failing(9, (call) => errors[call - 1]);
  await assert.rejects(retry(action, { clock, attempts: 3 }), (error) => error === errors[2]);
  assert.equal(calls.length, 3);
  assert.equal(clock.slept.length, 2, "nobody waits after the last attempt");
});

Deno.test("five attempts are made unless told otherwise", async () => {
  const { action, calls } = failing(9, () => new Error("never"));
  await assert.rejects(retry(action, { clock: new TestClock() }));
  assert.equal(calls.length, 5);
});

Deno.test("what is terminal is not tried again, unless the caller judges otherwise", async () => {
  const terminal = () => new HoldfastError({ reason: "Broken", message: "broken" });
  const once = failing(9, terminal);
  await assert.rejects(retry(once.action, { clock: new TestClock() }), /broken/);
  assert.equal(once.calls.length, 1);
  const judged = failing(1, terminal);
  await retry(judged.action, { clock: new TestClock(), retryable: () => true });
  assert.equal(judged.calls.length, 2);
});

Deno.test("a pause that the failure asks for is kept, and only then", async () => {
  const clock = new TestClock();
  const { action } = failing(2, (call) => ({ after: call === 1 ? 7_000 : undefined }));
  const pauseFor = (error: unknown) => (error as { after?: number }).after;
  await retry(action, { clock, pauseFor, random: middle, initial: 100 });
  assert.deepEqual(clock.slept, [7_000, 150]);
});

Deno.test("a signal ends the series with what aborted it", async () => {
  const reason = new Error("stopping");
  const untouched = failing(9, () => new Error("x"));
  await assert.rejects(
    retry(untouched.action, { signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
  assert.equal(untouched.calls.length, 0);

  const abort = new AbortController();
  const { action, calls } = failing(9, (call) => {
    if (call === 2) abort.abort(reason);
    return new Error(`failure ${call}`);
  });
  await assert.rejects(
    retry(action, { signal: abort.signal, clock: new TestClock() }),
    /failure 2/,
  );
  assert.equal(calls.length, 2);
});

Deno.test("a signal wakes who sleeps before the next attempt", async () => {
  const abort = new AbortController();
  const reason = new Error("stopping");
  const series = retry(() => Promise.reject(new Error("x")), {
    signal: abort.signal,
    initial: 600_000,
    max: 600_000,
  });
  setTimeout(() => abort.abort(reason), 10);
  await assert.rejects(series, (error) => error === reason);
});
