import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { availableBytes, missingBytes } from "./preflight.ts";
import { MAX_RESERVE, reserveOf } from "./space.ts";
import { Store } from "./store.ts";
import { chunks, packageWith, stageBlobs, withDirectory } from "./testing.ts";

/** What file systems round each blob up to. */
const BLOCK = 4096;
const blob = (text: string, size = text.length) => ({ digest: digestOf(text), size });

const reserves: readonly (readonly [string, number, number])[] = [
  ["a large disk", 1e12, MAX_RESERVE],
  ["a small disk", 100e6, 5e6],
  ["no disk", 0, 0],
];
for (const [what, total, reserve] of reserves) {
  Deno.test(`of ${what} ${reserve} bytes are kept free, and no more is ever available`, () => {
    assert.equal(reserveOf({ total, free: 0 }), reserve);
    assert.equal(availableBytes({ total, free: reserve }), 0);
    assert.equal(availableBytes({ total, free: 0 }), 0);
    assert.equal(availableBytes({ total, free: reserve + 7 }), 7);
  });
}

function withDisk(
  free: () => number,
  action: (store: Store) => void | Promise<void>,
): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir, { disk: () => ({ total: 1e12, free: MAX_RESERVE + free() }) });
    await action(store);
  });
}

Deno.test("only what is missing is needed: blobs that are here need no room", () =>
  withDisk(() => 0, async (store) => {
    await store.blobs.write(digestOf("here"), 4, chunks("here"));
    const need = { blobs: [blob("here"), blob("missing", 1_000)], fileBytes: 10 };
    assert.equal(missingBytes(store.blobs, need), 1_000 + BLOCK + 10);
    assert.equal(missingBytes(store.blobs, { blobs: [blob("here", 5)], fileBytes: 0 }), 5 + BLOCK);
  }));

Deno.test("a package that fits to the byte is not refused, one byte more is, with both numbers", () =>
  withDisk(() => 5_000_000, (store) => {
    const need = (size: number) => ({ blobs: [blob("large", size)], fileBytes: 0 });
    store.requireSpace(need(5_000_000 - BLOCK));
    assert.throws(() => store.requireSpace(need(5_000_001 - BLOCK)), (error: Error) => {
      assert.match(error.message, /needs 5\.1 MB more on the data disk, and 5\.0 MB are free/);
      assert.match(error.message, /268\.5 MB that are kept free/);
      return "reason" in error && error.reason === "NotEnoughSpace" &&
        "disposition" in error && error.disposition === "wait";
    });
  }));

Deno.test("what is superseded makes room before a package is refused, and its own blobs stay", () => {
  let store: Store;
  const free = () => 10_000 + (store.blobs.stat(digestOf("old")) === undefined ? 1_000_000 : 0);
  return withDisk(free, (opened) => {
    store = opened;
    stageBlobs(store.dir, ["old", "half"], { checkpointBytes: 1 }).discard();
    const added = { ...packageWith("web", "1", digestOf("old")), blobs: [blob("old")] };
    store.records.putPackage(added);
    const need = { blobs: [blob("half"), blob("new", 500_000)], fileBytes: 0 };
    assert.throws(() => store.requireSpace(need), { reason: "NotEnoughSpace" });
    assert.deepEqual(store.blobs.stat(digestOf("old")), { size: 3 }, "it is live");
    store.records.setPackageState(added.digest, "superseded");
    store.requireSpace(need);
    assert.equal(store.blobs.stat(digestOf("old")), undefined);
    assert.deepEqual(store.blobs.stat(digestOf("half")), { size: 4 });
  });
});
