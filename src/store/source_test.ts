import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { StoreError } from "./errors.ts";
import { blobSource } from "./source.ts";
import { chunks, withStore } from "./testing.ts";

Deno.test("a blob can be streamed more than once, and a manifest read whole", () =>
  withStore(async (store) => {
    const digest = digestOf("some bytes");
    await store.blobs.write(digest, undefined, chunks("some bytes"));
    const source = blobSource(store.blobs);
    const blob = await source.openBlob(digest);
    assert.equal(blob.size, 10);
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.equal(await new Response(blob.stream()).text(), "some bytes");
    }
    assert.equal(new TextDecoder().decode(await source.manifestBytes(digest)), "some bytes");
  }));

Deno.test("what is not in the store is refused by its digest", () =>
  withStore(async (store) => {
    const source = blobSource(store.blobs);
    const digest = digestOf("elsewhere");
    const names = (error: unknown) => error instanceof StoreError && error.message.includes(digest);
    await assert.rejects(source.openBlob(digest), names);
    await assert.rejects(source.manifestBytes(digest), names);
  }));

Deno.test("a blob that is moved aside before it is streamed is missed, not sent empty", () =>
  withStore(async (store) => {
    const digest = digestOf("some bytes");
    await store.blobs.write(digest, undefined, chunks("some bytes"));
    const blob = await blobSource(store.blobs).openBlob(digest);
    store.blobs.quarantine(digest);
    assert.throws(() => blob.stream(), { reason: "BlobMissing" });
  }));

Deno.test("a manifest is read up to four mebibytes and not further", () =>
  withStore(async (store) => {
    for (const [size, taken] of [[4 << 20, true], [(4 << 20) + 1, false]] as const) {
      const bytes = new Uint8Array(size);
      await store.blobs.write(digestOf(bytes), size, new Blob([bytes]).stream());
      const read = async () => await blobSource(store.blobs).manifestBytes(digestOf(bytes));
      if (taken) assert.equal((await read()).length, size);
      else await assert.rejects(read, { reason: "TooLarge" });
    }
  }));
