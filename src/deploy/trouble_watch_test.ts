import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import type { Trouble } from "./pod_trouble.ts";
import { MISSING_GRACE, TROUBLE_GRACE, TroubleWatch } from "./trouble_watch.ts";

const persistent: Trouble = { message: "", severity: "persistent" };
const missing: Trouble = { ...persistent, imageMissing: true };

Deno.test("trouble is hopeless when it is fatal, or has lasted", () => {
  const clock = new TestClock();
  const watch = new TroubleWatch(clock);
  assert.equal(watch.isHopeless(undefined), false);
  assert.equal(watch.isHopeless({ message: "", severity: "pending" }), false);
  assert.equal(watch.isHopeless({ message: "", severity: "fatal" }), true);
  assert.equal(watch.isHopeless(persistent), false);
  clock.advance(TROUBLE_GRACE - 1);
  assert.equal(watch.isHopeless(persistent), false);
  clock.advance(1);
  assert.equal(watch.isHopeless(persistent), true);
});

Deno.test("trouble that went away begins anew, and an image that is nowhere is given up earlier", () => {
  const clock = new TestClock();
  const watch = new TroubleWatch(clock);
  watch.isHopeless(missing);
  clock.advance(MISSING_GRACE);
  assert.equal(watch.isHopeless(undefined), false);
  assert.equal(watch.isHopeless(missing), false);
  clock.advance(MISSING_GRACE);
  assert.equal(watch.isHopeless(persistent), false);
  assert.equal(watch.isHopeless(missing), true);
  const short = new TroubleWatch(clock, 5);
  short.isHopeless(missing);
  clock.advance(5);
  assert.equal(short.isHopeless(missing), true);
});
