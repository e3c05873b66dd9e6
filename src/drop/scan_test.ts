import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { scanDirectory } from "./scan.ts";

Deno.test("a scan finds packages, sorted, and leaves everything else", () =>
  withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/b.tar`, "bb");
    await Deno.writeTextFile(`${directory}/a.tar.zst`, "a");
    await Deno.writeTextFile(`${directory}/a.tar.zst.status.json`, "{}");
    await Deno.mkdir(`${directory}/folder.tar`);
    await Deno.symlink("/nowhere", `${directory}/dangling.tar`);
    await Deno.symlink(`${directory}/b.tar`, `${directory}/link.tar`);
    const scan = await scanDirectory(directory);
    assert.deepEqual(
      scan?.files.map((file) => [file.path.slice(directory.length + 1), file.size]),
      [["a.tar.zst", 1], ["b.tar", 2], ["link.tar", 2]],
    );
  }));

Deno.test("a file that is written to again has another identity", () =>
  withDirectory(async (directory) => {
    const path = `${directory}/a.tar`;
    await Deno.writeTextFile(path, "one");
    const before = (await scanDirectory(directory))?.files[0];
    await new Promise((resolve) => setTimeout(resolve, 5));
    await Deno.writeTextFile(path, "two");
    const after = (await scanDirectory(directory))?.files[0];
    assert.equal(before?.size, after?.size);
    assert.notEqual(before?.mtimeNs, after?.mtimeNs);
  }));

Deno.test("a directory that is not there has no files and is no error", async () => {
  assert.equal(await scanDirectory("/nowhere/at/all"), undefined);
});

Deno.test("a directory that was made anew has another inode", () =>
  withDirectory(async (directory) => {
    const inner = `${directory}/drop`;
    await Deno.mkdir(inner);
    const before = await scanDirectory(inner);
    await Deno.rename(inner, `${directory}/old`);
    await Deno.mkdir(inner);
    assert.notEqual((await scanDirectory(inner))?.inode, before?.inode);
  }));
