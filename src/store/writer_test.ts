import assert from "node:assert/strict";
import type { StoreFs } from "./fs.ts";
import { bytesOf, fsWith, osError, treeOf, withDirectory } from "./testing.ts";
import { FileWriter, type FileWriterOptions } from "./writer.ts";

const MIB = 1 << 20;

/** A file system that notes the size of each write and each close. */
function recording(): { readonly fs: StoreFs; readonly writes: number[]; closed: number } {
  const seen = {
    writes: [] as number[],
    closed: 0,
    fs: fsWith({
      create: () => ({
        write: (bytes) => void seen.writes.push(bytes.length),
        close: () => void seen.closed++,
      }),
    }),
  };
  return seen;
}

function writerOf(fs: StoreFs, options: Partial<FileWriterOptions> = {}): FileWriter {
  return new FileWriter(fs, {
    path: "/nowhere",
    mode: 0o444,
    size: undefined,
    what: "file a",
    failpoint: "store.blob.written",
    ...options,
  });
}

for (
  const [what, chunks, writes] of [
    ["no bytes", [], []],
    ["an empty chunk", [0], []],
    ["one small chunk", [5], [5]],
    ["small chunks", [5, 6, 7], [18]],
    ["chunks that fill a batch to the last byte", [MIB - 1, 1], [MIB]],
    ["chunks that overflow a batch by one byte", [MIB - 1, 2], [MIB - 1, 2]],
    ["a chunk of a whole batch", [MIB], [MIB]],
    ["a large chunk behind a small one", [3, MIB], [3, MIB]],
    ["a small chunk behind a large one", [2 * MIB, 3], [2 * MIB, 3]],
    ["many chunks of the usual size", Array(33).fill(65_536), [MIB, MIB, 65_536]],
  ] as const
) {
  Deno.test(`${what} become ${writes.length} writes, in order`, () => {
    const seen = recording();
    const writer = writerOf(seen.fs);
    for (const size of chunks) writer.write(new Uint8Array(size));
    writer.close();
    assert.deepEqual(seen.writes, writes);
    assert.equal(seen.closed, 1);
    assert.equal(writer.taken, chunks.reduce((sum: number, size) => sum + size, 0));
  });
}

Deno.test("a file is told complete once, when its last byte is written, and not when it is short", () => {
  const order: string[] = [];
  const fs = fsWith({
    create: () => ({
      write: () => void order.push("write"),
      close: () => void order.push("close"),
    }),
  });
  const onClose = () => void order.push("complete");
  const writer = writerOf(fs, { size: 3, onClose });
  writer.write(bytesOf("abc"));
  writer.close();
  writer.close();
  writer.abort();
  assert.deepEqual(order, ["write", "close", "complete"]);
  const short = writerOf(fs, { size: 4, onClose });
  short.write(bytesOf("abc"));
  assert.throws(() => short.close(), { reason: "SizeMismatch" });
  assert.deepEqual(order, ["write", "close", "complete", "close"]);
});

for (
  const [size, chunks, at] of [
    [0, ["a"], 0],
    [3, ["abcd"], 0],
    [3, ["abc", "d"], 1],
    [3, ["ab", "", "cd"], 2],
  ] as const
) {
  Deno.test(`of ${size} announced bytes the chunk ${at} of ${chunks} is one too many`, () => {
    const seen = recording();
    const writer = writerOf(seen.fs, { size });
    for (const [index, chunk] of chunks.entries()) {
      if (index < at) writer.write(bytesOf(chunk));
      else {
        assert.throws(
          () => writer.write(bytesOf(chunk)),
          (error: Error) =>
            "reason" in error && error.reason === "SizeMismatch" &&
            error.message.includes("file a") && error.message.includes(`${size} were announced`),
        );
      }
    }
    assert.deepEqual(seen.writes, [], "nothing that is too long reaches the disk");
    writer.abort();
  });
}

Deno.test("an aborted or short file is removed, a complete one is left", () =>
  withDirectory((dir) => {
    for (const [name, end] of [["aborted", "abort"], ["whole", "close"]] as const) {
      const writer = writerOf(fsWith({}), { path: `${dir}/${name}`, size: 2 });
      writer.write(bytesOf("ab"));
      writer[end]();
      writer.abort();
    }
    const short = writerOf(fsWith({}), { path: `${dir}/short`, size: 3 });
    assert.throws(() => short.close(), { reason: "SizeMismatch" });
    assert.deepEqual(treeOf(dir), { whole: "ab" });
  }));

for (
  const [code, reason] of [["ENOSPC", "DiskFull"], ["EIO", "IoError"], [
    "EROFS",
    "ReadOnly",
  ]] as const
) {
  for (const size of [10, MIB]) {
    Deno.test(`${code} in a write of ${size} bytes is ${reason}, names the file, and leaves nothing`, () =>
      withDirectory((dir) => {
        let closed = 0;
        const path = `${dir}/a`;
        const fs = fsWith({
          create: () => {
            Deno.writeTextFileSync(path, "");
            return {
              write: () => {
                throw osError(code);
              },
              close: () => void closed++,
            };
          },
        });
        const writer = writerOf(fs, { path });
        assert.throws(
          () => {
            writer.write(new Uint8Array(size));
            writer.close();
          },
          (error: Error) =>
            "reason" in error && error.reason === reason && error.message.includes("write file a"),
        );
        writer.abort();
        assert.equal(closed, 1, "its descriptor is given back");
        assert.deepEqual(treeOf(dir), {});
      }));
  }
}

Deno.test("a file that is there already is not written over", () =>
  withDirectory((dir) => {
    Deno.writeTextFileSync(`${dir}/a`, "old");
    assert.throws(() => writerOf(fsWith({}), { path: `${dir}/a` }), { reason: "IoError" });
    assert.deepEqual(treeOf(dir), { a: "old" });
  }));

Deno.test("what close is told of the way to the disk is the file's failure, and nothing is left", () =>
  withDirectory((dir) => {
    const path = `${dir}/a`;
    const fs = fsWith({
      create: () => ({
        write: (bytes) => Deno.writeFileSync(path, bytes, { append: true }),
        close: () => {
          throw osError("EIO");
        },
      }),
    });
    let told = false;
    const writer = writerOf(fs, { path, onClose: () => told = true });
    writer.write(bytesOf("abc"));
    assert.throws(() => writer.close(), { reason: "IoError", message: /file a/ });
    assert.deepEqual(treeOf(dir), {});
    writer.abort();
    assert.equal(told, false);
  }));
