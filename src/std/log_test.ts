import assert from "node:assert/strict";
import { createLogger, LOG_LEVELS, type LogFormat, type LogLevel, silentLogger } from "./log.ts";

const NOW = new Date("2026-01-02T03:04:05.678Z");

function logger(format: LogFormat, level: LogLevel = "debug") {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  return { lines, log: createLogger({ level, format, write, now: () => NOW }) };
}

Deno.test("a line for machines is one JSON object with time, level, message and fields", () => {
  const { log, lines } = logger("json");
  log.info("package accepted", { bytes: 12, ok: true, file: "a\nb" });
  assert.equal(lines.length, 1);
  assert(lines[0]?.endsWith("}\n"));
  assert.deepEqual(JSON.parse(lines[0] ?? ""), {
    time: "2026-01-02T03:04:05.678Z",
    level: "info",
    msg: "package accepted",
    bytes: 12,
    ok: true,
    file: "a\nb",
  });
});

Deno.test("a line for people has its fields behind the message, quoted where needed", () => {
  const { log, lines } = logger("text");
  log.warn("disk is full", {
    path: "/var/lib/holdfast",
    address: "127.0.0.1:80",
    why: "no space",
    empty: "",
    gone: undefined,
    n: 3,
  });
  assert.deepEqual(lines, [
    "2026-01-02T03:04:05.678Z warn  disk is full path=/var/lib/holdfast address=127.0.0.1:80 " +
    'why="no space" empty="" n=3\n',
  ]);
});

Deno.test("nobody can put a second line into the log", () => {
  const { log, lines } = logger("text");
  log.info("one\r\ntwo\n\nthree", { file: "x\n2026 error forged" });
  assert.equal(lines.length, 1);
  assert.equal(lines[0]?.indexOf("\n"), (lines[0]?.length ?? 0) - 1);
  assert.match(lines[0] ?? "", /one two three file="x\\n2026 error forged"/);
});

for (const [at, level] of LOG_LEVELS.entries()) {
  Deno.test(`at level ${level} what is less is not said`, () => {
    const { log, lines } = logger("json", level);
    for (const each of LOG_LEVELS) log[each](each);
    assert.deepEqual(lines.map((line) => JSON.parse(line).level), LOG_LEVELS.slice(at));
  });
}

Deno.test("bound fields are on every line and later ones win", () => {
  const { log, lines } = logger("json");
  const bound = log.with({ room: "store", file: "a" });
  bound.with({ file: "b" }).error("x", { n: 1 });
  bound.debug("y", { room: "drop" });
  log.info("z");
  const [first, second, third] = lines.map((line) => JSON.parse(line));
  assert.deepEqual([first.room, first.file, first.n, first.level], ["store", "b", 1, "error"]);
  assert.deepEqual([second.room, second.file], ["drop", "a"]);
  assert.equal("room" in third, false);
});

Deno.test("without a clock of its own a logger tells the real time", () => {
  let line = "";
  createLogger({ level: "info", format: "json", write: (text) => void (line = text) }).info("x");
  assert(Math.abs(new Date(JSON.parse(line).time).getTime() - Date.now()) < 5_000);
});

Deno.test("the silent logger takes everything", () => {
  silentLogger.with({ a: 1 }).error("nothing is written");
});
