import assert from "node:assert/strict";
import { operationsOf } from "./operation.ts";
import { parseTrace } from "./strace.ts";

const operations = (...lines: string[]) =>
  operationsOf(parseTrace(lines.map((line) => `1 ${line}`).join("\n")))
    .map(({ thread: _thread, begin: _begin, end: _end, ...action }) => action);

for (
  const [line, action] of [
    ['openat(AT_FDCWD</w>, "/a", O_RDONLY|O_CLOEXEC) = 3</a>', undefined],
    ['openat(AT_FDCWD</w>, "/a", O_RDWR) = 3</a>', { kind: "open", path: "/a", creates: false }],
    ['open("/a", O_WRONLY|O_CREAT, 0600) = 3</a>', { kind: "open", path: "/a", creates: true }],
    ['openat(4</w>, "a", O_WRONLY|O_TRUNC) = 3</w/a>', {
      kind: "open",
      path: "/w/a",
      creates: true,
    }],
    ['creat("/a", 0600) = 3</a>', { kind: "open", path: "/a", creates: true }],
    ['write(3</a>, "x\\n", 2) = 2', { kind: "write", path: "/a", data: "x\n" }],
    ['write(3<pipe:[7]>, "x", 1) = 1', undefined],
    ['writev(3</a>, [{iov_base="x", iov_len=1}, {iov_base="y", iov_len=1}], 2) = 2', {
      kind: "write",
      path: "/a",
      data: "xy",
    }],
    ["copy_file_range(3</b>, NULL, 4</a>, NULL, 9, 0) = 9", {
      kind: "write",
      path: "/a",
      data: "",
    }],
    ["sendfile(4</a>, 3</b>, NULL, 9) = 9", { kind: "write", path: "/a", data: "" }],
    ["ftruncate(3</a>, 0) = 0", { kind: "change", path: "/a" }],
    ['chmod("/a", 0444) = 0', { kind: "change", path: "/a" }],
    ["fchown(3</a>, 0, 0) = 0", { kind: "change", path: "/a" }],
    ["utimensat(3</a>, NULL, NULL, 0) = 0", { kind: "change", path: "/a" }],
    ['utimensat(AT_FDCWD</w>, "a", NULL, 0) = 0', { kind: "change", path: "/w/a" }],
    ["fsync(3</a>) = 0", { kind: "flush", path: "/a" }],
    ["fdatasync(3</a>) = 0", { kind: "flush", path: "/a" }],
    ["fsync(3</a>) = -1 EIO (Input/output error)", undefined],
    ["fsync(3</a>) = ?", undefined],
    ["sync_file_range(3</a>, 0, 0, SYNC_FILE_RANGE_WRITE) = 0", undefined],
    ['rename("/a", "/b") = 0', { kind: "rename", from: "/a", path: "/b" }],
    ['rename("/a", "/b") = ?', { kind: "rename", from: "/a", path: "/b" }],
    ['rename("/a", "/b") = -1 ENOENT (No such file or directory)', undefined],
    ['renameat2(3</w>, "a", AT_FDCWD</v>, "b", 0) = 0', {
      kind: "rename",
      from: "/w/a",
      path: "/v/b",
    }],
    ['linkat(AT_FDCWD</w>, "a", AT_FDCWD</w>, "/b", 0) = 0', {
      kind: "link",
      from: "/w/a",
      path: "/b",
    }],
    ['symlink("target", "/a") = 0', { kind: "symlink", path: "/a" }],
    ['mkdirat(3</w>, "a", 0777) = 0', { kind: "directory", path: "/w/a" }],
    ['unlinkat(3</w>, "a", 0) = 0', { kind: "remove", path: "/w/a" }],
    ['rmdir("/a") = 0', { kind: "remove", path: "/a" }],
    ["mmap(NULL, 8, PROT_READ|PROT_WRITE, MAP_SHARED, 3</a>, 0) = 0x1", {
      kind: "map",
      path: "/a",
    }],
    ["mmap(NULL, 8, PROT_READ|PROT_WRITE, MAP_PRIVATE, 3</a>, 0) = 0x1", undefined],
    ["mmap(NULL, 8, PROT_READ, MAP_SHARED, 3</a>, 0) = 0x1", undefined],
  ] as const
) {
  Deno.test(`${line} is ${action === undefined ? "nothing" : `a ${action.kind}`}`, () => {
    assert.deepEqual(operations(line), action === undefined ? [] : [action]);
  });
}

for (const line of ["sync() = 0", "io_uring_setup(8, {}) = 3<anon_inode:[io_uring]>"]) {
  Deno.test(`${line} is refused: it is not followed`, () => {
    assert.throws(() => operations(line), /line 1 of the trace: \w+ is not followed/);
  });
}
