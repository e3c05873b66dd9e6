import assert from "node:assert/strict";
import { parseArguments, UsageError } from "./arguments.ts";

const KNOWN = ["deploy", "import", "registry"];

for (
  const [args, expected] of [
    [[], { names: KNOWN, runs: 5, quick: false, list: false, svg: false }],
    [["import", "--svg"], { names: ["import"], runs: 5, quick: false, list: false, svg: true }],
    [["--quick"], { names: KNOWN, runs: 1, quick: true, list: false, svg: false }],
    [["--quick", "--runs", "3"], { names: KNOWN, runs: 3, quick: true, list: false, svg: false }],
    [["deploy", "deploy"], { names: ["deploy"], runs: 5, quick: false, list: false, svg: false }],
    [["--list"], { names: KNOWN, runs: 5, quick: false, list: true, svg: false }],
  ] as const
) {
  Deno.test(`bench ${args.join(" ")} is understood`, () => {
    assert.deepEqual(parseArguments(args, KNOWN), expected);
  });
}

for (
  const [args, message] of [
    [["regsitry"], /no benchmark regsitry; there are deploy, import, registry/],
    [["--runs", "0"], /from 1 to 100, not 0/],
    [["--runs", "many"], /not many/],
    [["--runs", "1.5"], /not 1.5/],
    [["--fast"], /--fast/],
  ] as const
) {
  Deno.test(`bench ${args.join(" ")} is refused with a reason`, () => {
    assert.throws(
      () => parseArguments(args, KNOWN),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}
