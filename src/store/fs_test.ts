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

Deno.test("an empty file is made where there is none, and one that is there is kept", () =>
  withDirectory((dir) => {
    furnish(dir);
    systemStoreFs.touch(`${dir}/new`, 0o600);
    systemStoreFs.touch(`${dir}/file`, 0o600);
    assert.equal(fileSize(`${dir}/new`), 0);
    assert.equal(permissions(`${dir}/new`), 0o600);
    assert.equal(Deno.readTextFileSync(`${dir}/file`), "hello");
    assert.throws(() => systemStoreFs.touch(`${dir}/directory`, 0o600), Deno.errors.IsADirectory);
  }));

Deno.test("mode, time and second names are a file's own", () =>
  withDirectory((dir) => {
    furnish(dir);
    const time = new Date("2026-01-02T03:04:05.678Z");
    systemStoreFs.chmod(`${dir}/file`, 0o440);
    systemStoreFs.utime(`${dir}/file`, time);
    systemStoreFs.link(`${dir}/file`, `${dir}/second`);
    systemStoreFs.symlink("second", `${dir}/third`);
    const info = Deno.statSync(`${dir}/third`);
    assert.deepEqual([info.nlink, info.mtime, permissions(`${dir}/third`)], [2, time, 0o440]);
    systemStoreFs.chown(`${dir}/file`, Deno.uid() ?? 0, Deno.gid() ?? 0);
    assert.throws(() => systemStoreFs.link(`${dir}/file`, `${dir}/second`), /os error 17/);
  }));

Deno.test("a directory is made once and below one that is there, and removed with what is in it", () =>
  withDirectory((dir) => {
    systemStoreFs.mkdir(`${dir}/new`, 0o700);
    assert.equal(permissions(`${dir}/new`), 0o700);
    assert.throws(() => systemStoreFs.mkdir(`${dir}/new`), Deno.errors.AlreadyExists);
    assert.throws(() => systemStoreFs.mkdir(`${dir}/no/where`), Deno.errors.NotFound);
    furnish(`${dir}/new`);
    Deno.symlinkSync("new", `${dir}/link`);
    systemStoreFs.remove(`${dir}/link`);
    assert.ok(exists(`${dir}/new/file`), "what a link points to is not removed");
    systemStoreFs.remove(`${dir}/new`);
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));

/** Calls of Deno that change what the disk holds. */
const CHANGING =
  /\bDeno\.(?:chmod|chown|copyFile|create|link|makeTemp|mkdir|remove|rename|symlink|truncate|utime|write)\w*\(/;

Deno.test("no other files of the store change the disk, but SQLite, and through a lock that is there", () => {
  const directory = new URL(".", import.meta.url);
  const files = [...Deno.readDirSync(directory)].map(({ name }) => name)
    .filter((name) => name.endsWith(".ts") && !/_test(?:_child)?\.ts$|^testing/.test(name));
  const changing = files.filter((name) => {
    const source = Deno.readTextFileSync(new URL(name, directory));
    return CHANGING.test(source) || /Deno\.open\w*\([^)]*create/.test(source);
  });
  assert.deepEqual(changing.sort(), ["eager_file.ts", "fs.ts"]);
});
