import assert from "node:assert/strict";
import { descriptorPath, parseTrace, stringOf } from "./strace.ts";

Deno.test("a call has its thread, arguments, result and line", () => {
  const [call] = parseTrace(
    '+++ exited with 0 +++\n17    pwrite64(3</data/db-wal>, "a, (b\\") = 5\\n"..., 24, 32) = 24\n'
      .replace("+++ exited", "16 +++ exited"),
  );
  assert.deepEqual(call, {
    thread: 17,
    name: "pwrite64",
    args: ["3</data/db-wal>", '"a, (b\\") = 5\\n"...', "24", "32"],
    result: 24,
    begin: 2,
    end: 2,
  });
});

Deno.test("a call that another thread interrupts begins and ends where it did", () => {
  const calls = parseTrace([
    "1 fsync(3</a> <unfinished ...>",
    '2 mkdir("/b", 0777 <unfinished ...>',
    "1 <... fsync resumed>) = 0",
    "2 <... mkdir resumed>) = -1 EEXIST (File exists)",
  ].join("\n"));
  assert.deepEqual(
    calls.map(({ name, args, result, begin, end }) => [name, args, result, begin, end]),
    [
      ["fsync", ["3</a>"], 0, 1, 3],
      ["mkdir", ['"/b"', "0777"], -1, 2, 4],
    ],
  );
});

Deno.test("a call in which the process ended has no result and no end", () => {
  const calls = parseTrace([
    "1 fsync(3</a> <unfinished ...>",
    "2 fsync(4</b>) = ?",
    "1 +++ killed by SIGKILL +++",
  ].join("\n"));
  assert.deepEqual(calls.map(({ result, end }) => [result, end]), [
    [undefined, Infinity],
    [undefined, 2],
  ]);
});

for (
  const [line, args, result] of [
    ["close(3</a b, c>) = 0", ["3</a b, c>"], 0],
    ["sync() = 0", [], 0],
    ['openat(AT_FDCWD</w>, "x", O_RDONLY) = 3</w/x>', ["AT_FDCWD</w>", '"x"', "O_RDONLY"], 3],
    ["mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, -1, 0) = 0x10", [
      "NULL",
      "8192",
      "PROT_READ",
      "MAP_PRIVATE",
      "-1",
      "0",
    ], 16],
    ['writev(3</a>, [{iov_base="x, y", iov_len=4}, {iov_base="]", iov_len=1}], 2) = 5', [
      "3</a>",
      '[{iov_base="x, y", iov_len=4}, {iov_base="]", iov_len=1}]',
      "2",
    ], 5],
  ] as const
) {
  Deno.test(`the arguments of ${line}`, () => {
    const [call] = parseTrace(`1 ${line}`);
    assert.deepEqual([call?.args, call?.result], [args, result]);
  });
}

for (
  const line of ["something else", "1 fsync(3</a>)", '1 <... fsync resumed> "', "fsync(3</a>) = 0"]
) {
  Deno.test(`"${line}" is not read as a call`, () => {
    assert.throws(() => parseTrace(line), /line 1 of the trace/);
  });
}

for (
  const [argument, bytes] of [
    ['"plain"', "plain"],
    ['"cut"...', "cut"],
    ['"\\"a\\\\b\\"\\n\\t"', '"a\\b"\n\t'],
    ['"\\0001\\3777\\7"', "\u00001\u00ff7\u0007"],
    ['"\\v\\f\\r"', "\v\f\r"],
    ["NULL", ""],
  ] as const
) {
  Deno.test(`the bytes of ${argument}`, () => assert.equal(stringOf(argument), bytes));
}

for (
  const [argument, path] of [
    ["3</data/holdfast.db>", "/data/holdfast.db"],
    ["AT_FDCWD</other dir>", "/other dir"],
    ["3<socket:[77]>", undefined],
    ["3</data/gone>(deleted)", undefined],
    ["-1", undefined],
  ] as const
) {
  Deno.test(`the path of ${argument}`, () => assert.equal(descriptorPath(argument), path));
}
