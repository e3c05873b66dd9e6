import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../src/std/mod.ts";
import { pushImages, type PushProgress, type PushSource, ZarfError } from "../../src/zarf/mod.ts";
import { freeAddress } from "../fakes/free_address.ts";
import { RealRegistry } from "./support/real_registry.ts";

/*
 * Pushes into the real registry (distribution v3), with a password as in a cluster, and reads back
 * what it serves.
 */

const INDEX = "application/vnd.oci.image.index.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** Content by digest, kept in memory; counts how often a blob is opened. */
class Content implements PushSource {
  readonly #bytes = new Map<string, Uint8Array<ArrayBuffer>>();
  opened = 0;
  /** Makes the next so many streams break in the middle. */
  breakNext = 0;

  add(content: string | Uint8Array<ArrayBuffer>): { digest: Digest; size: number } {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const digest = digestOf(bytes);
    this.#bytes.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  image(layers: { digest: Digest; size: number }[], extra = {}): { digest: Digest; size: number } {
    const config = this.add(JSON.stringify({ architecture: "amd64", os: "linux", ...extra }));
    return this.add(JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
      layers: layers.map((layer) => ({
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        ...layer,
      })),
    }));
  }

  manifestBytes(digest: Digest): Promise<Uint8Array> {
    return Promise.resolve(this.#get(digest));
  }

  openBlob(digest: Digest) {
    const bytes = this.#get(digest);
    this.opened++;
    return Promise.resolve({ size: bytes.length, stream: () => this.#stream(bytes) });
  }

  #stream(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
    const broken = this.breakNext-- > 0;
    let at = 0;
    return new ReadableStream({
      pull(controller) {
        if (broken && at > 0) return controller.error(new Error("the disk is gone"));
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.subarray(at, at += 65_536));
      },
    });
  }

  #get(digest: Digest): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes.get(digest);
    assert.ok(bytes, `no content ${digest}`);
    return bytes;
  }
}

async function read(registry: RealRegistry, path: string): Promise<Uint8Array> {
  const { status, bytes } = await registry.ask("GET", path, `${MANIFEST}, ${INDEX}`);
  assert.equal(status, 200, `${path}: ${new TextDecoder().decode(bytes)}`);
  return bytes;
}

function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65_536)));
  }
  return bytes;
}

Deno.test("an image is pushed under all its names and read back whole", async () => {
  await using registry = await RealRegistry.start();
  const source = new Content();
  const layers = [source.add(randomBytes(5_000_000)), source.add("small"), source.add("")];
  const image = source.image(layers);
  const progress: PushProgress[] = [];
  const options = {
    source,
    registryUrl: registry.url,
    credentials: registry.credentials,
    onProgress: (step: PushProgress) => progress.push(step),
  };
  const images = [{
    repository: "library/app",
    tags: ["1.0-zarf-123", "1.0"],
    digest: image.digest,
  }];
  const result = await pushImages(images, options);
  assert.deepEqual(result, { blobsSent: 4, blobsPresent: 0, manifestsSent: 2 });
  for (const tag of ["1.0-zarf-123", "1.0", image.digest]) {
    assert.equal(digestOf(await read(registry, `library/app/manifests/${tag}`)), image.digest);
  }
  for (const { digest } of layers) {
    assert.equal(digestOf(await read(registry, `library/app/blobs/${digest}`)), digest);
  }
  const last = progress.at(-1);
  assert.equal(last?.bytes, last?.totalBytes);
  assert.ok(last !== undefined && last.totalBytes > 5_000_000);

  const opened = source.opened;
  const again = await pushImages(images, options);
  assert.deepEqual(again, { blobsSent: 0, blobsPresent: 4, manifestsSent: 0 });
  assert.equal(source.opened, opened, "no blob is read again");
});

Deno.test("a layer of two repositories is sent once, and is whole in both", async () => {
  await using registry = await RealRegistry.start();
  const source = new Content();
  const layer = source.add(randomBytes(2_000_000));
  const images = ["library/one", "library/two"].map((repository) => ({
    repository,
    tags: ["1"],
    digest: source.image([layer], { of: repository }).digest,
  }));
  const options = { source, registryUrl: registry.url, credentials: registry.credentials };
  const result = await pushImages(images, options);
  assert.deepEqual(result, { blobsSent: 3, blobsPresent: 1, manifestsSent: 2 });
  assert.equal(source.opened, 3);
  for (const { repository, digest } of images) {
    const bytes = await read(registry, `${repository}/blobs/${layer.digest}`);
    assert.equal(digestOf(bytes), layer.digest);
    assert.equal(digestOf(await read(registry, `${repository}/manifests/1`)), digest);
  }
});

Deno.test("an index comes with all its children, and without a tag it has its digest", async () => {
  await using registry = await RealRegistry.start();
  const source = new Content();
  const children = ["amd64", "arm64"].map((architecture) =>
    source.image([source.add(`layer of ${architecture}`)], { architecture })
  );
  const index = source.add(JSON.stringify({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: children.map((child) => ({ mediaType: MANIFEST, ...child })),
  }));
  const result = await pushImages([{ repository: "a/b", tags: [], digest: index.digest }], {
    source,
    registryUrl: registry.url,
    credentials: registry.credentials,
  });
  assert.equal(result.manifestsSent, 3);
  for (const { digest } of [index, ...children]) {
    assert.equal(digestOf(await read(registry, `a/b/manifests/${digest}`)), digest);
  }
});

Deno.test("a tag that means something else is moved", async () => {
  await using registry = await RealRegistry.start();
  const source = new Content();
  const options = { source, registryUrl: registry.url, credentials: registry.credentials };
  for (const content of ["old", "new"]) {
    const { digest } = source.image([source.add(content)]);
    await pushImages([{ repository: "app", tags: ["latest"], digest }], options);
    assert.equal(digestOf(await read(registry, "app/manifests/latest")), digest);
  }
});

Deno.test("an upload that breaks is tried again and the progress stays right", async () => {
  await using registry = await RealRegistry.start();
  const source = new Content();
  const layer = source.add(randomBytes(3_000_000));
  const { digest } = source.image([layer]);
  source.breakNext = 2;
  let last: PushProgress | undefined;
  const result = await pushImages([{ repository: "app", tags: ["1"], digest }], {
    source,
    registryUrl: registry.url,
    credentials: registry.credentials,
    concurrency: 1,
    onProgress: (progress) => last = progress,
  });
  assert.equal(result.blobsSent, 2);
  assert.equal(last?.bytes, last?.totalBytes);
  assert.equal(digestOf(await read(registry, `app/blobs/${layer.digest}`)), layer.digest);
});

Deno.test("wrong credentials are refused at once and never shown", async () => {
  await using registry = await RealRegistry.start();
  const source = new Content();
  const { digest } = source.image([source.add("x")]);
  const started = performance.now();
  await assert.rejects(
    pushImages([{ repository: "app", tags: ["1"], digest }], {
      source,
      registryUrl: registry.url,
      credentials: { username: "zarf-push", password: "verraten" },
    }),
    (error) => {
      assert.ok(error instanceof ZarfError);
      assert.equal(error.reason, "RegistryRefused");
      assert.match(error.message, /401/);
      assert.doesNotMatch(error.message, /verraten/);
      return true;
    },
  );
  assert.ok(performance.now() - started < 30_000);
});

Deno.test("a registry that is not there is unavailable, after all attempts", async () => {
  const source = new Content();
  const { digest } = source.image([source.add("x")]);
  await assert.rejects(
    pushImages([{ repository: "app", tags: ["1"], digest }], {
      source,
      registryUrl: `http://${freeAddress()}`,
      credentials: { username: "zarf-push", password: "unasked" },
    }),
    (error) => error instanceof ZarfError && error.reason === "RegistryUnavailable",
  );
});

Deno.test("a push that is told to stop ends in the middle of a blob", async () => {
  await using registry = await RealRegistry.start();
  const source = new Content();
  const { digest } = source.image([source.add(randomBytes(20_000_000))]);
  const controller = new AbortController();
  await assert.rejects(
    pushImages([{ repository: "app", tags: ["1"], digest }], {
      source,
      registryUrl: registry.url,
      credentials: registry.credentials,
      signal: controller.signal,
      onProgress: ({ bytes }) => bytes > 1_000_000 && controller.abort(new Error("stop")),
    }),
    /stop/,
  );
});
