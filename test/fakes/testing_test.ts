import assert from "node:assert/strict";
import { AwakeClock, despitePauses, eventually, processorTime } from "./testing.ts";

/** Lets nothing else of this process happen. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

Deno.test("time in which the machine stands still is hardly any", async () => {
  using clock = new AwakeClock();
  standStill(2_000);
  assert.ok(clock.monotonic() < 1_000, `${clock.monotonic()}`);
  const before = clock.monotonic();
  await clock.sleep(300);
  assert.ok(clock.monotonic() - before > 100, "but what is waited counts");
});

Deno.test("what does not happen is given up in time, of which a pause takes a moment", async () => {
  let looks = 0;
  const look = () => {
    if (++looks === 2) standStill(3_000);
    return looks === 4;
  };
  assert.equal(await eventually(look, 2_000), true);
  await assert.rejects(eventually(() => null, 100), /was not so within 100 ms/);
});

Deno.test("what fails now and then passes, what always fails does not", async () => {
  let tries = 0;
  await despitePauses(() => ++tries < 3 ? Promise.reject(new Error("late")) : Promise.resolve());
  assert.equal(tries, 3);
  await assert.rejects(despitePauses(() => Promise.reject(new Error(`${++tries}`))), /^Error: 7$/);
});

Deno.test("waiting uses no processor, working does", () => {
  const before = processorTime();
  standStill(500);
  assert.ok(processorTime() - before < 250);
  while (processorTime() - before < 20) continue;
});
