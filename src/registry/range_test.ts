import assert from "node:assert/strict";
import { rangeOf } from "./range.ts";

for (
  const [header, size, expected] of [
    [null, 10, undefined],
    ["bytes=0-0", 10, { start: 0, end: 1 }],
    ["bytes=2-5", 10, { start: 2, end: 6 }],
    ["bytes=2-", 10, { start: 2, end: 10 }],
    ["bytes=9-9", 10, { start: 9, end: 10 }],
    ["bytes=2-99", 10, { start: 2, end: 10 }],
    ["bytes=-3", 10, { start: 7, end: 10 }],
    ["bytes=-99", 10, { start: 0, end: 10 }],
    ["BYTES=1-2", 10, { start: 1, end: 3 }],
    [" bytes=1-2 ", 10, { start: 1, end: 3 }],
    ["bytes=10-", 10, "unsatisfiable"],
    ["bytes=10-12", 10, "unsatisfiable"],
    ["bytes=-0", 10, "unsatisfiable"],
    ["bytes=0-", 0, "unsatisfiable"],
    ["bytes=5-2", 10, undefined],
    ["bytes=-", 10, undefined],
    ["bytes=a-b", 10, undefined],
    ["bytes=1-2,4-5", 10, undefined],
    ["items=1-2", 10, undefined],
    ["bytes=9999999999999999999-", 10, undefined],
  ] as const
) {
  Deno.test(`the range "${header}" of ${size} bytes is ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(rangeOf(header, size), expected);
  });
}
