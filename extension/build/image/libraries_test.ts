import assert from "node:assert/strict";
import { withDirectory } from "../../../test/fakes/testing.ts";
import { readElf } from "./elf.ts";
import { librariesOf } from "./libraries.ts";

const PROGRAM = Deno.execPath();
const ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
const OTHER = ARCHITECTURE === "amd64" ? "arm64" : "amd64";

Deno.test("a program's libraries come with those that they need, and with the loader", () => {
  const libraries = librariesOf([PROGRAM], ARCHITECTURE);
  const paths = libraries.map(({ path }) => path);
  assert(paths.some((path) => path.endsWith("/libc.so.6")), paths.join(" "));
  const loaders = paths.filter((path) => /\/ld-linux/.test(path));
  assert.deepEqual(
    loaders,
    [readElf(PROGRAM).interpreter?.slice(1)],
    "once, where it is asked for",
  );
  const names = new Set(paths.map((path) => path.slice(path.lastIndexOf("/") + 1)));
  for (const { source } of libraries) {
    for (const needed of readElf(source).needed) assert(names.has(needed), `${source}: ${needed}`);
  }
  assert.equal(names.size, paths.length);
  assert.deepEqual(paths, paths.toSorted());
});

Deno.test("with these and nothing else of this machine the program starts", async () => {
  await withDirectory(async (dir) => {
    const libraries = librariesOf([PROGRAM], ARCHITECTURE);
    for (const { source, path } of libraries) {
      await Deno.mkdir(`${dir}/${path.replace(/\/[^/]*$/, "")}`, { recursive: true });
      await Deno.copyFile(source, `${dir}/${path}`);
    }
    const loader = libraries.find(({ path }) => /\/ld-linux/.test(path))?.path;
    const places = new Set(libraries.map(({ path }) => `${dir}/${path.replace(/\/[^/]*$/, "")}`));
    const { code, stdout } = await new Deno.Command(`${dir}/${loader}`, {
      args: ["--inhibit-cache", "--library-path", [...places].join(":"), PROGRAM, "--version"],
    }).output();
    assert.equal(code, 0);
    assert.match(new TextDecoder().decode(stdout), /^deno /);
  });
});

Deno.test("a program for another processor is refused by its name", () => {
  assert.throws(
    () => librariesOf([PROGRAM], OTHER),
    (error) => error instanceof Error && error.message.includes(`not for ${OTHER}`),
  );
});

Deno.test("a library that is nowhere is named, with who needs it", async () => {
  await withDirectory((root) => {
    assert.throws(
      () => librariesOf([PROGRAM], ARCHITECTURE, root),
      /needs lib\S+, which is not in/,
    );
  });
});
