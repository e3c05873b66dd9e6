import assert from "node:assert/strict";
import { StoreError } from "./errors.ts";
import { systemStoreFs } from "./fs.ts";
import { MAX_PACKAGE_PATH, PackageTree } from "./package_tree.ts";
import { fsWith, permissions, treeOf, withDirectory } from "./testing.ts";

async function withTree(action: (tree: PackageTree) => void): Promise<void> {
  await withDirectory((dir) => action(new PackageTree(dir, systemStoreFs)));
}

function unsafe(action: () => unknown, why: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.reason, "UnsafePath");
    assert.equal(error.disposition, "terminal");
    assert.equal(error.kept, "the package was not taken in");
    assert.match(error.message, why);
    return true;
  });
}

/** Puts an empty file at a path of the tree. */
function touch(tree: PackageTree, path: string): void {
  Deno.writeTextFileSync(tree.place(path), "");
}

for (
  const [mode, expected] of [
    [0o644, 0o644],
    [0o600, 0o600],
    [0o640, 0o640],
    [0o000, 0o600],
    [0o444, 0o644],
    [0o755, 0o755],
    [0o700, 0o700],
    [0o100, 0o700],
    [0o4755, 0o755],
    [0o011, 0o611],
    [0o2777, 0o755],
  ] as const
) {
  Deno.test(`a file of the mode ${mode.toString(8)} is kept with ${expected.toString(8)}`, () => {
    assert.equal(PackageTree.fileMode(mode), expected);
  });
}

for (
  const [path, directories] of [
    ["zarf.yaml", []],
    ["a/b/c.txt", ["a", "a/b"]],
    ["with space/ünïcode/…", ["with space", "with space/ünïcode"]],
    ["...", []],
    ["a..b/..c/d..", ["a..b", "a..b/..c"]],
    ["-rf/~/$HOME", ["-rf", "-rf/~"]],
    ["back\\slash", []],
  ] as const
) {
  Deno.test(`the path ${JSON.stringify(path)} is a place of its own in the package`, () =>
    withTree((tree) => {
      const place = tree.place(path);
      assert.equal(place, `${tree.root}/${path}`);
      for (const directory of directories) {
        assert.equal(permissions(`${tree.root}/${directory}`) & 0o700, 0o700);
      }
      touch(tree, path);
      assert.deepEqual(treeOf(tree.root), { [path]: "" });
    }));
}

for (const length of [MAX_PACKAGE_PATH, MAX_PACKAGE_PATH + 1]) {
  Deno.test(`a path of ${length} characters is ${length > MAX_PACKAGE_PATH ? "refused" : "taken"}`, () =>
    withTree((tree) => {
      const path = "a/".repeat(length / 2).padEnd(length, "b").replace(/\/$/, "b");
      assert.equal(path.length, length);
      if (length > MAX_PACKAGE_PATH) unsafe(() => tree.place(path), /not a plain relative path/);
      else assert.equal(tree.place(path), `${tree.root}/${path}`);
    }));
}

Deno.test("an endless path is told in a message that ends", () =>
  withTree((tree) => {
    assert.throws(() => tree.place("x".repeat(1 << 20)), (error: Error) =>
      error.message.length < MAX_PACKAGE_PATH + 100);
  }));

Deno.test("files of one directory share it, and a directory may be told before, after and twice", () =>
  withTree((tree) => {
    tree.directory("charts/");
    touch(tree, "charts/a");
    touch(tree, "charts/b");
    tree.directory("charts");
    tree.directory("charts/deep/er/");
    touch(tree, "charts/deep/er/c");
    assert.deepEqual(Object.keys(treeOf(tree.root)).sort(), [
      "charts/a",
      "charts/b",
      "charts/deep/er/c",
    ]);
  }));

for (
  const [what, prepare] of [
    ["a file", (tree: PackageTree) => touch(tree, "taken")],
    ["a link to a directory", (tree: PackageTree) => {
      tree.directory("real");
      tree.symlink("taken", "real");
    }],
    ["a dangling link", (tree: PackageTree) => tree.symlink("taken", "later")],
  ] as const
) {
  Deno.test(`nothing goes through ${what} of the same package`, () =>
    withTree((tree) => {
      prepare(tree);
      unsafe(() => tree.place("taken/x"), /goes through a file or link/);
      unsafe(() => tree.directory("taken"), /goes through a file or link/);
      unsafe(() => tree.symlink("taken/y", "x"), /goes through a file or link/);
      unsafe(() => tree.place("taken"), /is there twice/);
      unsafe(() => tree.symlink("taken", "x"), /is there twice/);
      assert.deepEqual(Object.keys(treeOf(tree.root)), ["taken"]);
    }));
}

for (
  const [path, target, allowed] of [
    ["link", "a", true],
    ["link", "a/b/c", true],
    ["a/link", "..", true],
    ["a/b/link", "../../c", true],
    ["link", "...", true],
    ["link", "a..b", true],
    ["link", "./a", true],
    ["a/link", "../a/../b", false],
    ["a/link", "./..", false],
    ["a/link", "../..", false],
  ] as const
) {
  Deno.test(`the link ${path} -> ${target} is ${allowed ? "made as it is" : "refused"}`, () =>
    withTree((tree) => {
      if (!allowed) return unsafe(() => tree.symlink(path, target), /outside of the package/);
      tree.symlink(path, target);
      assert.equal(Deno.readLinkSync(`${tree.root}/${path}`), target);
    }));
}

Deno.test("a link that would lead out is not made, and its target is named", () =>
  withTree((tree) => {
    unsafe(() => tree.symlink("a/link", "../../etc/shadow"), /\.\.\/\.\.\/etc\/shadow, outside/);
    assert.deepEqual(treeOf(tree.root), {});
  }));

Deno.test("files are flushed first, then directories, each one before its parent, the root last", () =>
  withDirectory((dir) => {
    const calls: string[] = [];
    const note = (call: string) => (path: string) =>
      void calls.push(`${call}${path.slice(dir.length)}`);
    const tree = new PackageTree(dir, fsWith({ fsyncFile: note("file "), fsyncDir: note("dir ") }));
    for (const path of ["zarf.yaml", "a/b/c/x", "a/y", "d/z"]) {
      const place = tree.place(path);
      Deno.writeTextFileSync(place, "");
      tree.added(place);
    }
    tree.directory("empty");
    tree.sync();
    assert.deepEqual(calls, [
      "file /zarf.yaml",
      "file /a/b/c/x",
      "file /a/y",
      "file /d/z",
      "dir /empty",
      "dir /d",
      "dir /a/b/c",
      "dir /a/b",
      "dir /a",
      "dir ",
    ]);
  }));
