import assert from "node:assert/strict";
import { compare, summarize } from "./stats.ts";

for (
  const [values, expected] of [
    [[3], { median: 3, min: 3, max: 3 }],
    [[5, 1, 3], { median: 3, min: 1, max: 5 }],
    [[4, 1, 2, 10], { median: 3, min: 1, max: 10 }],
    [[10, 9, 100], { median: 10, min: 9, max: 100 }],
  ] as const
) {
  Deno.test(`the summary of ${values} is by value, not by text or order`, () => {
    assert.deepEqual(summarize(values), expected);
  });
}

for (const values of [[], [1, 0], [1, -2], [NaN], [1, Infinity]]) {
  Deno.test(`${JSON.stringify(values)} is no measurement`, () => {
    assert.throws(() => summarize(values), RangeError);
  });
}

Deno.test("a ratio is that of the medians, with the extremes of the rounds", () => {
  const ratio = compare("peer", [2, 4, 6], [1, 2, 12], true);
  assert.deepEqual(ratio, { peer: "peer", ratio: 2, min: 0.5, max: 2 });
});

for (
  const [higherIsBetter, ours, target, met] of [
    [true, 9, 0.9, true],
    [true, 8.9, 0.9, false],
    [false, 4, 0.4, true],
    [false, 4.1, 0.4, false],
  ] as const
) {
  const which = higherIsBetter ? "at least" : "at most";
  Deno.test(`${ours} of 10 ${met ? "meets" : "misses"} ${which} ${target}`, () => {
    const targets = [{ peer: "other", ratio: 99 }, { peer: "peer", ratio: target }];
    const ratio = compare("peer", [ours], [10], higherIsBetter, targets);
    assert.equal(ratio.target, target);
    assert.equal(ratio.met, met);
  });
}

Deno.test("a peer without a target is neither met nor missed", () => {
  const ratio = compare("peer", [1], [1], true, [{ peer: "other", ratio: 1 }]);
  assert.equal(ratio.met, undefined);
});

Deno.test("unequal numbers of rounds are not compared", () => {
  assert.throws(() => compare("peer", [1, 2], [1], true), /unequal/);
});
