import assert from "node:assert/strict";
import { exists, fileSize, systemStoreFs } from "./fs.ts";
import { bytesOf, permissions, withDirectory } from "./testing.ts";

/** One of each kind of thing that a path may name. */
function furnish(dir: string): void {
  Deno.writeTextFileSync(`${dir}/file`, "hello");
  Deno.writeTextFileSync(`${dir}/empty`, "");
  Deno.mkdirSync(`${dir}/directory`);
  Deno.symlinkSync("file", `${dir}/link`);
  Deno.symlinkSync("nowhere", `${dir}/dangling`);
}

for (
  const [name, isThere, size] of [
    ["file", true, 5],
    ["empty", true, 0],
    ["directory", true, undefined],
    ["link", true, undefined],
    ["dangling", true, undefined],
    ["nothing", false, undefined],
    ["directory/nothing", false, undefined],
  ] as const
) {
  Deno.test(`of "${name}" it is known that it is ${isThere ? "" : "not "}there, and its size ${size}`, () =>
    withDirectory((dir) => {
      furnish(dir);
      assert.equal(exists(`${dir}/${name}`), isThere);
      assert.equal(fileSize(`${dir}/${name}`), size);
    }));
}

Deno.test("a path that cannot be looked at is an error, not an absence", () =>
  withDirectory((dir) => {
    furnish(dir);
    assert.throws(() => exists(`${dir}/file/below`), Deno.errors.NotADirectory);
    assert.throws(() => fileSize(`${dir}/file/below`), Deno.errors.NotADirectory);
  }));

Deno.test("a new file takes all bytes, and nobody but its owner may write it", () =>
  withDirectory((dir) => {
    const sink = systemStoreFs.create(`${dir}/new`, 0o444);
    sink.write(bytesOf("one, "));
    sink.write(new Uint8Array());
    sink.write(bytesOf("two"));
    sink.close();
    assert.equal(Deno.readTextFileSync(`${dir}/new`), "one, two");
    assert.equal(permissions(`${dir}/new`) & 0o222, 0o200);
  }));

for (const name of ["file", "directory", "link", "dangling"]) {
  Deno.test(`a new file is not made where there is a ${name}`, () =>
    withDirectory((dir) => {
      furnish(dir);
      assert.throws(() => systemStoreFs.create(`${dir}/${name}`, 0o644), Deno.errors.AlreadyExists);
      assert.equal(Deno.readTextFileSync(`${dir}/file`), "hello");
      assert.equal(exists(`${dir}/nowhere`), false);
    }));
}
