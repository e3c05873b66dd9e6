import assert from "node:assert/strict";
import { loggerOf } from "../../test/fakes/testing.ts";
import { ActionLog, MAX_LOGGED_LINES } from "./action_log.ts";

function logOf(muted: readonly ("stdout" | "stderr")[] = []) {
  const { logger, lines } = loggerOf("info");
  const redact = (text: string) => text.replaceAll("secret", "***");
  const log = new ActionLog({ logger, redact, muted: new Set(muted) });
  const write = (stream: "stdout" | "stderr", text: string) =>
    log.write(stream, new TextEncoder().encode(text));
  return { log, lines, write };
}

Deno.test("output is logged by lines, however it comes in pieces", () => {
  const { log, lines, write } = logOf();
  write("stdout", "on");
  write("stderr", "err\n");
  write("stdout", "e\ntwo\r\n\n  \nsec");
  write("stdout", "ret and grü");
  assert.deepEqual(lines, [
    "info  err output=stderr",
    "info  one output=stdout",
    "info  two output=stdout",
  ]);
  log.end();
  assert.deepEqual(lines.slice(3), ["info  *** and grü output=stdout"]);
  assert.equal(log.last, "one; two; *** and grü");
});

Deno.test("a character that comes in two pieces is whole", () => {
  const { log, lines } = logOf();
  const bytes = new TextEncoder().encode("ü\n");
  log.write("stdout", bytes.subarray(0, 1));
  log.write("stdout", bytes.subarray(1));
  assert.deepEqual(lines, ["info  ü output=stdout"]);
});

Deno.test("what is too much is counted, and a line without end is cut", () => {
  const { log, lines, write } = logOf();
  write("stdout", "x\n".repeat(MAX_LOGGED_LINES + 4) + "y\n");
  log.end();
  assert.equal(log.last, "x; x; y");
  log.begin();
  write("stdout", "last\n");
  log.end();
  log.finish();
  assert.equal(lines.length, MAX_LOGGED_LINES + 1);
  assert.equal(lines.at(-1), "info  6 more lines of output are not shown");
  assert.equal(log.last, "last", "of the last attempt");
  const endless = logOf();
  for (let piece = 0; piece < 100; piece++) endless.write("stdout", "y".repeat(1 << 10));
  endless.log.end();
  assert.equal(endless.lines.length, 7, "100 KiB in pieces of 16 KiB");
  assert.ok(endless.lines.every((line) => line.length < 1_100));
});

Deno.test("a muted output is neither logged nor shown in an error", () => {
  const { log, lines, write } = logOf(["stdout"]);
  write("stdout", "hidden\n");
  write("stderr", "seen\n");
  log.end();
  assert.deepEqual(lines, ["info  seen output=stderr"]);
  assert.equal(log.last, "seen");
});
