import assert from "node:assert/strict";
import { TapReader, type TestResult } from "./tap.ts";

function read(text: string): { results: TestResult[]; complete: boolean } {
  const tap = new TapReader();
  const results = text.split("\n").flatMap((line) => tap.line(line) ?? []);
  return { results, complete: tap.complete };
}

const passed = (name: string): TestResult => ({ name, outcome: "passed", messages: [] });

const cases: { name: string; text: string; results: TestResult[]; complete: boolean }[] = [
  { name: "an empty run", text: "TAP version 14\n1..0\n", results: [], complete: true },
  {
    name: "tests that pass",
    text: "TAP version 14\n# ./a_test.ts\nok 1 - a\n# ./b_test.ts\nok 2 - b c\n1..2\n",
    results: [passed("a"), passed("b c")],
    complete: true,
  },
  {
    name: "names with a number sign and a backslash",
    text: "ok 1 - a \\# b \\\\ c\n1..1\n",
    results: [passed("a # b \\ c")],
    complete: true,
  },
  {
    name: "a test that is skipped",
    text: "ok 1 - a # SKIP\n1..1\n",
    results: [{ name: "a", outcome: "skipped", messages: [] }],
    complete: true,
  },
  {
    name: "a test that fails",
    text:
      'not ok 1 - a\n  ---\n  {"message":"1 !== 2\\nat x","severity":"fail"}\n  ...\nok 2 - b\n1..2\n',
    results: [{ name: "a", outcome: "failed", messages: ["1 !== 2\nat x"] }, passed("b")],
    complete: true,
  },
  {
    name: "a step that fails belongs to its test",
    text:
      '# Subtest: s\n    ok 1 - one\n    not ok 2 - two\n      ---\n      {"message":"boo"}\n      ...\n' +
      '    1..2\nnot ok 1 - s\n  ---\n  {"message":"1 test step failed."}\n  ...\n1..1\n',
    results: [{
      name: "s",
      outcome: "failed",
      messages: ['step "two": boo', "1 test step failed."],
    }],
    complete: true,
  },
  {
    name: "steps that pass are not tests",
    text: "# Subtest: s\n    ok 1 - one\n    1..1\nok 1 - s\n1..1\n",
    results: [passed("s")],
    complete: true,
  },
  { name: "a run that was cut off", text: "ok 1 - a\n", results: [passed("a")], complete: false },
  {
    name: "a run that was cut off in a failure",
    text: "ok 1 - a\nnot ok 2 - b\n  ---\n",
    results: [passed("a")],
    complete: false,
  },
  {
    name: "a run that announces more",
    text: "ok 1 - a\n1..2\n",
    results: [passed("a")],
    complete: false,
  },
  {
    name: "a name with an end of line that TAP does not know",
    text: "ok 1 - a\u2028b\u2029c\n1..1\n",
    results: [passed("a\u2028b\u2029c")],
    complete: true,
  },
  { name: "no output at all", text: "", results: [], complete: false },
];

for (const { name, text, results, complete } of cases) {
  Deno.test(`${name}: ${results.length} tests, ${complete ? "complete" : "cut off"}`, () => {
    assert.deepEqual(read(text), { results, complete });
  });
}
