import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../src/std/mod.ts";
import { REGISTRY_STORAGE_FAILPOINTS, StoreError } from "../../src/store/mod.ts";
import type { PushImage } from "../../src/zarf/mod.ts";
import { RealRegistry } from "./support/real_registry.ts";
import { servedContent } from "./support/registry_content.ts";
import { PACKAGE_FILES, snapshot, StorageScene } from "./support/storage_scene.ts";

/*
 * What becomes of the in-cluster registry's storage when something is lost, damaged, cut off or lies
 * on another file system; with the real registry.
 */

const { CHART, HELLO } = PACKAGE_FILES;

/** Bytes of a blob as the registry serves them. */
async function served(registry: RealRegistry, image: PushImage, digest: Digest) {
  const { status, bytes } = await registry.ask("GET", `${image.repository}/blobs/${digest}`);
  assert.equal(status, 200);
  return bytes;
}

async function* stream(bytes: Uint8Array) {
  yield await Promise.resolve(bytes);
}

Deno.test("a blob that the store removes stays the registry's", async () => {
  await using scene = await StorageScene.with([CHART]);
  await using registry = await RealRegistry.start(scene.root);
  const images = scene.images();
  scene.storage.link(images);
  await scene.push(registry, images);
  const expected = scene.content(images);
  for (const digest of scene.blobs(images)) {
    await Deno.remove(scene.store.blobs.path(digest));
    assert.equal(Deno.statSync(scene.data(digest)).nlink, 1);
  }
  assert.deepEqual(await servedContent(registry, images), expected);
});

Deno.test("a blob damaged under both names convinces nobody, and is replaced by a good one", async () => {
  await using scene = await StorageScene.with([HELLO]);
  await using registry = await RealRegistry.start(scene.root);
  const images = scene.images();
  scene.storage.link(images);
  await scene.push(registry, images);
  const [image] = images;
  const [digest] = scene.blobs(images);
  assert.ok(image && digest);
  const { blobs } = scene.store;
  const good = Deno.readFileSync(blobs.path(digest));
  Deno.chmodSync(blobs.path(digest), 0o644);
  Deno.writeFileSync(blobs.path(digest), good.map((byte, at) => at === 0 ? byte ^ 1 : byte));
  Deno.chmodSync(blobs.path(digest), 0o444);

  const bad = await served(registry, image, digest);
  assert.notEqual(digestOf(bad), digest, "the two names are one file");
  await assert.rejects(
    blobs.write(digest, good.length, stream(bad)),
    (error) => error instanceof StoreError && error.reason === "DigestMismatch",
  );
  assert.equal(blobs.verify(digest), false);
  blobs.quarantine(digest);
  assert.equal(scene.storage.replace(digest), false, "there is no good one yet");
  await blobs.write(digest, good.length, stream(good));

  const { blobsSent } = await scene.push(registry, images);
  scene.storage.link(images);
  assert.equal(blobsSent, 0, "the registry believes that it has the blob");
  assert.notEqual(digestOf(await served(registry, image, digest)), digest);
  assert.equal(scene.storage.replace(digest), true);
  assert.deepEqual(await servedContent(registry, images), scene.content(images));
  assert.equal(Deno.statSync(scene.data(digest)).ino, Deno.statSync(blobs.path(digest)).ino);
  assert.equal(scene.storage.replace(digest), false, "it is done");
});

Deno.test("on another file system nothing is linked, and a push alone ends in the same", async () => {
  const outside = await Deno.makeTempDir({ dir: "/dev/shm", prefix: "holdfast-storage-" });
  try {
    Deno.chmodSync(outside, 0o755);
    await using scene = await StorageScene.with([CHART], outside);
    await using registry = await RealRegistry.start(scene.root);
    assert.notEqual(Deno.statSync(scene.root).dev, Deno.statSync(scene.store.dir).dev);
    const images = scene.images();
    assert.throws(
      () => scene.storage.link(images),
      (error) => error instanceof Error && "code" in error && error.code === "EXDEV",
    );
    const { blobsSent } = await scene.push(registry, images);
    assert.ok(blobsSent >= scene.blobs(images).length);
    assert.deepEqual(await servedContent(registry, images), scene.content(images));
  } finally {
    await Deno.remove(outside, { recursive: true });
  }
});

/** What a kill at each place leaves beside what the registry reads, if anything. */
const KILLS: Readonly<Record<typeof REGISTRY_STORAGE_FAILPOINTS[number], RegExp | undefined>> = {
  "store.registry.directory.made": undefined,
  "store.registry.directory.synced": undefined,
  "store.registry.link.made": undefined,
  "store.registry.linked": undefined,
  "store.registry.entry.written": /\/link\.[0-9a-f]{8}\.tmp$/,
  "store.registry.entry.renamed": undefined,
  "store.registry.entry.synced": undefined,
  "store.registry.replacement.linked": /\/data\.holdfast\.tmp$/,
  "store.registry.replaced": undefined,
  "store.registry.replacement.synced": undefined,
};
/** Later passes of those that are passed for every blob. */
const KILLS_LATER = ["store.registry.directory.made:14", "store.registry.entry.written:3"];

Deno.test("killed at any step, the registry serves a blob whole or says that it has none", async (t) => {
  await using scene = await StorageScene.with([CHART, HELLO]);
  await using registry = await RealRegistry.start(scene.root);
  const images = scene.images();
  const repositories = Object.entries(scene.content(images));
  const entries = repositories.flatMap(([repository, { blobs }]) =>
    Object.keys(blobs).map((digest) => ({ path: `${repository}/blobs/${digest}`, digest }))
  );
  for (const failpoint of [...REGISTRY_STORAGE_FAILPOINTS, ...KILLS_LATER]) {
    await t.step(failpoint, async () => {
      await Deno.remove(`${scene.root}/docker`, { recursive: true }).catch(() => {});
      // The registry's own files are what is replaced.
      if (failpoint.includes(".replace")) await scene.push(registry, images);
      await scene.killedAt(failpoint);
      const leftover = KILLS[failpoint.replace(/:.*$/, "") as keyof typeof KILLS];
      const paths = Object.keys(snapshot(scene.root));
      assert.equal(paths.some((path) => leftover?.test(path)), leftover !== undefined);

      for (const { path, digest } of entries) {
        const { status, bytes } = await registry.ask("GET", path);
        if (status === 200) assert.equal(digestOf(bytes), digest, path);
        else assert.equal(status, 404, path);
      }
      scene.storage.link(images);
      await scene.push(registry, images);
      await registry.collectGarbage("--delete-untagged");
      const tagged = images.filter(({ tags }) => tags.length > 0);
      assert.deepEqual(await servedContent(registry, tagged), scene.content(tagged));
    });
  }
});

Deno.test("an empty entry, as a power cut can leave of one that is written in place, is an error", async () => {
  await using scene = await StorageScene.with([HELLO]);
  await using registry = await RealRegistry.start(scene.root);
  const [image] = scene.images();
  const [digest] = scene.blobs(scene.images());
  assert.ok(image && digest);
  scene.storage.link([image]);
  await scene.push(registry, [image]);
  const path = `${image.repository}/blobs/${digest}`;
  assert.equal((await registry.ask("HEAD", path)).status, 200);
  const layers = `${scene.root}/docker/registry/v2/repositories/${image.repository}/_layers`;
  Deno.writeTextFileSync(`${layers}/sha256/${digest.replace("sha256:", "")}/link`, "");
  assert.equal((await registry.ask("HEAD", path)).status, 500);
  await assert.rejects(registry.collectGarbage(), /failed to mark/);
});
