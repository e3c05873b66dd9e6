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
