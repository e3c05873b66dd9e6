import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Digest, digestOf } from "../std/mod.ts";
import {
  buildPackage,
  packageEntries,
  type PackageSpec,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { type PackageContents, type PackageFile, readPackage } from "./mod.ts";

const FIXTURES = new URL("../../test/fixtures/", import.meta.url);

interface Taken {
  readonly contents: PackageContents;
  readonly sink: MemorySink;
}

async function take(bytes: Uint8Array, format: "tar" | "tar.zst", step?: number): Promise<Taken> {
  const sink = new MemorySink();
  const source = sourceOf(bytes, step);
  const contents = await readPackage(source, { format, architecture: "amd64", sink });
  assert.equal(sink.open, 0);
  assert.deepEqual(sink.aborted, []);
  return { contents, sink };
}

function takeSpec(spec: PackageSpec): Promise<Taken> {
  return take(buildPackage(spec), spec.format ?? "tar.zst");
}

async function takeFixture(name: string): Promise<Taken> {
  const bytes = await Deno.readFile(new URL(`packages/${name}`, FIXTURES));
  const taken = await take(bytes, name.endsWith(".tar") ? "tar" : "tar.zst");
  assert.equal(taken.contents.bytes.archive, bytes.length);
  for (const { digest, size } of taken.contents.blobs) {
    const content = taken.sink.blobs.get(digest);
    assert(content !== undefined && content.length === size && digestOf(content) === digest);
  }
  return taken;
}

Deno.test("the packages that Zarf made in 2025 are accepted, compressed or not", async () => {
  const packed = await takeFixture("zarf-package-test-amd64-0.0.1.tar.zst");
  const plain = await takeFixture("zarf-package-test-uncompressed-amd64-0.0.1.tar");
  for (const { contents, sink } of [packed, plain]) {
    assert.equal(contents.definition.metadata.version, "0.0.1");
    assert.equal(contents.signature, "none");
    // Crane's era: the name is in base.name alone.
    assert.deepEqual(contents.images.map(({ reference }) => reference), [
      "docker.io/library/alpine:3.20",
    ]);
    assert.equal(contents.blobs.length, 3);
    assert.deepEqual([...sink.directories], [
      ["components/test", 0o700],
      ["components/test/manifests", 0o700],
    ]);
    const manifest = sink.files.get("components/test/manifests/deployment-0.yaml");
    assert.match(new TextDecoder().decode(manifest?.content), /kind: Deployment/);
    assert.equal(manifest?.mode, 0o644);
    assert(!sink.files.has("components/test.tar"));
    assert(sink.files.has("sboms.tar"));
  }
  assert.equal(packed.contents.definition.metadata.uncompressed, false);
  assert.equal(plain.contents.definition.metadata.uncompressed, true);
});

Deno.test("the packages that Zarf 0.84 made are accepted", async () => {
  const { contents } = await takeFixture("zarf-package-app-small-amd64-0.0.1.tar.zst");
  const { definition } = contents;
  assert.equal(definition.components[0]?.manifests[1]?.files.length, 4);
  assert.equal(definition.variables[2]?.autoIndent, true);
  assert.equal(definition.components[0]?.actions.onDeploy.defaults.maxTotalSeconds, 60);
  assert.equal(definition.components[0]?.actions.onDeploy.before[1]?.mute, true);
  assert.equal(definition.components[0]?.healthChecks[0]?.kind, "Deployment");
  const signed = await takeFixture("zarf-package-app-signed-amd64-1.0.0.tar.zst");
  assert.equal(signed.contents.signature, "bundle");
  assert(signed.sink.files.has("zarf.bundle.sig"));
});

Deno.test("a package's digest is that of zarf.yaml", async () => {
  const { contents, sink } = await takeSpec({});
  const yaml = sink.files.get("zarf.yaml");
  assert(yaml !== undefined);
  assert.equal(contents.digest, digestOf(yaml.content));
});

Deno.test("charts, Docker's media types and a whole index by digest are found", async () => {
  const { contents, sink } = await takeFixture("zarf-package-app-chart-amd64-1.2.3.tar.zst");
  const index = "sha256:1714f08d5e24ad848aab89cfb4ad67d485535f8a623531c11d7b7ed994b7ae0d";
  assert.deepEqual(contents.images.map(({ reference, zarfTag }) => [reference, zarfTag]), [
    ["ghcr.io/holdfast-lab/layers:2.0.0", "2.0.0-zarf-3670974426"],
    [`ghcr.io/holdfast-lab/webapp@${index}`, undefined],
    ["docker.io/library/busybox:1.35", "1.35-zarf-2140033595"],
    ["ghcr.io/holdfast-lab/webapp:1.0.0", "1.0.0-zarf-1836154936"],
  ]);
  assert.equal(contents.manifests.length, 6);
  assert.equal(contents.images[1]?.descriptor.mediaType, "application/vnd.oci.image.index.v1+json");
  assert.equal(
    contents.images[2]?.descriptor.mediaType,
    "application/vnd.docker.distribution.manifest.v2+json",
  );
  assert.equal(contents.definition.components[0]?.charts[0]?.variables[1]?.path, "replicaCount");
  assert(sink.files.has("components/demo/charts/demo-0.3.0.tgz"));
  assert(sink.files.has("components/demo/values/demo-0.3.0-1"));
});

Deno.test("a referrer keeps its subject, type and annotations", async () => {
  const subject = digestOf("the image");
  const { contents } = await takeSpec({
    images: [{
      reference: "ghcr.io/a/b:sbom",
      manifest: {
        artifactType: "application/spdx+json",
        subject: { mediaType: "x", digest: subject, size: 9 },
        annotations: { kind: "sbom" },
      },
    }],
  });
  const [manifest] = contents.manifests;
  assert.equal(manifest?.subject, subject);
  assert.equal(manifest?.artifactType, "application/spdx+json");
  assert.deepEqual(manifest?.annotations, { kind: "sbom" });
  assert.deepEqual(contents.images[0]?.descriptor, manifest);
});

Deno.test("a package is the same in slices of any size", async () => {
  const spec: PackageSpec = {
    images: [{ reference: "docker.io/library/a:1", layers: [{ size: 300_000, seed: 1 }] }],
    files: { "values.yaml": "key: value\n" },
  };
  for (const format of ["tar", "tar.zst"] as const) {
    const bytes = buildPackage({ ...spec, format });
    const whole = await take(bytes, format);
    for (const step of [997, 65_536]) {
      const sliced = await take(bytes, format, step);
      assert.deepEqual(sliced.contents, whole.contents);
      assert.deepEqual(sliced.sink.files, whole.sink.files);
      assert.deepEqual(sliced.sink.blobs, whole.sink.blobs);
    }
  }
});

Deno.test("a signed package may hold its signature and its provenance files unlisted", async () => {
  const { contents, sink } = await takeSpec({
    hooks: {
      definition(definition) {
        definition.build["signed"] = true;
        definition.build["provenanceFiles"] = ["checksums.txt", "attestation.json"];
      },
      entries: (all) => [
        ...all,
        { name: "zarf.yaml.sig", content: "MEUCIQ==" },
        { name: "attestation.json", content: "{}" },
      ],
    },
  });
  assert.equal(contents.signature, "legacy");
  assert(sink.files.has("attestation.json"));
});

Deno.test("the list of checksums may come last, and directories may be left out", async () => {
  const { contents } = await takeSpec({
    hooks: { entries: (all) => all.filter(({ type }) => type !== "directory").reverse() },
  });
  const usual = await takeSpec({});
  assert.equal(contents.digest, usual.contents.digest);
  assert.deepEqual(new Set(contents.blobs), new Set(usual.contents.blobs));
});

Deno.test("images are taken from archives as from components", async () => {
  const { contents } = await takeSpec({
    components: [{
      name: "web",
      definition: { imageArchives: [{ path: "a.tar", images: ["sample:1.0"] }] },
    }],
    images: [{ reference: "docker.io/library/sample:1.0", style: "docker" }],
  });
  assert.equal(
    contents.images[0]?.descriptor.mediaType,
    "application/vnd.docker.distribution.manifest.v2+json",
  );
});

Deno.test("links inside a component come out as links, long names whole", async () => {
  const long = `web/files/${"deep/".repeat(40)}file`;
  const { sink } = await takeSpec({
    components: [{
      name: "web",
      files: { "repos/r/real": "content" },
      entries: [
        { name: "web/repos/r/link", type: "symlink", linkTarget: "real" },
        { name: "web/repos/r/.git/up", type: "symlink", linkTarget: "../../r/real" },
        { name: long, content: "far down", mode: 0o755 },
      ],
    }],
    images: [],
  });
  assert.deepEqual([...sink.links], [
    ["components/web/repos/r/link", "real"],
    ["components/web/repos/r/.git/up", "../../r/real"],
  ]);
  assert.equal(sink.files.get(`components/${long}`)?.mode, 0o755);
});

Deno.test("progress grows to the size of the file", async () => {
  const bytes = buildPackage({
    format: "tar",
    images: [{ reference: "docker.io/library/a:1", layers: [{ size: 3_000_000, seed: 1 }] }],
  });
  const seen: number[] = [];
  await readPackage(sourceOf(bytes), {
    format: "tar",
    architecture: "amd64",
    sink: new MemorySink(),
    onProgress: (count) => seen.push(count),
  });
  assert(seen.length >= 3);
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  assert.equal(seen.at(-1), bytes.length);
});

Deno.test("the node's architecture is asked for where it matters", async (t) => {
  const chart = new URL("images-testdata/oras-oci-layout/images", FIXTURES).pathname;
  const cases: [string, PackageSpec][] = [
    ["the same", { architecture: "amd64" }],
    ["for all", { architecture: "multi" }],
    ["another, but without images", { architecture: "arm64", images: [] }],
    ["none, without images", { architecture: "", images: [] }],
    // No component asks for them, as in Zarf's check.
    ["another, with images that no component names", { architecture: "arm64", layouts: [chart] }],
  ];
  for (const [name, spec] of cases) {
    await t.step(name, async () => {
      const { contents } = await takeSpec(spec);
      assert.equal(contents.definition.architecture, spec.architecture);
    });
  }
});

Deno.test("what the sink throws comes out unchanged and the open file is aborted", async () => {
  const full = new Error("no space left on device");
  class FullSink extends MemorySink {
    override blob(digest: Digest, size: number) {
      const writer = super.blob(digest, size);
      assert(writer !== undefined);
      return {
        ...writer,
        write: () => {
          throw full;
        },
      };
    }
  }
  const sink = new FullSink();
  const options = { format: "tar.zst", architecture: "amd64", sink } as const;
  await assert.rejects(readPackage(sourceOf(buildPackage({})), options), (e) => e === full);
  assert.equal(sink.open, 0);
  assert.equal(sink.aborted.length, 1);
});

Deno.test("without a node's processor every package is taken that some node would take", async (t) => {
  const read = (spec: PackageSpec) =>
    readPackage(sourceOf(buildPackage(spec)), { format: "tar.zst", sink: new MemorySink() });
  for (const architecture of ["amd64", "arm64", "riscv64", "multi"]) {
    await t.step(architecture, async () => {
      assert.equal((await read({ architecture })).definition.architecture, architecture);
    });
  }
  const refused: readonly (readonly [string, PackageSpec, RegExp])[] = [
    ["none", { architecture: "" }, /for no architecture$/],
    ["a skeleton", { architecture: "skeleton", images: [] }, /for skeleton$/],
    [
      "two",
      { hooks: { definition: ({ metadata }) => metadata["architecture"] = "arm64" } },
      /for arm64, this node is amd64$/,
    ],
  ];
  for (const [name, spec, message] of refused) {
    await t.step(
      name,
      () => assert.rejects(read(spec), { reason: "ArchitectureMismatch", message }),
    );
  }
});

Deno.test("every file of the archive is told of once, when the package has been accepted", async () => {
  const spec = { components: [{ name: "web", files: { "manifests/web-0.yaml": "{}" } }] };
  const told: PackageFile[] = [];
  const sink = new MemorySink();
  const options = {
    format: "tar.zst",
    sink,
    onFile: (file: PackageFile) => void told.push(file),
  } as const;
  await readPackage(sourceOf(buildPackage(spec)), options);
  const entries = packageEntries(spec).filter(({ content }) => content !== undefined);
  assert.deepEqual(
    told,
    entries.map(({ name, content }) => ({
      path: name,
      size: content instanceof Uint8Array ? content.length : Buffer.byteLength(String(content)),
      digest: digestOf(content instanceof Uint8Array ? content : String(content)),
    })),
  );
  assert(told.some(({ path }) => path === "components/web.tar"), "a component's tar is a file");
  told.length = 0;
  const bad = buildPackage({ ...spec, hooks: { checksums: (text) => `${text}\n` + "x" } });
  await assert.rejects(readPackage(sourceOf(bad), options));
  assert.deepEqual(told, []);
});
