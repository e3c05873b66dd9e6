import assert from "node:assert/strict";
import { REGISTRY_UID } from "../../src/bootstrap/mod.ts";
import { type Digest, digestOf } from "../../src/std/mod.ts";
import type { PushImage } from "../../src/zarf/mod.ts";
import { RealRegistry } from "./support/real_registry.ts";
import { servedContent } from "./support/registry_content.ts";
import { PACKAGE_FILES, snapshot, StorageScene } from "./support/storage_scene.ts";

/*
 * The storage directory of the in-cluster registry: blobs that RegistryStorage has linked into it and
 * manifests that were pushed, with the real registry over it as its pod has it, and its real garbage
 * collector.
 */

const { CHART, SMALL, HELLO, TEST } = PACKAGE_FILES;

/** Requests that send or announce bytes of a blob. */
async function uploads(registry: RealRegistry): Promise<string[]> {
  return (await registry.requests())
    .filter(({ method, path }) => !/^(GET|HEAD)$/.test(method) && path.includes("/blobs/"))
    .map(({ method, path }) => `${method} ${path}`);
}

Deno.test("linked blobs and pushed manifests are served whole, and no byte of a layer is sent", async () => {
  await using scene = await StorageScene.with([CHART, SMALL, HELLO, TEST]);
  await using registry = await RealRegistry.start(scene.root);
  // One after the other, as packages come: the registry runs while blobs are linked.
  for (const name of ["app-chart", "app-small", "hello", "test-uncompressed"]) {
    const images = scene.images(name);
    assert.ok(images.length > 0, name);
    scene.storage.link(images);
    const result = await scene.push(registry, images);
    assert.equal(result.blobsSent, 0, name);
    assert.ok(result.blobsPresent > 0, name);
  }
  const images = scene.images();
  assert.deepEqual(await uploads(registry), []);
  const expected = scene.content(images);
  assert.equal(Object.keys(expected).length, 5, "more than two pages of the catalog");
  assert.deepEqual(await servedContent(registry, images), expected);

  for (const digest of scene.blobs(images)) {
    const { ino, nlink, uid, mode } = Deno.statSync(scene.data(digest));
    assert.equal(ino, Deno.statSync(scene.store.blobs.path(digest)).ino, "one file, two names");
    assert.deepEqual([nlink, uid, (mode ?? 0) & 0o777], [2, 0, 0o444]);
  }
  for (const digest of new Set(Object.values(expected).flatMap((one) => one.manifests))) {
    const { nlink, uid } = Deno.statSync(scene.data(digest));
    assert.deepEqual(
      [nlink, uid],
      [1, REGISTRY_UID],
      "the registry has filed its manifests itself",
    );
  }
});

Deno.test("linking and pushing again changes nothing", async () => {
  await using scene = await StorageScene.with([CHART]);
  await using registry = await RealRegistry.start(scene.root);
  const images = scene.images();
  const bytes = scene.storage.link(images);
  const linked = snapshot(scene.root);
  assert.equal(scene.storage.link(images), bytes);
  assert.deepEqual(snapshot(scene.root), linked);
  await scene.push(registry, images);
  const pushed = snapshot(scene.root);
  scene.storage.link(images);
  const { blobsSent, manifestsSent } = await scene.push(registry, images);
  assert.deepEqual([blobsSent, manifestsSent], [0, 0]);
  assert.deepEqual(snapshot(scene.root), pushed);
});

Deno.test("an image in two repositories has one file, whether the second is linked or pushed", async () => {
  await using scene = await StorageScene.with([CHART]);
  await using registry = await RealRegistry.start(scene.root);
  const images = scene.images();
  const copies = (name: string) =>
    images.map((image) => ({ ...image, repository: `${name}/${image.repository}` }));
  scene.storage.link(images);
  await scene.push(registry, images);
  const inodes = () => scene.blobs(images).map((digest) => Deno.statSync(scene.data(digest)).ino);
  const before = inodes();
  scene.storage.link(copies("linked"));
  const linked = await scene.push(registry, copies("linked"));
  assert.equal(linked.blobsSent, 0);
  // Another node would push it so; the registry keeps the file that it has.
  const pushed = await scene.push(registry, copies("pushed"));
  assert.ok(pushed.blobsSent > 0);
  assert.deepEqual(inodes(), before);
  for (const digest of scene.blobs(images)) {
    assert.equal(Deno.statSync(scene.data(digest)).nlink, 2);
  }
  const all = [...images, ...copies("linked"), ...copies("pushed")];
  assert.deepEqual(await servedContent(registry, all), scene.content(all));
});

/** Deletes the manifests of images, as whoever prunes a registry does before it collects garbage. */
async function deleteImages(
  registry: RealRegistry,
  scene: StorageScene,
  images: readonly PushImage[],
): Promise<void> {
  for (const [repository, { manifests }] of Object.entries(scene.content(images))) {
    for (const digest of manifests) {
      const { status } = await registry.ask("DELETE", `${repository}/manifests/${digest}`);
      assert.equal(status, 202, `${repository}@${digest}`);
    }
  }
}

/** Inode, links and digest of the store's own files. */
function ownFiles(scene: StorageScene, digests: readonly Digest[]) {
  return digests.map((digest) => {
    const path = scene.store.blobs.path(digest);
    const { ino, nlink } = Deno.statSync(path);
    assert.equal(digestOf(Deno.readFileSync(path)), digest);
    return { ino, nlink };
  });
}

Deno.test("the registry's garbage collector takes its own name away, and the store's stays", async () => {
  await using scene = await StorageScene.with([CHART, HELLO]);
  await using registry = await RealRegistry.start(scene.root);
  const [images, pruned] = [scene.images(), scene.images("app-chart")];
  const blobs = scene.blobs(pruned);
  scene.storage.link(images);
  await scene.push(registry, images);
  const before = ownFiles(scene, blobs);
  assert.ok(before.every(({ nlink }) => nlink === 2));
  await deleteImages(registry, scene, pruned);

  const untouched = snapshot(scene.root);
  const plan = await registry.collectGarbage("--dry-run", "--delete-untagged");
  for (const digest of blobs) {
    assert.ok(plan.includes(`blob eligible for deletion: ${digest}`), digest);
  }
  assert.deepEqual(snapshot(scene.root), untouched, "a dry run does nothing");

  await registry.collectGarbage("--delete-untagged");
  assert.deepEqual(ownFiles(scene, blobs), before.map(({ ino }) => ({ ino, nlink: 1 })));
  for (const digest of blobs) assert.throws(() => Deno.statSync(scene.data(digest)), digest);
  const kept = scene.images("hello");
  assert.deepEqual(await servedContent(registry, kept), {
    ...Object.fromEntries(
      Object.keys(scene.content(pruned)).map((name) => [
        name,
        { tags: {}, manifests: [], blobs: {} },
      ]),
    ),
    ...scene.content(kept),
  });

  scene.storage.link(images);
  const { blobsSent, manifestsSent } = await scene.push(registry, images);
  assert.equal(blobsSent, 0);
  assert.ok(manifestsSent > 0);
  assert.deepEqual(await servedContent(registry, images), scene.content(images));
  assert.deepEqual(ownFiles(scene, blobs), before);
});

Deno.test("what the garbage collector takes before the manifests come is pushed", async () => {
  await using scene = await StorageScene.with([HELLO]);
  await using registry = await RealRegistry.start(scene.root);
  const images = scene.images();
  scene.storage.link(images);
  await registry.collectGarbage();
  const { blobsSent } = await scene.push(registry, images);
  assert.equal(blobsSent, scene.blobs(images).length);
  assert.deepEqual(await servedContent(registry, images), scene.content(images));
});

/** What a push alone comes to after the registry's blobs were collected while it ran. */
const CACHES = [
  { what: "as Holdfast sets it up, asks the disk and is sent them", env: {}, complete: true },
  {
    what: "with a cache remembers them, takes nothing and has no image (distribution#2966)",
    env: { REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR: "inmemory" },
    complete: false,
  },
];
for (const { what, env, complete } of CACHES) {
  Deno.test(`of collected blobs, a registry ${what}; links bring all back`, async () => {
    await using scene = await StorageScene.with([CHART]);
    await using registry = await RealRegistry.start(scene.root, env);
    const images = scene.images();
    scene.storage.link(images);
    await scene.push(registry, images);
    await servedContent(registry, images);
    await deleteImages(registry, scene, images);
    await registry.collectGarbage("--delete-untagged");

    const { blobsSent } = await scene.push(registry, images);
    if (complete) {
      assert.ok(blobsSent > 0);
      assert.deepEqual(await servedContent(registry, images), scene.content(images));
      assert.ok(ownFiles(scene, scene.blobs(images)).every(({ nlink }) => nlink === 1), "copies");
    } else {
      assert.equal(blobsSent, 0);
      await assert.rejects(servedContent(registry, images));
    }
    scene.storage.link(images);
    assert.equal((await scene.push(registry, images)).blobsSent, 0);
    assert.deepEqual(await servedContent(registry, images), scene.content(images));
  });
}
