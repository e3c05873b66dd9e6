import assert from "node:assert/strict";
import { findProgram, ProgramError, runProgram } from "./programs.ts";

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
  assert.ok(performance.now() - started < 10_000);
});

Deno.test("programs are found by the PATH, and nothing else is", () => {
  assert.match(findProgram("sh") ?? "", /\/sh$/);
  assert.equal(findProgram("no-such-program-here"), undefined);
});
