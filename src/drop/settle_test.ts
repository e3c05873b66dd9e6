import assert from "node:assert/strict";
import { SettleWatch } from "./settle.ts";
import type { FileIdentity } from "./types.ts";

const file: FileIdentity = { path: "/drop/a.tar.zst", size: 10, mtimeNs: 1n, inode: 7n };

Deno.test("a file counts as unchanged from when it was first seen so", () => {
  const watch = new SettleWatch();
  assert.equal(watch.unchangedFor(file, 100), 0);
  assert.equal(watch.unchangedFor(file, 900), 800);
  assert.equal(watch.unchangedFor({ ...file }, 1_200), 1_100);
});

const changes: readonly [string, Partial<FileIdentity>][] = [
  ["grows", { size: 11 }],
  ["is written in place", { mtimeNs: 2n }],
  ["is replaced by another of the same size and time", { inode: 8n }],
];

for (const [what, change] of changes) {
  Deno.test(`a file that ${what} starts anew`, () => {
    const watch = new SettleWatch();
    watch.unchangedFor(file, 0);
    assert.equal(watch.unchangedFor({ ...file, ...change }, 5_000), 0);
    assert.equal(watch.unchangedFor({ ...file, ...change }, 5_500), 500);
  });
}

Deno.test("a file that was gone in between starts anew", () => {
  const watch = new SettleWatch();
  watch.unchangedFor(file, 0);
  watch.keepOnly(new Set(["/drop/other.tar"]));
  assert.equal(watch.unchangedFor(file, 5_000), 0);
});
