import assert from "node:assert/strict";
import { runBenchmark, runCase, short } from "./harness.ts";
import type { Case, Side } from "./types.ts";

function recorder() {
  const ran: string[] = [];
  const side = (name: string, values: readonly number[]): Side => {
    let at = 0;
    return {
      name,
      run() {
        ran.push(name);
        return Promise.resolve(values[at++] ?? NaN);
      },
    };
  };
  return { ran, side };
}

const signal = new AbortController().signal;
const say = () => {};

Deno.test("sides alternate, the order turns with each round, and the warm-up does not count", async () => {
  const { ran, side } = recorder();
  const one: Case = {
    name: "one client",
    sides: [side("a", [1_000, 2, 4]), side("b", [1_000, 1, 2])],
    targets: [{ peer: "b", ratio: 1 }],
  };
  const result = await runCase(one, true, { runs: 2, signal, say });
  assert.deepEqual(ran, ["a", "b", "b", "a", "a", "b"]);
  assert.deepEqual(result.sides.map((each) => each.values), [[2, 4], [1, 2]]);
  assert.deepEqual(result.ratios, [{ peer: "b", ratio: 2, min: 2, max: 2, target: 1, met: true }]);
});

Deno.test("a case that takes minutes is run less often than asked", async () => {
  const { ran, side } = recorder();
  const one: Case = { name: "big", sides: [side("a", [1, 1, 1])], targets: [], maxRuns: 1 };
  await runCase(one, true, { runs: 9, signal, say });
  assert.equal(ran.length, 2);
});

Deno.test("an interrupted run ends between two measurements", async () => {
  const abort = new AbortController();
  const { ran, side } = recorder();
  const first = side("a", [1, 1, 1]);
  const one: Case = {
    name: "case",
    sides: [{
      name: "a",
      async run(given) {
        abort.abort(new Error("interrupted"));
        return await first.run(given);
      },
    }, side("b", [1])],
    targets: [],
  };
  await assert.rejects(runCase(one, true, { runs: 2, signal: abort.signal, say }), /interrupted/);
  assert.deepEqual(ran, ["a"]);
});

Deno.test("a side that measures nothing fails the run", async () => {
  const { side } = recorder();
  const one: Case = { name: "case", sides: [side("a", [1, 0])], targets: [] };
  await assert.rejects(runCase(one, true, { runs: 1, signal, say }), RangeError);
});

Deno.test("figures are asked for after the last run", async () => {
  const { ran, side } = recorder();
  const result = await runBenchmark(
    {
      name: "n",
      what: "w",
      peers: [],
      unit: "s",
      higherIsBetter: false,
      prepare: () => Promise.reject(new Error("not called")),
    },
    {
      cases: [{ name: "case", sides: [side("a", [1, 2])], targets: [] }],
      figures: () => [{ name: "runs", value: String(ran.length) }],
      missing: ["nginx"],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
    { runs: 1, signal, say, machine: "m", now: new Date("2026-01-02T03:04:05Z") },
  );
  assert.deepEqual(result.figures, [{ name: "runs", value: "2" }]);
  assert.equal(result.date, "2026-01-02T03:04:05.000Z");
  assert.deepEqual(result.missing, ["nginx"]);
});

for (
  const [value, text] of [[0.012345, "0.0123"], [1.5, "1.50"], [99.96, "100"], [12_345.6, "12346"]]
    .map(([value, text]) => [Number(value), String(text)] as const)
) {
  Deno.test(`${value} is shown as ${text}`, () => assert.equal(short(value), text));
}
