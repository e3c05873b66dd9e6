import assert from "node:assert/strict";
import { type Digest, digestOf } from "../std/mod.ts";
import { StoreError } from "./errors.ts";
import { type StoreFs, systemStoreFs } from "./fs.ts";
import { Layout } from "./layout.ts";
import { publishBlobs } from "./publish.ts";
import { fsWith, permissions, treeOf, withDirectory } from "./testing.ts";

const TEXTS = ["one", "two", "three"];

/** Verified files below `tmp/`, and every call that makes them durable, in order. */
async function withStaged(
  action: (
    layout: Layout,
    fs: StoreFs,
    staged: readonly (readonly [Digest, string])[],
    calls: string[],
  ) => void,
): Promise<void> {
  await withDirectory((dir) => {
    const layout = new Layout(dir);
    const calls: string[] = [];
    const note =
      <T extends string[]>(call: string, real: (...paths: T) => void) => (...paths: T) => {
        calls.push(call);
        real(...paths);
      };
    const fs = fsWith({
      fsyncFile: note("fsync", systemStoreFs.fsyncFile),
      fsyncDir: note("fsyncDir", systemStoreFs.fsyncDir),
      rename: note("rename", systemStoreFs.rename),
    });
    Deno.mkdirSync(layout.tmp);
    const staged = TEXTS.map((text) => {
      const path = layout.staging(text);
      Deno.writeTextFileSync(path, text);
      return [digestOf(text), path] as const;
    });
    action(layout, fs, staged, calls);
  });
}

const SIZES = new Map(TEXTS.map((text) => [digestOf(text), text.length]));

Deno.test("all files are flushed before the first has its name, and all have it before a directory is", () =>
  withStaged((layout, fs, staged, calls) => {
    for (const digest of SIZES.keys()) {
      Deno.mkdirSync(layout.blobDirectory(digest), { recursive: true });
    }
    publishBlobs(layout, fs, { staged, sizes: SIZES });
    const times = (call: string) => Array(TEXTS.length).fill(call);
    assert.deepEqual(calls, [
      "fsyncDir",
      ...times("fsync"),
      ...times("rename"),
      ...times("fsyncDir"),
    ]);
    for (const [digest, path] of staged) {
      assert.equal(permissions(layout.blob(digest)), 0o444);
      assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
    }
  }));

Deno.test("new directories are durable before a blob gets a name in them", () =>
  withStaged((layout, fs, staged, calls) => {
    publishBlobs(layout, fs, { staged, sizes: SIZES });
    // The data directory, `blobs`, and `sha256` once for all directories in it.
    assert.deepEqual(calls.slice(0, 3), Array(3).fill("fsyncDir"));
    assert.equal(calls.indexOf("rename"), 3 + TEXTS.length);
  }));

Deno.test("two blobs of one directory have it flushed once", () =>
  withStaged((layout, fs, _staged, calls) => {
    const same = digestOf("one").slice(0, 9);
    const digests = [same.padEnd(71, "0"), same.padEnd(71, "1")] as Digest[];
    const staged = digests.map((digest, index) => {
      Deno.writeTextFileSync(layout.staging(`${index}`), "x");
      return [digest, layout.staging(`${index}`)] as const;
    });
    Deno.mkdirSync(layout.blobDirectory(staged[0]?.[0] ?? assert.fail()), { recursive: true });
    publishBlobs(layout, fs, { staged, sizes: new Map(digests.map((digest) => [digest, 1])) });
    assert.equal(calls.filter((call) => call === "fsyncDir").length, 2, "and the one it is in");
  }));

for (
  const [what, present] of [["is gone", undefined], ["is shorter", "on"], [
    "is longer",
    "one!",
  ]] as const
) {
  Deno.test(`a blob that was there before and ${what} now is missed by its digest, to be read again`, () =>
    withStaged((layout, fs) => {
      const digest = digestOf("one");
      Deno.mkdirSync(layout.blobDirectory(digest), { recursive: true });
      if (present !== undefined) Deno.writeTextFileSync(layout.blob(digest), present);
      const publish = () => publishBlobs(layout, fs, { staged: [], sizes: new Map([[digest, 3]]) });
      assert.throws(
        publish,
        (error) =>
          error instanceof StoreError && error.reason === "BlobMissing" &&
          error.disposition === "retry" && error.message.includes(digest),
      );
    }));
}

Deno.test("nothing to publish is nothing done", () =>
  withStaged((layout, fs, _staged, calls) => {
    publishBlobs(layout, fs, { staged: [], sizes: new Map() });
    assert.deepEqual(calls, []);
    assert.deepEqual(Object.keys(treeOf(layout.root)).sort(), ["tmp/one", "tmp/three", "tmp/two"]);
  }));
