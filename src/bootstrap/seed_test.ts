import assert from "node:assert/strict";
import { seedIn } from "../../test/fakes/seed_cluster.ts";
import { withDirectory } from "../../test/fakes/testing.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { BootstrapError } from "./errors.ts";
import { knownSeed, manifestBlobs, rememberSeed } from "./seed.ts";

function withStore(action: (store: Store) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await action(store);
  });
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

Deno.test("a store without a seed image knows none", () =>
  withStore((store) => Promise.resolve(assert.equal(knownSeed(store), undefined))));

Deno.test("a remembered image is served by all of its names", () =>
  withStore(async (store) => {
    const seed = await seedIn(store);
    assert.deepEqual(knownSeed(store), seed);
    const { digest } = seed.image.descriptor;
    for (const [tag, host] of [["3", "docker.io"], [seed.image.zarfTag, undefined]] as const) {
      assert.equal(store.records.resolveTag("library/registry", tag, host)?.digest, digest);
    }
  }));

Deno.test("the seed is known after a restart", () =>
  withDirectory(async (dir) => {
    const first = Store.open(dir);
    const seed = await seedIn(first);
    first.close();
    using second = Store.open(dir);
    assert.deepEqual(knownSeed(second), seed);
  }));

Deno.test("an image of which a blob is gone, or not whole, is not known", () =>
  withStore(async (store) => {
    const seed = await seedIn(store);
    const [layer] = seed.blobs;
    const path = store.blobs.path(layer?.digest ?? digestOf(""));
    Deno.chmodSync(path, 0o600);
    Deno.truncateSync(path, 10);
    assert.equal(knownSeed(store), undefined, "its size is wrong");
    Deno.removeSync(path);
    assert.equal(knownSeed(store), undefined);
  }));

for (const value of [null, 1, {}, { image: {}, blobs: [] }, { blobs: [{ digest: "x" }] }]) {
  Deno.test(`what another version may have written (${JSON.stringify(value)}) is no seed`, () =>
    withStore((store) => {
      store.records.setValue("seed", value);
      return Promise.resolve(assert.equal(knownSeed(store), undefined));
    }));
}

Deno.test("a manifest's blobs are its layers, its config and itself, each once, itself last", () =>
  withStore(async (store) => {
    const layer = { digest: digestOf("layer"), size: 5 };
    const config = { digest: digestOf("config"), size: 6 };
    const text = JSON.stringify({ config, layers: [layer, { ...layer, mediaType: "x" }] });
    const bytes = new TextEncoder().encode(text);
    const digest = digestOf(bytes);
    await store.blobs.write(digest, bytes.length, once(bytes));
    const descriptor = { mediaType: "m", digest, size: bytes.length };
    assert.deepEqual(manifestBlobs(store, descriptor), [
      layer,
      config,
      { digest, size: bytes.length },
    ]);
  }));

const unusable: readonly [string, string | undefined][] = [
  ["that is not in the store", undefined],
  ["that is not JSON", "{"],
  ["that is an index", '{"manifests":[]}'],
  ["with a digest that is none", '{"config":{"digest":"sha256:1","size":1},"layers":[]}'],
  [
    "with a negative size",
    `{"config":{"digest":"${digestOf("")}","size":-1},"layers":[]}`,
  ],
];

for (const [what, text] of unusable) {
  Deno.test(`a manifest ${what} cannot be used, and says so`, () =>
    withStore(async (store) => {
      const bytes = new TextEncoder().encode(text ?? "absent");
      const digest = digestOf(bytes);
      if (text !== undefined) await store.blobs.write(digest, bytes.length, once(bytes));
      const descriptor = { mediaType: "m", digest, size: bytes.length };
      assert.throws(() => manifestBlobs(store, descriptor), (error) => {
        assert(error instanceof BootstrapError);
        assert.equal(error.reason, "SeedUnreadable");
        assert(error.message.includes(digest));
        return true;
      });
    }));
}

Deno.test("another seed takes the place of the one before", () =>
  withStore(async (store) => {
    const first = await seedIn(store, new Uint8Array(10).fill(1));
    const second = await seedIn(store, new Uint8Array(10).fill(2));
    assert.notEqual(first.image.descriptor.digest, second.image.descriptor.digest);
    assert.equal(
      store.records.resolveTag("library/registry", "3", "docker.io")?.digest,
      second.image.descriptor.digest,
    );
    rememberSeed(store, first);
    assert.deepEqual(knownSeed(store), first);
  }));
