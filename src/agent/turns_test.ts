import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { Turns, waitTurn } from "./turns.ts";

const of = (...keys: string[]): ReadonlySet<string> => new Set(keys);

/** Turns of at most 100 ms, drawn from these numbers in turn. */
function drawn(...numbers: number[]) {
  const clock = new TestClock();
  let next = 0;
  const random = () => numbers[next++ % numbers.length] ?? 0;
  return { clock, turns: new Turns({ longest: 100, clock, random }) };
}

Deno.test("a turn is waited for by a share of the longest, and not once the signal aborts", async () => {
  const clock = new TestClock();
  const options = { longest: 300, clock, random: () => 0.5 };
  await waitTurn(options, new AbortController().signal);
  assert.deepEqual(clock.slept, [150]);
  await waitTurn(options, AbortSignal.abort());
  assert.deepEqual(clock.slept, [150]);
});

Deno.test("what is new has its turn after a wait of its own, the shortest wait first", () => {
  const { clock, turns } = drawn(0.5, 0.2);
  assert.equal(turns.wait, Infinity);
  turns.arrange(of("a", "b"));
  assert.deepEqual([turns.due, turns.wait], [[], 20]);
  clock.advance(20);
  assert.deepEqual([turns.due, turns.wait], [["b"], 0]);
  clock.advance(30);
  assert.deepEqual(turns.due, ["b", "a"]);
});

Deno.test("what is known keeps its turn, and what is gone has none", () => {
  const { clock, turns } = drawn(0.1, 0.3, 0.9);
  turns.arrange(of("a", "b"));
  clock.advance(30);
  turns.arrange(of("b", "c"));
  assert.deepEqual(turns.due, ["b"]);
  clock.advance(90);
  assert.deepEqual(turns.due, ["b", "c"]);
});

Deno.test("no turn is before the time that is named for it", () => {
  const { clock, turns } = drawn(0.5);
  turns.arrange(of("a", "b"), (key) => key === "a" ? 400 : 10);
  clock.advance(50);
  assert.deepEqual([turns.due, turns.wait], [["b"], 0]);
  turns.done("b");
  assert.equal(turns.wait, 350);
});

Deno.test("what is being done is not due, nor forgotten, until it is put back", () => {
  const { turns } = drawn(0);
  turns.arrange(of("a"));
  turns.take("a");
  turns.arrange(of());
  assert.deepEqual([turns.due, turns.wait], [[], Infinity]);
  turns.putBack("a");
  assert.deepEqual(turns.due, ["a"]);
  turns.arrange(of());
  assert.deepEqual(turns.due, []);
});

Deno.test("what is done is new when it is to be done again", () => {
  const { turns } = drawn(0, 0.7);
  turns.arrange(of("a"));
  turns.take("a");
  turns.done("a");
  turns.putBack("a");
  assert.equal(turns.wait, Infinity);
  turns.arrange(of("a"));
  assert.equal(turns.wait, 70);
});

Deno.test("a failure is kept with its reason, and the pause grows until it goes well", () => {
  const { clock, turns } = drawn(0);
  const bounds = { initial: 100, max: 1_000 };
  turns.arrange(of("a"));
  const pauses = [1, 2, 3, 4, 5].map((number) => {
    turns.take("a");
    turns.failed("a", `no ${number}`, bounds);
    assert.deepEqual(turns.due, []);
    const pause = turns.wait;
    clock.advance(pause);
    assert.deepEqual(turns.due, ["a"]);
    return pause;
  });
  assert.deepEqual(pauses, [50, 100, 200, 400, 500]);
  assert.deepEqual(turns.failing, [["a", "no 5"]]);
  turns.again("a", 30);
  assert.deepEqual([turns.wait, turns.failing], [30, []]);
  turns.failed("a", "no", bounds);
  assert.equal(turns.wait, 50);
});

Deno.test("a pause that somebody names is kept, and does not make the next one longer", () => {
  const { turns } = drawn(0);
  turns.arrange(of("a"));
  turns.failed("a", "busy", 7_000);
  assert.equal(turns.wait, 7_000);
  turns.failed("a", "no", { initial: 100 });
  assert.equal(turns.wait, 50);
});

Deno.test("what was forgotten meanwhile stays so", () => {
  const { turns } = drawn(0);
  turns.failed("a", "no", 5);
  turns.again("a", 5);
  turns.take("a");
  assert.deepEqual([turns.due, turns.failing, turns.wait], [[], [], Infinity]);
});
