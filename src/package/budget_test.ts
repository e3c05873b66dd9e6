import assert from "node:assert/strict";
import { Budget } from "./budget.ts";
import { PackageError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

function exceeds(action: () => void, message: string): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof PackageError);
    assert.equal(error.reason, "LimitExceeded");
    assert.equal(error.message, message);
    return true;
  });
}

Deno.test("entries are taken up to the limit, and the one after it is refused", () => {
  const budget = new Budget({ ...DEFAULT_LIMITS, entries: 3 });
  for (let entry = 0; entry < 3; entry++) budget.addEntry(`${entry}`);
  exceeds(() => budget.addEntry("3"), "the package: has more than 3 entries");
});

Deno.test("names are taken up to the limit of all of them together", () => {
  const budget = new Budget({ ...DEFAULT_LIMITS, nameCharacters: 10 });
  budget.addEntry("123456");
  budget.addEntry("7890");
  budget.addEntry("");
  exceeds(() => budget.addEntry("1"), "the package: its names have more than 10 characters");
});

for (
  const [sizes, refused] of [
    [[10], undefined],
    [[4, 6], undefined],
    [[0, 10, 0], undefined],
    [[11], "file 0"],
    [[4, 7], "file 1"],
    [[10, 0, 1], "file 2"],
  ] as const
) {
  Deno.test(`of ten bytes, files of ${sizes} are ${refused === undefined ? "taken" : `too much with ${refused}`}`, () => {
    const budget = new Budget({ ...DEFAULT_LIMITS, contentBytes: 10 });
    for (const [index, size] of sizes.entries()) {
      const add = () => budget.addFile(`file ${index}`, size);
      if (refused !== `file ${index}`) add();
      else exceeds(add, `${refused}: with it the package has more than 10 bytes`);
    }
    assert.equal(budget.bytes, sizes.reduce((sum: number, size) => sum + size, 0));
  });
}
