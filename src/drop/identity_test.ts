import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { splitPackage } from "../../test/fixtures/split_package.ts";
import { hasInodes, identifyFile, identifyParts, identifyTree } from "./identity.ts";
import { sameFile } from "./settle.ts";
import type { FileIdentity } from "./types.ts";

async function entriesOf(path: string): Promise<Deno.DirEntry[]> {
  const entries = await Array.fromAsync(Deno.readDir(path));
  return entries.sort((a, b) => a.name < b.name ? -1 : 1);
}

const BYTES = new Uint8Array(100).fill(7);
const numbers = [0, 1, 2, 3, 4];

/** Each of them has a file in the middle, which the changes below are made to. */
const kinds: readonly {
  readonly name: string;
  make(dir: string): void;
  readonly middle: string;
  identify(dir: string): Promise<FileIdentity | undefined>;
}[] = [
  {
    name: "a file",
    make: (dir) => Deno.writeFileSync(`${dir}/web.tar`, BYTES),
    middle: "web.tar",
    identify: (dir) => identifyFile(`${dir}/web.tar`),
  },
  {
    name: "a split package",
    make(dir) {
      for (const [name, part] of splitPackage("web.tar", BYTES, 25)) {
        Deno.writeFileSync(`${dir}/${name}`, part);
      }
    },
    middle: "web.tar.part002",
    identify: async (dir) => (await identifyParts(`${dir}/web.tar`, numbers))?.identity,
  },
  {
    name: "an unpacked package",
    make(dir) {
      Deno.mkdirSync(`${dir}/web/images/blobs`, { recursive: true });
      for (const name of ["zarf.yaml", "images/blobs/a", "images/blobs/b"]) {
        Deno.writeFileSync(`${dir}/web/${name}`, BYTES.subarray(0, 25));
      }
    },
    middle: "web/images/blobs/a",
    identify: (dir) => identifyTree(`${dir}/web`, entriesOf),
  },
];

const changes: readonly [string, (path: string) => void][] = [
  ["grows", (path) => Deno.writeTextFileSync(path, "x", { append: true })],
  ["shrinks", (path) => Deno.truncateSync(path, 3)],
  ["is written anew", (path) => {
    Deno.writeFileSync(path, Deno.readFileSync(path));
    Deno.utimeSync(path, new Date(), new Date(Date.now() + 5));
  }],
  ["gets an older time", (path) => Deno.utimeSync(path, 1_000, 1_000)],
  ["is replaced by one of the same size and time", (path) => {
    const { atime, mtime } = Deno.statSync(path);
    Deno.copyFileSync(path, `${path}.new`);
    Deno.renameSync(`${path}.new`, path);
    Deno.utimeSync(path, atime ?? 0, mtime ?? 0);
  }],
];

for (const { name, make, middle, identify } of kinds) {
  Deno.test(`${name} that nobody touches keeps its identity`, () =>
    withDirectory(async (dir) => {
      make(dir);
      const [one, other] = [await identify(dir), await identify(dir)];
      assert(one !== undefined && other !== undefined);
      assert(sameFile(one, other));
      assert.equal(one.size, name.startsWith("an ") ? 75 : 100);
    }));

  for (const [what, change] of changes) {
    Deno.test(`${name} has another identity when ${middle} ${what}`, () =>
      withDirectory(async (dir) => {
        make(dir);
        const path = `${dir}/${middle}`;
        Deno.utimeSync(path, new Date(), new Date(Math.floor(Date.now() / 1_000) * 1_000));
        const before = await identify(dir);
        change(path);
        const after = await identify(dir);
        assert(before !== undefined && after !== undefined);
        assert(!sameFile(before, after));
      }));
  }
}

Deno.test("an unpacked package has another identity when a file comes, goes or is renamed", () =>
  withDirectory(async (dir) => {
    const [, , tree] = kinds;
    tree?.make(dir);
    const seen = [await identifyTree(`${dir}/web`, entriesOf)];
    const steps = [
      () => Deno.writeTextFileSync(`${dir}/web/empty`, ""),
      () => Deno.renameSync(`${dir}/web/empty`, `${dir}/web/emptz`),
      () => Deno.removeSync(`${dir}/web/emptz`),
      () => Deno.symlinkSync("zarf.yaml", `${dir}/web/link`),
    ];
    for (const step of steps) {
      step();
      seen.push(await identifyTree(`${dir}/web`, entriesOf));
    }
    const inodes = seen.map(({ inode }) => inode);
    assert.equal(inodes[3], inodes[0], "without it, it is what it was");
    assert.equal(new Set(inodes).size, 4);
  }));

Deno.test("its time is the newest, links are not followed, and a loop has an end", () =>
  withDirectory(async (dir) => {
    Deno.mkdirSync(`${dir}/web`);
    Deno.writeTextFileSync(`${dir}/web/a`, "a");
    Deno.writeTextFileSync(`${dir}/web/b`, "b");
    Deno.utimeSync(`${dir}/web/a`, 2_000, 2_000);
    Deno.utimeSync(`${dir}/web/b`, 1_000, 1_000);
    const before = await identifyTree(`${dir}/web`, entriesOf);
    assert.equal(before.mtimeNs, 2_000n * 10n ** 9n);
    Deno.symlinkSync("/nowhere", `${dir}/web/nowhere`);
    const dangling = await identifyTree(`${dir}/web`, entriesOf);
    Deno.symlinkSync(".", `${dir}/web/again`);
    const round = await identifyTree(`${dir}/web`, entriesOf);
    assert.equal(new Set([before, dangling, round].map(({ inode }) => inode)).size, 3);
  }));

Deno.test("of a split package it is known how large it will be, and what is missing", () =>
  withDirectory(async (dir) => {
    const parts = splitPackage("web.tar", BYTES, 30);
    const put = (number: number) => {
      const name = `web.tar.part00${number}`;
      Deno.writeFileSync(`${dir}/${name}`, parts.get(name) ?? new Uint8Array());
    };
    const found = () => identifyParts(`${dir}/web.tar`, numbers);
    assert.equal(await found(), undefined);
    put(4);
    put(2);
    const headless = await found();
    assert.deepEqual([headless?.identity.size, headless?.wanting?.bytes], [40, 40]);
    assert.match(headless?.wanting?.message ?? "", /^web\.tar: 2 parts are there, but not web/);
    put(0);
    const some = await found();
    assert.deepEqual([some?.identity.size, some?.wanting?.bytes], [100, 40]);
    assert.match(some?.wanting?.message ?? "", /2 of 4 parts are there, not part001, part003;/);
    put(1);
    put(3);
    assert.equal((await found())?.wanting, undefined);
    Deno.writeTextFileSync(`${dir}/web.tar.part000`, "no head");
    const wrong = await found();
    assert.deepEqual([wrong?.identity.size, wrong?.wanting], [100, undefined]);
  }));

Deno.test("what is no regular file has no identity", () =>
  withDirectory(async (dir) => {
    assert.equal(await identifyFile(`${dir}/gone`), undefined);
    assert.equal(await identifyFile(dir), undefined);
    Deno.mkdirSync(`${dir}/web.tar.part001`);
    assert.equal(await identifyParts(`${dir}/web.tar`, [1]), undefined);
  }));

Deno.test("FAT and exFAT have no inodes, others have, and a directory that is gone is no reason to stop", () => {
  // <linux/magic.h>, and exfat_raw.h.
  const types = [["FAT", 0x4d44, false], ["exFAT", 0x2011bab0, false], [
    "ext4",
    0xef53,
    true,
  ]] as const;
  for (const [name, type, has] of types) assert.equal(hasInodes("/stick", () => type), has, name);
  assert.equal(hasInodes("/nowhere"), true);
});

Deno.test("where inodes are made up at each mount, a file that is copied over itself is the same", () =>
  withDirectory(async (dir) => {
    const [path, copy] = [`${dir}/web.tar`, `${dir}/copy`];
    Deno.writeTextFileSync(path, "web");
    Deno.utimeSync(path, 1, 1);
    const identities = async () => ({
      made: await identifyFile(path, false) ?? assert.fail(),
      real: await identifyFile(path) ?? assert.fail(),
      tree: await identifyTree(dir, entriesOf, false),
    });
    const before = await identities();
    Deno.copyFileSync(path, copy);
    Deno.utimeSync(copy, 1, 1);
    Deno.renameSync(copy, path);
    const after = await identities();
    assert(sameFile(before.made, after.made));
    assert(sameFile(before.tree, after.tree));
    assert(!sameFile(before.real, after.real));
  }));
