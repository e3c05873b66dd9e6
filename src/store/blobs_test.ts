import assert from "node:assert/strict";
import { type Digest, digestHex, digestOf } from "../std/mod.ts";
import { QUARANTINE_LIMIT } from "./blobs.ts";
import type { StoreError } from "./errors.ts";
import { bytesOf, chunks, fsWith, osError, permissions, treeOf, withStore } from "./testing.ts";
import { systemStoreFs } from "./fs.ts";

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
    assert.deepEqual([...blobs.listQuarantined()], [DIGEST]);
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

for (const call of ["create", "fsyncFile", "rename", "fsyncDir"] as const) {
  Deno.test(`an error of the disk in ${call} while a blob is written leaves nothing unfinished`, () => {
    let broken = false;
    const failing = (...values: unknown[]) => {
      if (broken) throw osError("EIO");
      return (systemStoreFs[call] as (...values: unknown[]) => never)(...values);
    };
    return withStore(async (store) => {
      broken = true;
      await assert.rejects(() => store.blobs.write(DIGEST, 11, chunks("hello, blob")), {
        reason: "IoError",
        disposition: "retry",
      });
      assert.deepEqual(treeOf(`${store.dir}/tmp`), {});
      broken = false;
      await store.blobs.write(DIGEST, 11, chunks("hello, blob"));
      assert.equal(store.blobs.verify(DIGEST), true);
    }, fsWith({ [call]: failing }));
  });
}

Deno.test("a blob that cannot be read is a bad blob, and is moved aside as one", () =>
  withStore((store) => {
    // What a damaged file system may leave under a blob's name: reading it is an error.
    Deno.mkdirSync(store.blobs.path(DIGEST), { recursive: true });
    assert.equal(store.blobs.verify(DIGEST), false);
    assert.equal(store.blobs.stat(DIGEST), undefined, "and it is never told to be there");
    assert.equal(store.blobs.read(DIGEST, 100), undefined);
    store.blobs.quarantine(DIGEST);
    assert.equal(store.blobs.verify(DIGEST), undefined);
    assert.equal(store.blobs.quarantined, 1);
  }));

Deno.test("of a full quarantine the oldest go", () =>
  withStore(async (store) => {
    const digests = Array.from(
      { length: QUARANTINE_LIMIT + 2 },
      (_, index) => digestOf(`${index}`),
    );
    for (const [index, digest] of digests.entries()) {
      await store.blobs.write(digest, undefined, chunks(`${index}`));
      store.blobs.quarantine(digest);
      // The next one is younger, if only by a millisecond.
      for (const moved = Date.now(); Date.now() === moved;) continue;
    }
    const kept = Object.keys(treeOf(`${store.dir}/quarantine`)).sort();
    assert.deepEqual(kept, digests.slice(2).map(digestHex).sort());
  }));

Deno.test("only well-formed names are listed as blobs, and a missing directory has none", () =>
  withStore(async (store) => {
    await store.blobs.write(DIGEST, 11, chunks("hello, blob"));
    Deno.writeTextFileSync(`${store.dir}/blobs/sha256/${digestHex(DIGEST).slice(0, 2)}/x.tmp`, "x");
    Deno.mkdirSync(`${store.dir}/blobs/sha256/lost+found`);
    assert.deepEqual([...store.blobs.list()], [DIGEST]);
    Deno.removeSync(`${store.dir}/blobs`, { recursive: true });
    assert.deepEqual([...store.blobs.list()], []);
  }));

Deno.test("what stands where the blobs' directory should is told, not taken for an empty one", () =>
  withStore((store) => {
    Deno.writeTextFileSync(`${store.dir}/blobs/sha256/00`, "no directory");
    assert.throws(() => [...store.blobs.list()], Deno.errors.NotADirectory);
    Deno.removeSync(`${store.dir}/blobs/sha256/00`);
  }));

Deno.test("a blob is read-only for everybody, and lies below the first digits of its digest", () =>
  withStore(async (store) => {
    await store.blobs.write(DIGEST, 11, chunks("hello, blob"));
    const hex = digestHex(DIGEST);
    assert.equal(store.blobs.path(DIGEST), `${store.dir}/blobs/sha256/${hex.slice(0, 2)}/${hex}`);
    assert.equal(permissions(store.blobs.path(DIGEST)), 0o444);
  }));

Deno.test("a blob that is opened can be read to its end after it was moved aside", () =>
  withStore(async (store) => {
    await store.blobs.write(DIGEST, 11, chunks("hello, blob"));
    const opened = store.blobs.open(DIGEST);
    store.blobs.quarantine(DIGEST);
    assert.equal(store.blobs.open(DIGEST), undefined);
    assert.equal(await new Response(opened?.file.readable).text(), "hello, blob");
  }));

for (const size of [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20]) {
  Deno.test(`a damaged byte at the end of ${size} is found`, () =>
    withStore(async (store) => {
      const bytes = new Uint8Array(size).fill(7);
      const digest = digestOf(bytes);
      await store.blobs.write(digest, size, new Blob([bytes]).stream());
      assert.equal(store.blobs.verify(digest), true);
      Deno.chmodSync(store.blobs.path(digest), 0o644);
      Deno.writeFileSync(store.blobs.path(digest), bytes.with(size - 1, 6));
      assert.equal(store.blobs.verify(digest), false);
    }));
}

Deno.test("a refused blob says which bytes came and that nothing was kept", () =>
  withStore(async (store) => {
    const other = digestOf("hello, bl0b");
    await assert.rejects(
      () => store.blobs.write(DIGEST, 11, chunks("hello, bl0b")),
      (error: StoreError) =>
        error.message.includes(DIGEST) && error.message.includes(other) &&
        error.kept === "nothing of it was kept" && error.disposition === "terminal",
    );
  }));
