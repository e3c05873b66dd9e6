import assert from "node:assert/strict";
import { UsageError } from "../extension/build/task.ts";
import { parseArguments } from "./arguments.ts";

const KNOWN = ["deploy", "import", "registry", "verify"];

for (
  const [args, expected] of [
    [[], { names: KNOWN, runs: 5, quick: false, list: false, svg: false }],
    [["import", "--svg"], { names: ["import"], runs: 5, quick: false, list: false, svg: true }],
    [["--quick"], { names: KNOWN, runs: 1, quick: true, list: false, svg: false }],
    [["--quick", "--runs", "3"], { names: KNOWN, runs: 3, quick: true, list: false, svg: false }],
    [["deploy", "deploy"], { names: ["deploy"], runs: 5, quick: false, list: false, svg: false }],
    [["import", "--size", "10g"], {
      names: ["import"],
      runs: 5,
      quick: false,
      list: false,
      svg: false,
      size: 10_000_000_000,
    }],
    [["verify", "--size", "1.5M"], {
      names: ["verify"],
      runs: 5,
      quick: false,
      list: false,
      svg: false,
      size: 1_500_000,
    }],
    [["--list"], { names: KNOWN, runs: 5, quick: false, list: true, svg: false }],
  ] as const
) {
  Deno.test(`bench ${args.join(" ")} is understood`, () => {
    assert.deepEqual(parseArguments(args, KNOWN), expected);
  });
}

for (
  const [args, message] of [
    [["regsitry"], /no benchmark regsitry; there are deploy, import, registry, verify/],
    [["--runs", "0"], /from 1 to 100, not 0/],
    [["--runs", "many"], /not many/],
    [["--runs", "1.5"], /not 1.5/],
    [["--size", "10"], /from 1m to 100g, not 10/],
    [["--size", "g"], /not g/],
    [["--size", "1k"], /not 1k/],
    [["--size", "0.1m"], /not 0.1m/],
    [["--size", "101g"], /not 101g/],
    [["--size", "-1g"], /--size/],
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
