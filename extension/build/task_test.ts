import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { readArguments, UsageError } from "./task.ts";

const PROGRAM = `
import { printLine, runTask, UsageError } from ${JSON.stringify(import.meta.resolve("./task.ts"))};
await runTask({
  name: "sum",
  usage: "sum NUMBER…",
  parse: (args) =>
    args.map((text) => {
      if (Number.isNaN(Number(text))) throw new UsageError(text + " is no number");
      return Number(text);
    }),
  run: (numbers) => {
    const sum = numbers.reduce((sum, number) => sum + number, 0);
    if (sum < 0) throw new Error("it is negative");
    printLine(String(sum));
    return Promise.resolve(sum > 100 ? 7 : 0);
  },
});
`;

const rows: readonly [what: string, args: string[], code: number, out: string, err: string][] = [
  ["that is done", ["1", "2"], 0, "3\n", ""],
  ["that says how it went", ["99", "2"], 7, "101\n", ""],
  ["that fails", ["-1"], 1, "", "sum: it is negative\n"],
  ["that is asked for help", ["x", "--help"], 0, "sum NUMBER…\n", ""],
  ["that does not take its arguments", ["x"], 2, "", "x is no number\n\nsum NUMBER…\n"],
];

Deno.test("a task ends with a code that says how", (t) =>
  withDirectory(async (directory) => {
    const program = `${directory}/sum.ts`;
    await Deno.writeTextFile(program, PROGRAM);
    for (const [what, args, code, out, err] of rows) {
      await t.step(what, async () => {
        const config = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);
        const result = await new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", `--config=${config}`, program, ...args],
          env: { NO_COLOR: "1" },
        }).output();
        const text = new TextDecoder();
        const given = [result.code, text.decode(result.stdout), text.decode(result.stderr)];
        assert.deepEqual(given, [code, out, err]);
      });
    }
  }));

Deno.test("what the parser of arguments says is a reason to be told", () => {
  assert.equal(readArguments(() => 1), 1);
  const failing = () => {
    throw new TypeError("Unknown option '--x'");
  };
  assert.throws(() => readArguments(failing), (error) => {
    assert.ok(error instanceof UsageError);
    assert.equal(error.message, "Unknown option '--x'");
    return true;
  });
});
