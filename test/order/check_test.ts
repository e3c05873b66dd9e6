import assert from "node:assert/strict";
import { checkOrder, type Complaint } from "./check.ts";
import { operationsOf } from "./operation.ts";
import { parseTrace } from "./strace.ts";

const BLOB = "b1".repeat(32);
const PACKAGE = "9a".repeat(32);
const BLOB_PATH = `/r/data/blobs/sha256/b1/${BLOB}`;
const VERDICT = "/r/drop/web.tar.status.json";

const create = (path: string) =>
  `openat(AT_FDCWD</>, "${path}", O_WRONLY|O_CREAT, 0600) = 3<${path}>`;
const write = (path: string, data = "x") => `write(3<${path}>, "${data}", 1) = 1`;
const flush = (path: string) => `fsync(3<${path}>) = 0`;
const mkdir = (path: string) => `mkdir("${path}", 0755) = 0`;
const rename = (from: string, to: string) => `rename("${from}", "${to}") = 0`;
const remove = (path: string) => `unlink("${path}") = 0`;

/** A store that takes in a package of one blob and one file, and says so; nothing is superfluous. */
const TRACE: readonly string[] = [
  mkdir("/r/data"),
  flush("/r"),
  mkdir("/r/data/tmp"),
  mkdir("/r/data/packages"),
  mkdir("/r/data/blobs"),
  mkdir("/r/data/blobs/sha256"),
  flush("/r/data/blobs"),
  create("/r/data/holdfast.lock"),
  create("/r/data/holdfast.db"),
  create("/r/data/holdfast.db-wal"),
  flush("/r/data"),
  write("/r/data/holdfast.db-wal", "schema"),
  flush("/r/data/holdfast.db-wal"),
  mkdir("/r/data/tmp/1"),
  create("/r/data/tmp/1/blob"),
  write("/r/data/tmp/1/blob"),
  mkdir("/r/data/tmp/1/package"),
  create("/r/data/tmp/1/package/zarf.yaml"),
  write("/r/data/tmp/1/package/zarf.yaml"),
  mkdir("/r/data/blobs/sha256/b1"),
  flush("/r/data/blobs/sha256"),
  'chmod("/r/data/tmp/1/blob", 0444) = 0',
  flush("/r/data/tmp/1/blob"),
  rename("/r/data/tmp/1/blob", BLOB_PATH),
  flush("/r/data/blobs/sha256/b1"),
  flush("/r/data/tmp/1/package/zarf.yaml"),
  flush("/r/data/tmp/1/package"),
  rename("/r/data/tmp/1/package", `/r/data/packages/${PACKAGE}`),
  flush("/r/data/packages"),
  remove("/r/data/tmp/1"),
  write("/r/data/holdfast.db-wal", `... sha256:${PACKAGE} ...`),
  flush("/r/data/holdfast.db-wal"),
  create(`${VERDICT}.0123abcd.tmp`),
  write(
    `${VERDICT}.0123abcd.tmp`,
    `{\\"package\\": {\\"digest\\": \\"sha256:${PACKAGE}\\"}, \\"phase\\": \\"Accepted\\"}`,
  ),
  flush(`${VERDICT}.0123abcd.tmp`),
  rename(`${VERDICT}.0123abcd.tmp`, VERDICT),
  flush("/r/drop"),
];

function complaints(lines: readonly string[]): Complaint[] {
  const text = lines.map((line) => /^\d+ /.test(line) ? line : `1 ${line}`).join("\n");
  return checkOrder(operationsOf(parseTrace(text)), {
    root: "/r",
    data: "/r/data",
    records: new Map([[PACKAGE, { blobs: [BLOB], isPackage: true }]]),
  });
}

/** The place of a line in the trace; the last one of several that are the same. */
const at = (line: string) => {
  const index = TRACE.lastIndexOf(line);
  return index < 0 ? assert.fail(`no ${line}`) : index;
};
const before = (line: string, ...added: string[]) => TRACE.toSpliced(at(line), 0, ...added);
const after = (line: string, ...added: string[]) => TRACE.toSpliced(at(line) + 1, 0, ...added);
const without = (line: string) => TRACE.toSpliced(at(line), 1);
const put = (moved: string, behind: string) => {
  const rest = without(moved);
  return rest.toSpliced(rest.lastIndexOf(behind) + 1, 0, moved);
};

Deno.test("a trace that keeps the order is not complained about", () => {
  assert.deepEqual(complaints(TRACE), []);
});

for (const [index, line] of TRACE.entries()) {
  if (!line.startsWith("fsync")) continue;
  Deno.test(`the trace without its line ${index + 1}, ${line}, is complained about`, () => {
    assert.notDeepEqual(complaints(TRACE.toSpliced(index, 1)), []);
  });
  Deno.test(`the trace whose ${line} in line ${index + 1} fails is complained about`, () => {
    const failed = line.replace("= 0", "= -1 EIO (Input/output error)");
    assert.notDeepEqual(complaints(TRACE.toSpliced(index, 1, failed)), []);
  });
}

const renamed = rename("/r/data/tmp/1/blob", BLOB_PATH);
const record = write("/r/data/holdfast.db-wal", `... sha256:${PACKAGE} ...`);
const recorded = flush("/r/data/holdfast.db-wal");
const accepted = TRACE[TRACE.length - 4] ?? "";
const verdict = rename(`${VERDICT}.0123abcd.tmp`, VERDICT);

for (
  const [what, lines, expected] of [
    ["a blob that is flushed after it has its name", put(flush("/r/data/tmp/1/blob"), renamed), [
      /b1b1 gets its name before .*tmp\/1\/blob is flushed/,
    ]],
    ["a blob that is written to after its flush", before(renamed, write("/r/data/tmp/1/blob")), [
      /b1b1 gets its name before .*blob is flushed/,
    ]],
    [
      "a blob whose mode changes after its flush",
      before(
        renamed,
        'chmod("/r/data/tmp/1/blob", 0400) = 0',
      ),
      [/b1b1 gets its name before .*blob is flushed/],
    ],
    ["a blob that is written where it is served", after(renamed, write(BLOB_PATH)), [
      /b1b1 is changed in place \(write\)/,
    ]],
    [
      "a blob that is made where it is served",
      after(
        renamed,
        create("/r/data/blobs/sha256/b1/other"),
        flush("/r/data/blobs/sha256/b1/other"),
      ),
      [/other is changed in place \(open\)/],
    ],
    [
      "a blob that is mapped to be written",
      after(
        renamed,
        `mmap(NULL, 8, PROT_READ|PROT_WRITE, MAP_SHARED, 3<${BLOB_PATH}>, 0) = 0x1`,
      ),
      [/changed in place \(map\)/],
    ],
    ["a blob that is gone in the end", [...TRACE, remove(BLOB_PATH)], [
      /the record of 9a\w+ is there at the end, and \S+ is not flushed/,
    ]],
    [
      "a package's file that is changed later",
      after(
        recorded,
        `truncate("/r/data/packages/${PACKAGE}/zarf.yaml", 0) = 0`,
      ),
      [/zarf.yaml is changed in place \(change\)/],
    ],
    ["a record that is written before the blob has its name", put(renamed, record), [
      /the record of 9a\w+ is written, and \S+b1b1 is not flushed/,
    ]],
    [
      "a record that is written before the blob's directory is flushed",
      put(
        flush("/r/data/blobs/sha256/b1"),
        record,
      ),
      [/the record of 9a\w+ is written, and the name \S+b1b1 is not flushed/],
    ],
    [
      "a record that is written before the package's directory is flushed",
      put(
        flush("/r/data/packages"),
        record,
      ),
      [/the record of 9a\w+ is written, and the name \S+packages\/9a\w+ is not flushed/],
    ],
    ["a verdict that is written before the record is flushed", put(recorded, accepted), [
      /status.json\S+ is written before the record of 9a\w+ is flushed/,
    ]],
    ["a verdict without a package", [
      ...TRACE.slice(0, at(accepted)),
      write(`${VERDICT}.0123abcd.tmp`, '{\\"phase\\": \\"Ready\\"}'),
      ...TRACE.slice(at(accepted) + 1),
    ], [/names no package/]],
    [
      "work that goes on before the name of a verdict is flushed",
      after(
        verdict,
        create(`${VERDICT}.4567abcd.tmp`),
        flush(`${VERDICT}.4567abcd.tmp`),
        rename(`${VERDICT}.4567abcd.tmp`, VERDICT),
      ),
      [/4567abcd.tmp follows before the new name \S+status.json is flushed/],
    ],
    ["a flush that begins before the write ends", [
      ...TRACE.slice(0, at(write("/r/data/tmp/1/blob"))),
      ...TRACE.slice(at(write("/r/data/tmp/1/blob")) + 1, at(flush("/r/data/tmp/1/blob"))),
      '2 write(3</r/data/tmp/1/blob>, "x", 1 <unfinished ...>',
      "1 fsync(3</r/data/tmp/1/blob> <unfinished ...>",
      "2 <... write resumed>) = 1",
      "1 <... fsync resumed>) = 0",
      ...TRACE.slice(at(flush("/r/data/tmp/1/blob")) + 1),
    ], [/b1b1 gets its name before/]],
    [
      "work that goes on while a transaction is not flushed",
      before(
        recorded,
        mkdir("/r/data/tmp/2"),
      ),
      [/tmp\/2 follows a transaction that is not flushed/],
    ],
    [
      "a page that is written before the log is flushed",
      before(
        recorded,
        write("/r/data/holdfast.db"),
        flush("/r/data/holdfast.db"),
      ),
      [/a page is written into the database before \S+-wal is flushed/],
    ],
    ["a log that is removed before the database is flushed", [
      ...TRACE,
      write("/r/data/holdfast.db"),
      remove("/r/data/holdfast.db-wal"),
    ], [/-wal is removed before the database is flushed/]],
    [
      "a package that is never recorded",
      TRACE.filter((line) => line !== record && line !== accepted),
      [
        /9a has no durable record/,
      ],
    ],
    ["an unknown file that gets a name", [
      ...TRACE,
      rename("/r/data/tmp/none", "/r/data/none"),
    ], [/tmp\/none is flushed|none is not known/]],
  ] as const
) {
  Deno.test(`${what} is complained about`, () => {
    const said = complaints(lines).map(({ message }) => message);
    for (const pattern of expected) {
      assert.ok(said.some((message) => pattern.test(message)), said.join("\n"));
    }
  });
}

for (
  const [what, lines] of [
    [
      "a transaction that is flushed while another thread works",
      before(
        recorded,
        `2 ${mkdir("/r/data/tmp/2")}`,
      ),
    ],
    ["a checkpoint in order", [
      ...TRACE,
      write("/r/data/holdfast.db"),
      flush("/r/data/holdfast.db"),
      remove("/r/data/holdfast.db-wal"),
    ]],
    [
      "a verdict of a package that is still read, before its record",
      before(
        record,
        create(`${VERDICT}.4567abcd.tmp`),
        write(`${VERDICT}.4567abcd.tmp`, '{\\"phase\\": \\"Receiving\\"}'),
        flush(`${VERDICT}.4567abcd.tmp`),
        rename(`${VERDICT}.4567abcd.tmp`, VERDICT),
        flush("/r/drop"),
      ),
    ],
    ["a file outside of the directories", [...TRACE, create("/elsewhere"), write("/elsewhere")]],
    ["what is left in tmp", [...TRACE, create("/r/data/tmp/left"), write("/r/data/tmp/left")]],
    ["a flush by fdatasync", TRACE.map((line) => line.replace("fsync", "fdatasync"))],
    [
      "a blob that has a name twice",
      after(
        flush("/r/data/blobs/sha256/b1"),
        mkdir("/r/data/registry"),
        `linkat(AT_FDCWD</>, "${BLOB_PATH}", AT_FDCWD</>, "/r/data/registry/data", 0) = 0`,
        flush("/r/data/registry"),
        flush("/r/data"),
      ),
    ],
  ] as const
) {
  Deno.test(`${what} is not complained about`, () => assert.deepEqual(complaints(lines), []));
}
