import assert from "node:assert/strict";
import { systemClock } from "./clock.ts";

Deno.test("a sleep lasts as long as it is asked to", async () => {
  const started = systemClock.monotonic();
  await systemClock.sleep(40);
  const took = systemClock.monotonic() - started;
  assert(took >= 39 && took < 60_000, `it took ${took} ms`);
});

Deno.test("a signal ends a sleep early, without an error and without its timer", async () => {
  const abort = new AbortController();
  const sleeping = systemClock.sleep(600_000, abort.signal);
  abort.abort();
  // The test runner itself complains about a timer that is left.
  await sleeping;
});

Deno.test("nobody sleeps on a signal that has aborted", async () => {
  const started = systemClock.monotonic();
  await systemClock.sleep(600_000, AbortSignal.abort());
  assert(systemClock.monotonic() - started < 300_000);
});

Deno.test("a sleep that is over leaves no listener on its signal", async () => {
  let listeners = 0;
  const { signal } = new AbortController();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
  signal.removeEventListener = (...args: Parameters<typeof add>) => (listeners--, remove(...args));
  for (let i = 0; i < 3; i++) await systemClock.sleep(1, signal);
  assert.equal(listeners, 0);
});

Deno.test("the wall clock tells the time and the other one only grows", () => {
  assert(Math.abs(systemClock.now().getTime() - Date.now()) < 60_000);
  const one = systemClock.monotonic();
  assert(systemClock.monotonic() >= one);
});
