import assert from "node:assert/strict";
import { othersOf } from "./others.ts";

Deno.test("the components before the one that failed stay, those after it were not begun", () => {
  const many = ["a", "b", "c", "d", "e", "f", "g"];
  const rows: [names: string[], failed: string, expected: string[]][] = [
    [["a"], "a", []],
    [["a", "b"], "b", ['component "a" stays deployed']],
    [["a", "b"], "a", ['component "b" was not begun']],
    [["a", "b", "c"], "c", ['components "a", "b" stay deployed']],
    [many, "g", ['components "a", "b", "c", "d", "e" and 1 more stay deployed']],
    [["a", "b", "c"], "b", ['component "a" stays deployed', 'component "c" was not begun']],
  ];
  for (const [names, failed, expected] of rows) assert.deepEqual(othersOf(names, failed), expected);
});
