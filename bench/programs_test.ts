import assert from "node:assert/strict";
import { findProgram, peakOf, ProgramError, runProgram } from "./programs.ts";

const { signal } = new AbortController();

Deno.test("a program's output is given, with the environment that it was given", async () => {
  const said = await runProgram("sh", ["-c", 'echo "$MARK $1"', "sh", "a b"], signal, {
    MARK: "x",
  });
  assert.equal(said, "x a b\n");
});

Deno.test("a program that fails is told with its code and words", async () => {
  const failing = runProgram("sh", ["-c", "echo why >&2; exit 3"], signal);
  await assert.rejects(failing, (error) => {
    assert.ok(error instanceof ProgramError);
    assert.equal(error.reason, "ProgramFailed");
    assert.match(error.message, /^sh ended with 3: why$/);
    return true;
  });
});

Deno.test("a program that is not there is told as missing", async () => {
  const missing = runProgram("no-such-program-here", [], signal);
  await assert.rejects(missing, (error) => {
    return error instanceof ProgramError && error.reason === "ProgramMissing";
  });
});

Deno.test("an interrupt ends a program that runs, and starts none after it", async () => {
  const abort = new AbortController();
  const started = performance.now();
  setTimeout(() => abort.abort(new Error("interrupted")), 50);
  await assert.rejects(runProgram("sleep", ["60"], abort.signal), /interrupted/);
  await assert.rejects(runProgram("sleep", ["60"], abort.signal), /interrupted/);
  assert.ok(performance.now() - started < 50_000);
});

Deno.test("the most memory that a program had is its own, whatever it gave back", async () => {
  const script = (mebibytes: number) => `
    let held = new Uint8Array(${mebibytes} << 20).fill(1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    held = undefined;`;
  const [small = 0, large = 0] = await Promise.all(
    [1, 200].map((size) => peakOf(Deno.execPath(), ["eval", script(size)], signal)),
  );
  assert.ok(small > 10 << 20, `${small}`);
  assert.ok(large - small > 150 << 20 && large - small < 250 << 20, `${small} ${large}`);
  await assert.rejects(peakOf("sh", ["-c", "exit 4"], signal), /^ProgramError: sh ended with 4/);
});

Deno.test("programs are found by the PATH, and nothing else is", () => {
  assert.match(findProgram("sh") ?? "", /\/sh$/);
  assert.equal(findProgram("no-such-program-here"), undefined);
});
