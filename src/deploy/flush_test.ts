import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { systemFs } from "../std/mod.ts";
import { Flusher } from "./flush.ts";

/** What is flushed below a directory while something is done. */
function flushedBy(root: string, action: () => void): string[] {
  const flushed: string[] = [];
  const { fsyncFile } = systemFs;
  systemFs.fsyncFile = (path) => {
    flushed.push(path.slice(root.length));
    fsyncFile(path);
    if (path.endsWith("/bad")) throw new Error("gone");
  };
  try {
    action();
  } finally {
    systemFs.fsyncFile = fsyncFile;
  }
  return flushed.sort();
}

/** A tree with files, links, and a pipe. */
async function tree(directory: string): Promise<string> {
  const root = `${directory}/tree`;
  Deno.mkdirSync(`${root}/a/b`, { recursive: true });
  for (const file of ["x", "a/bad", "a/b/z"]) Deno.writeTextFileSync(`${root}/${file}`, file);
  Deno.writeTextFileSync(`${directory}/outside`, "x");
  Deno.symlinkSync(`${directory}/outside`, `${root}/link`);
  Deno.symlinkSync("nowhere", `${root}/broken`);
  assert.ok((await new Deno.Command("mkfifo", { args: [`${root}/pipe`] }).output()).success);
  return root;
}

Deno.test("files and directories are flushed, nothing that a link leads to or that would wait", () =>
  withDirectory(async (directory) => {
    const root = await tree(directory);
    const flusher = new Flusher([root, `${directory}/none`]);
    const all = ["", "/a", "/a/b", "/a/b/z", "/a/bad", "/x"];
    assert.deepEqual(flushedBy(root, () => flusher.flush()), all);
  }));

Deno.test("what is durable is flushed again only when it has changed", () =>
  withDirectory(async (directory) => {
    const root = await tree(directory);
    const flusher = new Flusher([root]);
    flusher.trust();
    assert.deepEqual(flushedBy(root, () => flusher.flush()), []);
    Deno.writeTextFileSync(`${root}/x`, "longer than before");
    Deno.writeTextFileSync(`${root}/a/b/new`, "new");
    assert.deepEqual(flushedBy(root, () => flusher.flush()), ["/a/b", "/a/b/new", "/x"]);
    Deno.writeTextFileSync(`${root}/a/bad`, "anew");
    assert.deepEqual(flushedBy(root, () => flusher.flush()), ["/a/bad"]);
    assert.deepEqual(flushedBy(root, () => flusher.flush()), ["/a/bad"], "it was not flushed");
  }));
