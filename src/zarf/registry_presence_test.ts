import assert from "node:assert/strict";
import { RegistryPeer } from "../../test/fakes/registry_peer.ts";
import { digestOf } from "../std/mod.ts";
import { ZarfError } from "./errors.ts";
import { planPush, type PushImage, type PushSource } from "./push_plan.ts";
import { pushImages } from "./registry_push.ts";
import { absentImages, RegistryView } from "./registry_presence.ts";

const credentials = { username: "reader", password: "secret" };
const bytes = (text: string) => new TextEncoder().encode(text);

/** Images whose manifests and layers are made up; `shared` is a layer of all of them. */
class Images implements PushSource {
  readonly #content = new Map<string, Uint8Array>();

  add(repository: string, tags: readonly string[], layers: readonly string[]): PushImage {
    const parts = layers.map((text) => {
      this.#content.set(digestOf(bytes(text)), bytes(text));
      return { digest: digestOf(bytes(text)), size: bytes(text).length };
    });
    const manifest = bytes(JSON.stringify({ layers: parts }));
    this.#content.set(digestOf(manifest), manifest);
    return { repository, tags, digest: digestOf(manifest) };
  }

  manifestBytes(digest: string): Promise<Uint8Array> {
    return Promise.resolve(this.#content.get(digest) ?? assert.fail(digest));
  }

  openBlob(digest: string) {
    const content = this.#content.get(digest) ?? assert.fail(digest);
    const stream = () => new Blob([content as BlobPart]).stream();
    return Promise.resolve({ size: content.length, stream });
  }
}

class Registry implements AsyncDisposable {
  readonly peer = new RegistryPeer();
  readonly images = new Images();
  readonly url = `http://${this.peer.ip}:5000`;

  constructor() {
    this.peer.up = true;
    this.peer.users = () => [`${credentials.username}:${credentials.password}`];
  }

  view(password = credentials.password): RegistryView {
    return new RegistryView({
      registryUrl: this.url,
      credentials: { ...credentials, password },
      stallTimeout: 2_000,
    });
  }

  /** Images that are absent, with the bytes that each needs. */
  async absent(images: readonly PushImage[]): Promise<string[]> {
    const { length } = this.peer.writes;
    const absent = await absentImages(images, this.images, this.view());
    assert.equal(this.peer.writes.length, length, "nothing is sent");
    return absent.map(({ image, bytes }) => `${image.repository} ${bytes}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
  }
}

Deno.test("an image is absent until it was pushed, whole and under all its names", async () => {
  await using registry = new Registry();
  const one = registry.images.add("app", ["1", "1-zarf-2"], ["12345", "123"]);
  assert.deepEqual(await registry.absent([one]), ["app 8"]);
  const push = { source: registry.images, registryUrl: registry.url, credentials };
  await pushImages([one], push);
  assert.deepEqual(await registry.absent([one]), []);
  registry.peer.tags.set("app:1", digestOf("another"));
  registry.peer.blobs.set(digestOf("another"), bytes("another"));
  assert.deepEqual(await registry.absent([one]), ["app 0"], "a name means another image");
  registry.peer.blobs.delete(digestOf(bytes("123")));
  assert.deepEqual(await registry.absent([one]), ["app 3"], "a layer is gone");
});

Deno.test("a blob that two images of a repository have is sent once, in another repository again", async () => {
  await using registry = new Registry();
  const { images } = registry;
  const all = [
    images.add("app", ["1"], ["shared", "a"]),
    images.add("app", ["2"], ["shared", "bb"]),
    images.add("other", ["1"], ["shared"]),
  ];
  assert.deepEqual(await registry.absent(all), ["app 7", "app 2", "other 6"]);
  const { blobs } = await planPush(all, images);
  assert.equal(blobs.reduce((sum, { size }) => sum + size, 0), 15, "as a push counts");
  const everything = await absentImages(all, images, undefined);
  assert.deepEqual(everything.map(({ bytes }) => bytes), [7, 2, 6], "where there is no registry");
});

Deno.test("whether there is an image by a tag or a digest can be asked", async () => {
  await using registry = new Registry();
  const one = registry.images.add("app", ["1"], []);
  await pushImages([one], { source: registry.images, registryUrl: registry.url, credentials });
  const view = registry.view();
  assert.equal(await view.has("app", "1"), true);
  assert.equal(await view.has("app", one.digest), true);
  assert.equal(await view.has("app", "2"), false);
});

Deno.test("a registry that lets nobody in or does not answer is an error, not an absence", async () => {
  await using registry = new Registry();
  const one = registry.images.add("app", ["1"], ["a"]);
  await assert.rejects(
    absentImages([one], registry.images, registry.view("wrong")),
    (error) => error instanceof ZarfError && error.reason === "RegistryRefused",
  );
  await registry.peer[Symbol.asyncDispose]();
  await assert.rejects(
    absentImages([one], registry.images, registry.view()),
    (error) => error instanceof ZarfError && error.reason === "RegistryUnavailable",
  );
});
