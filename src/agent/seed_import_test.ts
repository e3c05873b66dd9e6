import assert from "node:assert/strict";
import { type ImageSpec, writeOciLayout } from "../../extension/build/oci_image.ts";
import { seedIn } from "../../test/fakes/seed_cluster.ts";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { BootstrapError, knownSeed } from "../bootstrap/mod.ts";
import { digestOf, silentLogger } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import {
  adoptInitPackage,
  importSeedDirectory,
  type InitPackage,
  seedNames,
} from "./seed_import.ts";

const REFERENCE = "docker.io/library/registry:3.1.2";

/** As the build makes it (extension/build/seed.ts), but with a text for a program. */
const image = (references: readonly string[], text = "registry"): ImageSpec => ({
  references,
  entries: [{ path: "bin/registry", content: text, mode: 0o755 }],
});

interface Stage {
  readonly store: Store;
  readonly layout: string;
  readonly lines: string[];
  take(): Promise<void>;
}

function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`);
    const layout = `${dir}/seed`;
    const { logger, lines } = loggerOf();
    const take = () => importSeedDirectory(store, layout, logger);
    await action({ store, layout, lines, take });
  });
}

const isUnreadable = (why: RegExp) => (error: unknown) => {
  assert(error instanceof BootstrapError, String(error));
  assert.deepEqual([error.reason, error.disposition], ["SeedUnreadable", "wait"]);
  assert.match(error.message, why);
  assert.match(error.remedy ?? "", /--seed-dir/);
  return true;
};

Deno.test("names are the host's, the repository's, the tag and Zarf's tag", () => {
  assert.deepEqual(seedNames("registry:3"), {
    host: "docker.io",
    repository: "library/registry",
    tag: "3",
    zarfTag: seedNames("docker.io/library/registry:3").zarfTag,
  });
  assert.match(seedNames("registry:3").zarfTag, /^3-zarf-\d+$/);
  assert.equal(seedNames("ghcr.io/org/registry:v1").repository, "org/registry");
  const byDigest = `docker.io/library/registry@${digestOf("x")}`;
  assert.throws(() => seedNames(byDigest), isUnreadable(/has no tag/));
});

Deno.test("the layout that the build makes is taken in whole, and served by its names", () =>
  staged(async ({ store, layout, lines, take }) => {
    const [written] = await writeOciLayout(layout, [image([REFERENCE])]);
    await take();
    const seed = knownSeed(store);
    assert.equal(seed?.image.descriptor.digest, written?.manifest.digest);
    assert.deepEqual(
      new Set(seed?.blobs.map((blob) => blob.digest)),
      new Set([written?.layer.digest, written?.config.digest, written?.manifest.digest]),
    );
    for (const { digest } of seed?.blobs ?? []) {
      assert.equal(digestOf(Deno.readFileSync(store.blobs.path(digest))), digest);
    }
    const named = store.records.resolveTag("library/registry", "3.1.2", "docker.io");
    assert.equal(named?.digest, written?.manifest.digest);
    assert.match(lines.join("\n"), /registry's image is in the store image=\S+registry:3\.1\.2/);
  }));

Deno.test("what is there is not read again", () =>
  staged(async ({ store, layout, lines, take }) => {
    await writeOciLayout(layout, [image([REFERENCE])]);
    await take();
    Deno.removeSync(`${layout}/blobs`, { recursive: true });
    lines.length = 0;
    await take();
    assert.deepEqual(lines, []);
    assert(knownSeed(store));
  }));

Deno.test("another image in the directory takes the place of the one before", () =>
  staged(async ({ store, layout, take }) => {
    await writeOciLayout(layout, [image([REFERENCE], "old")]);
    await take();
    const [written] = await writeOciLayout(layout, [image([REFERENCE], "new")]);
    await take();
    assert.equal(knownSeed(store)?.image.descriptor.digest, written?.manifest.digest);
  }));

Deno.test("a directory that was taken in does not take back what came in its place since", () =>
  staged(async ({ store, layout, take }) => {
    await writeOciLayout(layout, [image([REFERENCE], "directory")]);
    await take();
    const newer = await seedIn(store);
    await take();
    assert.deepEqual(knownSeed(store), newer);
    const [written] = await writeOciLayout(layout, [image([REFERENCE], "another")]);
    await take();
    assert.equal(knownSeed(store)?.image.descriptor.digest, written?.manifest.digest);
  }));

Deno.test("an image that lost a blob in the store is taken in again", () =>
  staged(async ({ store, layout, take }) => {
    const [written] = await writeOciLayout(layout, [image([REFERENCE])]);
    await take();
    Deno.removeSync(store.blobs.path(written?.layer.digest ?? digestOf("")));
    assert.equal(knownSeed(store), undefined);
    await take();
    assert(knownSeed(store));
  }));

Deno.test("of several images the first with a name is the one", () =>
  staged(async ({ store, layout, take }) => {
    const other = image(["docker.io/library/other:1"], "other");
    const [written] = await writeOciLayout(layout, [image([REFERENCE]), other]);
    await take();
    assert.equal(knownSeed(store)?.image.descriptor.digest, written?.manifest.digest);
  }));

const spoiled: readonly [string, (layout: string) => void, RegExp][] = [
  ["is not there", (layout) => Deno.removeSync(layout, { recursive: true }), /not an OCI layout/],
  ["has no index", (layout) => Deno.removeSync(`${layout}/index.json`), /not an OCI layout/],
  [
    "has an index that is not JSON",
    (layout) => Deno.writeTextFileSync(`${layout}/index.json`, "{"),
    /not an OCI layout/,
  ],
  [
    "has an index without images",
    (layout) => Deno.writeTextFileSync(`${layout}/index.json`, '{"manifests":[]}'),
    /names no image/,
  ],
];

for (const [what, spoil, why] of spoiled) {
  Deno.test(`a seed directory that ${what} is told, and nothing is taken in`, () =>
    staged(async ({ store, layout, take }) => {
      await writeOciLayout(layout, [image([REFERENCE])]);
      spoil(layout);
      await assert.rejects(take(), isUnreadable(why));
      assert.equal(knownSeed(store), undefined);
    }));
}

Deno.test("a blob with one wrong byte is not taken in", () =>
  staged(async ({ store, layout, take }) => {
    const [written] = await writeOciLayout(layout, [image([REFERENCE])]);
    const path = `${layout}/blobs/${written?.layer.digest.replace(":", "/")}`;
    const bytes = Deno.readFileSync(path);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    Deno.writeFileSync(path, bytes);
    await assert.rejects(take());
    assert.equal(knownSeed(store), undefined);
    assert.equal(store.blobs.stat(written?.layer.digest ?? digestOf("")), undefined);
  }));

/** An init package with these references, all of one image that the store has. */
async function initPackage({ store, layout }: Stage, references: string[]): Promise<InitPackage> {
  const [written] = await writeOciLayout(layout, [image([REFERENCE])]);
  await importSeedDirectory(store, layout, silentLogger);
  store.records.setValue("seed", null);
  const descriptor = written?.manifest ?? assert.fail();
  return {
    kind: "ZarfInitConfig",
    images: references.map((reference) => ({ reference, descriptor })),
  };
}

Deno.test("the registry of an init package becomes the seed where there is none", () =>
  staged(async (stage) => {
    const init = await initPackage(stage, [
      "docker.io/library/busybox:1",
      "ghcr.io/org/registry-viewer:1",
      "ghcr.io/project/registry:3.0.0",
    ]);
    assert.equal(adoptInitPackage(stage.store, init), true);
    const seed = knownSeed(stage.store);
    assert.deepEqual([seed?.image.host, seed?.image.repository, seed?.image.tag], [
      "ghcr.io",
      "project/registry",
      "3.0.0",
    ]);
    assert.equal(adoptInitPackage(stage.store, init), false, "there is one now");
  }));

const passed: readonly [string, string, string[]][] = [
  ["is no init package", "ZarfPackageConfig", ["docker.io/library/registry:3"]],
  ["has no registry", "ZarfInitConfig", ["docker.io/library/busybox:1"]],
  ["names its registry by digest only", "ZarfInitConfig", [
    `docker.io/library/registry@${digestOf("x")}`,
  ]],
];

for (const [what, kind, references] of passed) {
  Deno.test(`a package that ${what} brings no seed`, () =>
    staged(async (stage) => {
      const init = { ...await initPackage(stage, references), kind };
      assert.equal(adoptInitPackage(stage.store, init), false);
      assert.equal(knownSeed(stage.store), undefined);
    }));
}
