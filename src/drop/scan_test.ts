import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { splitPackage } from "../../test/fixtures/split_package.ts";
import { dirname } from "../std/mod.ts";
import { MAX_DEPTH, MAX_ENTRIES, MAX_FILES, type Scan, scanDirectory } from "./scan.ts";

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

/** What a scan found, below the directory. */
function found(scan: Scan | undefined, directory: string): string[] {
  return scan?.files.map(({ path }) => path.slice(directory.length + 1)) ?? [];
}

async function write(path: string, text = "x"): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
}

const PACKAGE = "zarf-package-web-amd64-1.0.0.tar.zst";

Deno.test("packages are found as deep as they may lie, and no deeper", () =>
  withDirectory(async (directory) => {
    const deepest = "a/".repeat(MAX_DEPTH);
    await write(`${directory}/${PACKAGE}`);
    await write(`${directory}/a/${PACKAGE}`);
    await write(`${directory}/${deepest}${PACKAGE}`);
    await write(`${directory}/${deepest}b/${PACKAGE}`);
    const scan = await scanDirectory(directory);
    assert.deepEqual(found(scan, directory), [
      `a/${deepest.slice(2)}${PACKAGE}`,
      `a/${PACKAGE}`,
      PACKAGE,
    ]);
    assert.deepEqual([scan?.truncated, scan?.unreadable.size], [false, 0]);
  }));

Deno.test("in folders only what has a name of Zarf's is a package", () =>
  withDirectory(async (directory) => {
    const names = ["zarf-init-amd64-v0.84.0.tar.zst", "photos.tar", "notes.txt", PACKAGE];
    for (const name of names) await write(`${directory}/folder/${name}`);
    await write(`${directory}/components/zarf-package-a.tar`);
    await write(`${directory}/components/zarf-package-a.tar.part001`);
    await write(`${directory}/.hidden/${PACKAGE}`);
    await write(`${directory}/folder/lost+found/${PACKAGE}`);
    await write(`${directory}/System Volume Information/${PACKAGE}`);
    const expected = ["folder/zarf-init-amd64-v0.84.0.tar.zst", `folder/${PACKAGE}`];
    assert.deepEqual(found(await scanDirectory(directory), directory), expected);
  }));

Deno.test("links to folders are not followed, links to files are", () =>
  withDirectory(async (directory) => {
    await write(`${directory}/aside/folder/${PACKAGE}`);
    await write(`${directory}/aside/web/zarf.yaml`);
    await write(`${directory}/aside/web/checksums.txt`);
    const drop = `${directory}/drop`;
    await Deno.mkdir(`${drop}/in`, { recursive: true });
    await Deno.symlink(`${directory}/aside/folder`, `${drop}/folder`);
    await Deno.symlink(`${directory}/aside/web`, `${drop}/web`);
    await Deno.symlink(`${directory}/aside/web`, `${drop}/web.tar`);
    await Deno.symlink("..", `${drop}/in/loop`);
    await Deno.symlink(`../../aside/folder/${PACKAGE}`, `${drop}/in/${PACKAGE}`);
    assert.deepEqual(found(await scanDirectory(drop), drop), [`in/${PACKAGE}`]);
  }));

Deno.test("an unpacked package is one, whatever lies in it", () =>
  withDirectory(async (directory) => {
    const path = `${directory}/deep/er/web`;
    for (const name of ["components/a.tar", "sboms.tar", `components/${PACKAGE}`, "zarf.yaml"]) {
      await write(`${path}/${name}`);
    }
    const before = await scanDirectory(directory);
    assert.deepEqual(found(before, directory), [`deep/er/web/components/${PACKAGE}`]);
    await write(`${path}/checksums.txt`);
    assert.deepEqual(found(await scanDirectory(directory), directory), ["deep/er/web"]);
    assert.equal((await scanDirectory(directory))?.files[0]?.size, 5);
    await Deno.mkdir(`${directory}/source`);
    await write(`${directory}/source/zarf.yaml`);
    await write(`${directory}/zarf.yaml`);
    await write(`${directory}/checksums.txt`);
    assert.deepEqual(found(await scanDirectory(directory), directory), ["deep/er/web"]);
  }));

Deno.test("parts are one package, which a file or a directory of its name stands for", () =>
  withDirectory(async (directory) => {
    const parts = splitPackage("web.tar", new Uint8Array(10), 4);
    for (const name of parts.keys()) {
      await Deno.writeFile(`${directory}/${name}`, parts.get(name) ?? new Uint8Array());
    }
    await write(`${directory}/a.txt.part001`);
    await write(`${directory}/b.tar.zst.part002`);
    const scan = await scanDirectory(directory);
    assert.deepEqual(found(scan, directory), ["b.tar.zst", "web.tar"]);
    assert.deepEqual([...scan?.wanting.keys() ?? []], [`${directory}/b.tar.zst`]);
    await write(`${directory}/b.tar.zst`, "bytes");
    await Deno.remove(`${directory}/web.tar.part002`);
    await write(`${directory}/web.tar/zarf.yaml`);
    await write(`${directory}/web.tar/checksums.txt`);
    const whole = await scanDirectory(directory);
    assert.deepEqual(whole?.files.map(({ size }) => size), [5, 2]);
    assert.equal(whole?.wanting.size, 0);
  }));

Deno.test("of more names than one look goes through, nearer ones are seen", () =>
  withDirectory(async (directory) => {
    await write(`${directory}/${PACKAGE}`);
    await write(`${directory}/b/${PACKAGE}`);
    await write(`${directory}/b/c/zarf.yaml`);
    await write(`${directory}/b/c/checksums.txt`);
    await Deno.mkdir(`${directory}/a`);
    const script = `seq ${MAX_ENTRIES} | xargs touch`;
    const { success } = await new Deno.Command("sh", {
      args: ["-c", script],
      cwd: `${directory}/a`,
    }).output();
    assert(success);
    const scan = await scanDirectory(directory);
    assert.deepEqual([found(scan, directory), scan?.truncated], [[PACKAGE], true]);
    await write(`${directory}/z/zarf.yaml`);
    await write(`${directory}/z/checksums.txt`);
    await Deno.rename(`${directory}/a`, `${directory}/z/images`);
    const tree = await scanDirectory(directory);
    assert.deepEqual(found(tree, directory), [`b/${PACKAGE}`, PACKAGE], "half a tree is none");
    assert.equal(tree?.truncated, true);
    await Deno.remove(`${directory}/z`, { recursive: true });
    const after = await scanDirectory(directory);
    assert.deepEqual(found(after, directory), ["b/c", `b/${PACKAGE}`, PACKAGE]);
    assert.equal(after?.truncated, false);
  }));

Deno.test("of more packages than there may be, the rest is left", () =>
  withDirectory(async (directory) => {
    for (let at = 0; at <= MAX_FILES; at++) Deno.writeTextFileSync(`${directory}/${at}.tar`, "");
    const scan = await scanDirectory(directory);
    assert.deepEqual([scan?.files.length, scan?.truncated], [MAX_FILES, true]);
  }));
