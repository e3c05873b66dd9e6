import assert from "node:assert/strict";
import { cacheDir, hashTree, keepNewest } from "./places.ts";

Deno.test("the digest of a tree depends on names and contents and on nothing else", async () => {
  const root = await Deno.makeTempDir();
  try {
    const write = async (name: string, files: Record<string, string>) => {
      await Deno.mkdir(`${root}/${name}/sub`, { recursive: true });
      for (const [path, text] of Object.entries(files)) {
        await Deno.writeTextFile(`${root}/${name}/${path}`, text);
      }
      return hashTree(`${root}/${name}`);
    };
    const one = await write("one", { a: "1", "sub/b": "2" });
    assert.match(one, /^[0-9a-f]{64}$/);
    assert.equal(await write("same", { "sub/b": "2", a: "1" }), one);
    assert.notEqual(await write("content", { a: "1", "sub/b": "3" }), one);
    assert.notEqual(await write("name", { a: "1", "sub/c": "2" }), one);
    assert.notEqual(await write("border", { a: "12", "sub/b": "" }), one);
    await Deno.writeTextFile(`${root}/one/more`, "3");
    assert.equal(hashTree(`${root}/one`, (path) => path !== "more"), one);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("the cache is where the user wants it", () => {
  const given = (values: Record<string, string>) => cacheDir((name) => values[name]);
  assert.equal(given({ HOLDFAST_CACHE: "/c", XDG_CACHE_HOME: "/x", HOME: "/h" }), "/c");
  assert.equal(given({ XDG_CACHE_HOME: "/x", HOME: "/h" }), "/x/holdfast");
  assert.equal(given({ HOME: "/h" }), "/h/.cache/holdfast");
});

Deno.test("the newest folders are kept, files are nobody's", async () => {
  const root = await Deno.makeTempDir();
  try {
    for (const [at, name] of ["c", "a", "d", "b"].entries()) {
      await Deno.mkdir(`${root}/${name}/below`, { recursive: true });
      await Deno.utime(`${root}/${name}`, at, at);
    }
    await Deno.writeTextFile(`${root}/lock`, "");
    const names = () => [...Deno.readDirSync(root)].map(({ name }) => name).sort();
    keepNewest(root, 4);
    assert.deepEqual(names(), ["a", "b", "c", "d", "lock"]);
    keepNewest(root, 2);
    assert.deepEqual(names(), ["b", "d", "lock"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
