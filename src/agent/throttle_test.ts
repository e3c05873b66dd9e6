import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { Throttle } from "./throttle.ts";

Deno.test("the first passes, and then one in each interval", () => {
  const clock = new TestClock();
  const throttle = new Throttle(500, clock);
  const passed: number[] = [];
  for (let time = 0; time <= 1_500; time += 100) {
    if (throttle.due()) passed.push(time);
    clock.advance(100);
  }
  assert.deepEqual(passed, [0, 500, 1_000, 1_500]);
});

Deno.test("what is held back does not put the next one off", () => {
  const clock = new TestClock();
  const throttle = new Throttle(500, clock);
  assert.equal(throttle.due(), true);
  clock.advance(499);
  assert.equal(throttle.due(), false);
  clock.advance(1);
  assert.equal(throttle.due(), true);
});
