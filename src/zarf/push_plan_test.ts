import assert from "node:assert/strict";
import { type Digest, digestOf } from "../std/mod.ts";
import { ZarfError } from "./errors.ts";
import { planPush, type PushSource } from "./push_plan.ts";

const LAYOUTS = new URL("../../test/fixtures/images-testdata/", import.meta.url);
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

/** Manifests by digest, in memory; remembers which were read. */
class Manifests implements PushSource {
  readonly read: Digest[] = [];
  readonly #bytes = new Map<Digest, Uint8Array>();

  add(value: unknown): { digest: Digest; size: number } {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const bytes = new TextEncoder().encode(text);
    const digest = digestOf(bytes);
    this.#bytes.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  manifestBytes(digest: Digest): Promise<Uint8Array> {
    this.read.push(digest);
    const bytes = this.#bytes.get(digest);
    return bytes === undefined ? Promise.reject(new Error(digest)) : Promise.resolve(bytes);
  }

  openBlob(): never {
    throw new Error("a plan reads no blob");
  }
}

/** A descriptor of a blob that nobody reads here. */
function blob(name: string, more = {}) {
  const bytes = new TextEncoder().encode(name);
  return { digest: digestOf(bytes), size: bytes.length, ...more };
}

function layoutSource(layout: string): PushSource {
  return {
    manifestBytes: (digest) =>
      Deno.readFile(new URL(`${layout}/blobs/sha256/${digest.slice(7)}`, LAYOUTS)),
    openBlob: () => Promise.reject(new Error("a plan reads no blob")),
  };
}

function digestsOf(layout: string): Digest[] {
  const index = JSON.parse(Deno.readTextFileSync(new URL(`${layout}/index.json`, LAYOUTS)));
  return index.manifests.map(({ digest }: { digest: Digest }) => digest);
}

for (const layout of ["crane-oci-layout/images", "oras-oci-layout/images"]) {
  Deno.test(`the plan of the real ${layout} has the blobs that its manifests name`, async () => {
    const source = layoutSource(layout);
    for (const digest of digestsOf(layout)) {
      const plan = await planPush([{ repository: "app", tags: ["1"], digest }], source);
      const content = JSON.parse(new TextDecoder().decode(await source.manifestBytes(digest)));
      assert.deepEqual(plan.manifests, [{
        repository: "app",
        digest,
        // The chart among them does not say what it is.
        mediaType: content.mediaType ?? MANIFEST,
        reference: "1",
      }]);
      assert.equal(plan.blobs.length, content.layers.length + 1);
      for (const { digest, size } of plan.blobs) {
        const file = new URL(`${layout}/blobs/sha256/${digest.slice(7)}`, LAYOUTS);
        assert.equal(Deno.statSync(file).size, size, digest);
      }
    }
  });
}

Deno.test("what an index refers to comes before it, each child by its digest", async () => {
  const source = new Manifests();
  const children = ["amd64", "arm64"].map((name) =>
    source.add({ mediaType: MANIFEST, config: blob(name), layers: [blob("shared")] })
  );
  const index = source.add({ mediaType: INDEX, manifests: children });
  const image = { repository: "a/b", tags: ["1-zarf-2", "1"], digest: index.digest };
  const plan = await planPush([image], source);
  assert.deepEqual(plan.manifests.map(({ reference, mediaType }) => [reference, mediaType]), [
    [children[0]?.digest, MANIFEST],
    [children[1]?.digest, MANIFEST],
    ["1-zarf-2", INDEX],
    ["1", INDEX],
  ]);
  assert.deepEqual(
    plan.blobs.map(({ digest }) => digest),
    [blob("shared"), blob("amd64"), blob("arm64")].map(({ digest }) => digest),
  );
});

Deno.test("an image without a tag is put under its digest", async () => {
  const source = new Manifests();
  const { digest } = source.add({ mediaType: MANIFEST, layers: [] });
  const plan = await planPush([{ repository: "a", tags: [], digest }], source);
  assert.deepEqual(plan.manifests.map(({ reference }) => reference), [digest]);
});

Deno.test("a blob is planned once for each repository that needs it", async () => {
  const source = new Manifests();
  const one = source.add({ mediaType: MANIFEST, config: blob("one"), layers: [blob("shared")] });
  const two = source.add({ mediaType: MANIFEST, config: blob("two"), layers: [blob("shared")] });
  const plan = await planPush([
    { repository: "a", tags: ["1"], digest: one.digest },
    { repository: "a", tags: ["2"], digest: two.digest },
    { repository: "b", tags: ["1"], digest: one.digest },
  ], source);
  const planned = plan.blobs.map(({ repository, digest }) => `${repository}@${digest}`);
  assert.equal(new Set(planned).size, planned.length);
  assert.equal(planned.filter((each) => each.endsWith(blob("shared").digest)).length, 2);
  assert.equal(planned.length, 5);
});

Deno.test("a layer that lies elsewhere on the network is not pushed", async () => {
  const source = new Manifests();
  const foreign = blob("windows", { urls: ["https://mcr.example/layer"] });
  const { digest } = source.add({ layers: [foreign, blob("own", { urls: [] })] });
  const plan = await planPush([{ repository: "a", tags: ["1"], digest }], source);
  assert.deepEqual(plan.blobs.map(({ digest }) => digest), [blob("own").digest]);
});

Deno.test("a manifest that does not say what it is has its shape's type", async () => {
  const source = new Manifests();
  const child = source.add({ layers: [] });
  const index = source.add({ manifests: [child] });
  const docker = source.add({ mediaType: "application/vnd.docker.distribution.manifest.v2+json" });
  const digests = [index.digest, docker.digest];
  const plan = await planPush(
    digests.map((digest, at) => ({ repository: `r${at}`, tags: [], digest })),
    source,
  );
  assert.deepEqual(plan.manifests.map(({ mediaType }) => mediaType), [
    MANIFEST,
    INDEX,
    "application/vnd.docker.distribution.manifest.v2+json",
  ]);
});

Deno.test("indexes may lie in indexes three deep and not deeper", async () => {
  const source = new Manifests();
  let inner = source.add({ layers: [blob("x")] });
  for (let depth = 1; depth <= 4; depth++) {
    inner = source.add({ manifests: [inner] });
    const planned = planPush([{ repository: "a", tags: ["1"], digest: inner.digest }], source);
    if (depth <= 3) assert.equal((await planned).manifests.length, depth + 1);
    else await assert.rejects(planned, isRefusal(/nested too deeply/));
  }
});

Deno.test("a child that is named many times is read once", async () => {
  const source = new Manifests();
  let inner = source.add({ layers: [blob("x")] });
  for (let depth = 1; depth <= 3; depth++) {
    inner = source.add({ manifests: Array(100).fill(inner) });
  }
  const plan = await planPush([{ repository: "a", tags: ["1"], digest: inner.digest }], source);
  assert.equal(plan.manifests.length, 4);
  assert.equal(source.read.length, 4);
});

Deno.test("what is no manifest is refused by its digest, and trying again is no use", async () => {
  const good = `sha256:${"a".repeat(64)}`;
  const rows: [name: string, content: unknown][] = [
    ["no JSON", "<html>"],
    ["null", "null"],
    ["a layer without a digest", { layers: [{ size: 1 }] }],
    ["a digest that is none", { layers: [{ digest: "sha256:short", size: 1 }] }],
    ["a negative size", { config: { digest: good, size: -1 } }],
    ["half a byte", { config: { digest: good, size: 0.5 } }],
    ["a child that is text", { manifests: ["a"] }],
  ];
  for (const [name, content] of rows) {
    const source = new Manifests();
    const { digest } = source.add(content);
    await assert.rejects(
      planPush([{ repository: "a", tags: ["1"], digest }], source),
      isRefusal(new RegExp(`${digest}.*not an image manifest`)),
      name,
    );
  }
});

function isRefusal(message: RegExp) {
  return (error: unknown): true => {
    assert.ok(error instanceof ZarfError, String(error));
    assert.equal(error.reason, "RegistryRefused");
    assert.equal(error.disposition, "terminal");
    assert.match(error.message, message);
    return true;
  };
}
