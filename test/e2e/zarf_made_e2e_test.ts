import assert from "node:assert/strict";
import { dump } from "js-yaml";
import {
  type PackageContents,
  type PackageScout,
  parseDefinition,
  readPackage,
  scoutPackage,
} from "../../src/package/mod.ts";
import { withDirectory } from "../fakes/testing.ts";
import { MemorySink, SeekableSource, sourceOf } from "../fixtures/package_sink.ts";
import { dockerArchive, HELLO_WORLD, multiPlatformArchive } from "./support/image_archives.ts";
import {
  CONFIG_MAP,
  EVERYTHING,
  EVERYTHING_FILES,
  LONG_PATH,
  ODD_STRINGS,
  writeSource,
} from "./support/zarf_sources.ts";
import { zarfCreate, zarfDefinition, zarfImages } from "./support/zarf.ts";

/*
 * Packages of every kind that the real zarf makes without a network, read here; what its own
 * `package inspect` says of them must be what was read.
 */

const HELLO_MANIFESTS = {
  "docker-containerd-image-store": "2771e37a12b7",
  "docker-graph-driver-image-store": "40dac9b7451f",
} as const;
const AMD64 = "--architecture=amd64";
const REPOSITORY = "ghcr.io/holdfast/multi";

/** What was read of one package. */
interface Taken {
  readonly name: string;
  readonly contents: PackageContents;
  readonly sink: MemorySink;
}

/** Reads a package file, and compares what it is with what the scout and the real zarf say. */
async function take(file: string): Promise<Taken> {
  const name = file.slice(file.lastIndexOf("/") + 1);
  const bytes = await Deno.readFile(file);
  const sink = new MemorySink();
  const options = {
    format: name.endsWith(".tar") ? "tar" : "tar.zst",
    architecture: "amd64",
  } as const;
  const contents = await readPackage(sourceOf(bytes), { ...options, sink });
  const scout: PackageScout = await scoutPackage(new SeekableSource(bytes), options);
  const { definition, digest, blobs, unknownFields } = contents;
  assert.deepEqual([scout.definition, scout.digest, scout.blobs], [definition, digest, blobs]);
  const stored = [...sink.files.values()].reduce((sum, { content }) => sum + content.length, 0);
  assert.equal(scout.fileBytes, stored);
  assert.deepEqual(unknownFields, []);
  assert.deepEqual(parseDefinition(await zarfDefinition(file)), definition);
  const references = contents.images.map(({ reference }) => reference);
  assert.deepEqual((await zarfImages(file)).sort(), references.sort());
  return { name, contents, sink };
}

/** How the images come out: reference and the first digits of what it stands for. */
function imagesOf({ contents }: Taken): string[] {
  return contents.images.map(({ reference, descriptor }) =>
    `${reference} ${descriptor.digest.slice(7, 19)}`
  );
}

Deno.test("a package with everything that needs no network is read as zarf reads it", () =>
  withDirectory(async (dir) => {
    await dockerArchive("docker-containerd-image-store", `${dir}/hello.tar`);
    const source = await writeSource(`${dir}/source`, EVERYTHING, EVERYTHING_FILES);
    await Deno.symlink("real", `${source}/tree/link`);
    await Deno.symlink(LONG_PATH, `${source}/tree/far`);
    const flags = [AMD64, "--flavor=upstream", "--features=values=true"];
    const taken = await take(await zarfCreate(source, `${dir}/out`, flags));
    const { name, contents: { definition, signature, trust }, sink } = taken;
    assert.equal(name, "zarf-package-everything-amd64-7e12345-upstream.tar.zst");
    assert.deepEqual(imagesOf(taken), [`${HELLO_WORLD} 2771e37a12b7`]);
    assert.deepEqual([signature, trust], ["none", { state: "Unsigned" }]);
    assert.equal(definition.metadata.version, "7e12345");
    assert.equal(definition.build.flavor, "upstream");
    assert.deepEqual(definition.constants.map(({ value }) => value), ODD_STRINGS);
    assert.equal(definition.variables[0]?.default, "1e3");
    assert.deepEqual(definition.components.map(({ name }) => name), ["images", "files", "cluster"]);
    const { before, after, defaults } = definition.components[2]?.actions.onDeploy ?? assert.fail();
    assert.deepEqual(before.map(({ cmd, setVariables }) => [cmd, setVariables[0]?.name]), [
      ["echo one", "OLD"],
      ["echo old", undefined],
    ]);
    assert.deepEqual([after[0]?.setVariables[0]?.name, defaults.maxRetries], ["NEW", 10_000]);
    checkFiles(sink);
  }));

/** What was unpacked of the package with everything. */
function checkFiles(sink: MemorySink): void {
  const text = (path: string) => new TextDecoder().decode(sink.files.get(path)?.content);
  const files = "components/files/files";
  assert.equal(text(`${files}/0/tree/${LONG_PATH}`), "deep\n");
  assert.deepEqual([...sink.links].sort(), [
    [`${files}/0/tree/far`, LONG_PATH],
    [`${files}/0/tree/link`, "real"],
  ]);
  assert.equal(sink.files.get(`${files}/1/cm.yaml`)?.mode, 0o700);
  const cluster = "components/cluster";
  assert.match(text(`${cluster}/manifests/kustomization-kustom-0.yaml`), /name: my-a/);
  for (
    const path of [
      ...["sboms.tar", "documentation.tar", "values.yaml", "values.schema.json"],
      ...[`${cluster}/manifests/raw-0.yaml`, `${cluster}/charts/demo-0.1.0.tgz`],
      ...[`${cluster}/charts/bare.tgz`, `${cluster}/values/demo-0.1.0-0`],
    ]
  ) {
    assert((sink.files.get(path)?.content.length ?? 0) > 0, `${path} is not there`);
  }
}

Deno.test("a package that is written in v1beta1 is read by its v1alpha1 document", () =>
  withDirectory(async (dir) => {
    await dockerArchive("docker-graph-driver-image-store", `${dir}/hello.tar`);
    const source = await writeSource(`${dir}/source`, {
      apiVersion: "zarf.dev/v1beta1",
      metadata: { name: "beta", version: "0.0.1", preventNamespaceOverride: true },
      components: [
        { name: "imported", import: { local: [{ path: "imported.yaml" }] } },
        {
          name: "choice",
          optional: true,
          manifests: [{ name: "m", namespace: "beta", files: ["cm.yaml"], skipWait: true }],
          actions: {
            onDeploy: {
              before: [{ cmd: "echo hi", silent: true, retries: 2 }],
              onSuccess: [{
                wait: { cluster: { kind: "ConfigMap", name: "a", namespace: "beta" } },
              }],
            },
          },
        },
      ],
    }, {
      "cm.yaml": CONFIG_MAP,
      "imported.yaml": dump({
        apiVersion: "zarf.dev/v1beta1",
        kind: "ZarfComponentConfig",
        metadata: { name: "imported" },
        component: { imageArchives: [{ path: "../hello.tar", images: [HELLO_WORLD] }] },
      }),
    });
    const taken = await take(await zarfCreate(source, `${dir}/out`, [AMD64, "--skip-sbom"]));
    const { contents: { definition }, sink } = taken;
    const yaml = new TextDecoder().decode(sink.files.get("zarf.yaml")?.content);
    assert.match(yaml, /^apiVersion: zarf.dev\/v1beta1$/m);
    assert.deepEqual(definition.components.map(({ name, required }) => [name, required]), [
      ["imported", true],
      ["choice", false],
    ]);
    assert.equal(definition.metadata.allowNamespaceOverride, false);
    const [choice] = definition.components.slice(1);
    assert.equal(choice?.manifests[0]?.noWait, true);
    const { before, onSuccess } = choice?.actions.onDeploy ?? assert.fail();
    assert.deepEqual([before[0]?.mute, before[0]?.maxRetries], [true, 2]);
    assert.equal(onSuccess[0]?.wait?.cluster?.kind, "ConfigMap");
    assert.deepEqual(imagesOf(taken), [`${HELLO_WORLD} 40dac9b7451f`]);
    assert(!sink.files.has("sboms.tar"));
  }));

for (const [layout, manifest] of Object.entries(HELLO_MANIFESTS)) {
  Deno.test(`an uncompressed package with an archive of ${layout} is read, and its successor`, () =>
    withDirectory(async (dir) => {
      await dockerArchive(layout as keyof typeof HELLO_MANIFESTS, `${dir}/hello.tar`);
      const package_ = (version: string) => ({
        metadata: { name: "plain", version, uncompressed: true },
        components: [{
          name: "images",
          required: true,
          imageArchives: [{ path: "../hello.tar", images: [HELLO_WORLD] }],
        }],
      });
      const source = await writeSource(`${dir}/source`, package_("2.0.0"));
      const first = await zarfCreate(source, `${dir}/first`, [AMD64, "--skip-sbom"]);
      const taken = await take(first);
      assert.equal(taken.name, "zarf-package-plain-amd64-2.0.0.tar");
      assert.deepEqual(imagesOf(taken), [`${HELLO_WORLD} ${manifest}`]);
      await writeSource(source, package_("2.0.1"));
      const flags = [AMD64, "--skip-sbom", `--differential=${first}`];
      const next = await take(await zarfCreate(source, `${dir}/next`, flags));
      assert.equal(next.name, "zarf-package-plain-amd64-2.0.0-differential-2.0.1.tar");
      assert.equal(next.contents.definition.build.differentialPackageVersion, "2.0.0");
    }));
}

Deno.test("an index is whole where its digest is asked for, one image where its tag is", () =>
  withDirectory(async (dir) => {
    const digest = await multiPlatformArchive(`${dir}/multi.tar`, REPOSITORY);
    const images = [`${REPOSITORY}@${digest}`, `${REPOSITORY}:1`];
    const source = await writeSource(`${dir}/source`, {
      metadata: { name: "multi", version: "1.0.0" },
      components: [{ name: "images", imageArchives: [{ path: "../multi.tar", images }] }],
    });
    const flags = ["--skip-sbom", "--architecture=arm64"];
    const taken = await take(await zarfCreate(source, `${dir}/out`, flags));
    const { images: found, manifests, definition } = taken.contents;
    const byName = new Map(found.map(({ reference, descriptor }) => [reference, descriptor]));
    assert.equal(byName.get(`${REPOSITORY}@${digest}`)?.digest, digest);
    assert.match(byName.get(`${REPOSITORY}:1`)?.mediaType ?? "", /image\.manifest\.v1/);
    assert.equal(manifests.length, 3);
    // For another processor, and taken because one image is there for all.
    assert.equal(definition.architecture, "arm64");
  }));

Deno.test("an init package, and one with nothing in it, are read", () =>
  withDirectory(async (dir) => {
    const init = await writeSource(`${dir}/init`, {
      kind: "ZarfInitConfig",
      metadata: { name: "init" },
      components: [{
        name: "zarf-agent",
        required: true,
        manifests: [{ name: "m", namespace: "zarf", files: ["cm.yaml"] }],
      }],
    }, { "cm.yaml": CONFIG_MAP });
    const taken = await take(await zarfCreate(init, `${dir}/out-init`, [AMD64, "--skip-sbom"]));
    assert.equal(taken.name, "zarf-init-amd64-v0.84.0.tar.zst");
    assert.equal(taken.contents.definition.kind, "ZarfInitConfig");
    assert.equal(taken.contents.definition.metadata.version, "v0.84.0");
    const none = await writeSource(`${dir}/none`, {
      metadata: { name: "none" },
      components: [{ name: "nothing" }],
    });
    const empty = await take(await zarfCreate(none, `${dir}/out-none`, [AMD64]));
    assert.equal(empty.name, "zarf-package-none-amd64.tar.zst");
    assert.deepEqual([...empty.sink.files.keys()].sort(), ["checksums.txt", "zarf.yaml"]);
  }));
