import assert from "node:assert/strict";
import { type Digest, digestHex, digestOf } from "../std/mod.ts";
import { QUARANTINE_LIMIT } from "./blobs.ts";
import type { StoreError } from "./errors.ts";
import { Store } from "./store.ts";
import { bytesOf, fsWith, osError, treeOf, withDirectory } from "./testing.ts";
import { type StoreFs, systemStoreFs } from "./fs.ts";

async function withStore(action: (store: Store) => Promise<void>, fs?: StoreFs): Promise<void> {
  await withDirectory(async (dir) => {
    using store = Store.open(dir, fs === undefined ? {} : { fs });
    await action(store);
  });
}

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(bytesOf(text));
}

const DIGEST = digestOf("hello, blob");

Deno.test("a written blob is found, opened, read and listed", () =>
  withStore(async ({ blobs }) => {
    assert.equal(blobs.stat(DIGEST), undefined);
    assert.equal(blobs.open(DIGEST), undefined);
    assert.equal(blobs.read(DIGEST, 100), undefined);
    assert.equal(blobs.verify(DIGEST), undefined);
    await blobs.write(DIGEST, 11, chunks("hello", ", ", "blob"));
    assert.deepEqual(blobs.stat(DIGEST), { size: 11 });
    assert.deepEqual(blobs.read(DIGEST, 11), bytesOf("hello, blob"));
    assert.throws(() => blobs.read(DIGEST, 10), { reason: "TooLarge" });
    assert.deepEqual([...blobs.list()], [DIGEST]);
    assert.equal(blobs.verify(DIGEST), true);
    const opened = blobs.open(DIGEST);
    assert.ok(opened);
    using file = opened.file;
    assert.equal(opened.size, 11);
    assert.equal(await new Response(file.readable).text(), "hello, blob");
  }));

Deno.test("a blob can come from a web stream without a known size, and may be empty", () =>
  withStore(async ({ blobs }) => {
    await blobs.write(DIGEST, undefined, new Blob(["hello, blob"]).stream());
    assert.equal(blobs.verify(DIGEST), true);
    await blobs.write(digestOf(""), 0, chunks());
    assert.deepEqual(blobs.stat(digestOf("")), { size: 0 });
  }));

for (
  const [what, digest, size, source, expected] of [
    ["other bytes", DIGEST, 11, () => chunks("hello, bl0b"), { reason: "DigestMismatch" }],
    ["too few bytes", DIGEST, 12, () => chunks("hello, blob"), { reason: "SizeMismatch" }],
    ["too many bytes", DIGEST, 5, () => chunks("hello", ", blob"), { reason: "SizeMismatch" }],
    ["a source that breaks", DIGEST, 11, broken, { message: "the source broke" }],
  ] as const
) {
  Deno.test(`a blob with ${what} is refused and leaves nothing`, () =>
    withStore(async (store) => {
      await assert.rejects(() => store.blobs.write(digest as Digest, size, source()), expected);
      assert.deepEqual(treeOf(`${store.dir}/tmp`), {});
      assert.deepEqual(treeOf(`${store.dir}/blobs`), {});
    }));
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytesOf("hello"));
  throw new Error("the source broke");
}

Deno.test("a full disk while a blob is written leaves what was there", () => {
  let full = false;
  const fs = fsWith({
    create: (path, mode) => {
      const sink = systemStoreFs.create(path, mode);
      return {
        close: sink.close,
        write: (bytes) => {
          if (full) throw osError("ENOSPC");
          sink.write(bytes);
        },
      };
    },
  });
  return withStore(async (store) => {
    await store.blobs.write(DIGEST, 11, chunks("hello, blob"));
    full = true;
    await assert.rejects(
      () => store.blobs.write(digestOf("x"), 1, chunks("x")),
      (error: StoreError) => error.reason === "DiskFull" && error.disposition === "wait",
    );
    assert.deepEqual([...store.blobs.list()], [DIGEST]);
    assert.deepEqual(treeOf(`${store.dir}/tmp`), {});
  }, fs);
});

Deno.test("many writers of one digest at once leave one whole blob", () =>
  withStore(async (store) => {
    const writers = Array.from(
      { length: 8 },
      () => store.blobs.write(DIGEST, 11, chunks("hello", ", ", "blob")),
    );
    await Promise.all(writers);
    assert.equal(store.blobs.verify(DIGEST), true);
    assert.deepEqual(treeOf(`${store.dir}/tmp`), {});
  }));

Deno.test("a quarantined blob is not there any more, is counted, and can come again", () =>
  withStore(async (store) => {
    const { blobs } = store;
    await blobs.write(DIGEST, 11, chunks("hello, blob"));
    Deno.chmodSync(blobs.path(DIGEST), 0o644);
    Deno.writeTextFileSync(blobs.path(DIGEST), "hello, bl0b");
    assert.equal(blobs.verify(DIGEST), false);
    blobs.quarantine(DIGEST);
    blobs.quarantine(DIGEST);
    assert.equal(blobs.stat(DIGEST), undefined);
    assert.equal(blobs.quarantined, 1);
    assert.deepEqual(treeOf(`${store.dir}/quarantine`), { [digestHex(DIGEST)]: "hello, bl0b" });
    await blobs.write(DIGEST, 11, chunks("hello, blob"));
    assert.equal(blobs.verify(DIGEST), true);
  }));

Deno.test("the quarantine has a limit", () =>
  withStore(async (store) => {
    for (let index = 0; index < QUARANTINE_LIMIT + 3; index++) {
      await store.blobs.write(digestOf(`${index}`), undefined, chunks(`${index}`));
      store.blobs.quarantine(digestOf(`${index}`));
    }
    assert.equal(Object.keys(treeOf(`${store.dir}/quarantine`)).length, QUARANTINE_LIMIT);
    assert.equal(store.blobs.quarantined, QUARANTINE_LIMIT + 3);
  }));
