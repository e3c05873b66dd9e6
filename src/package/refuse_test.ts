import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  buildPackage,
  flipBit,
  type PackageSpec,
  positionOf,
  sha256,
  type TarEntrySpec,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { type Limits, PackageError, type PackageErrorReason, readPackage } from "./mod.ts";

/** Reads a bad package and says why it was refused. Nothing may be left open. */
async function refusal(
  bytes: Uint8Array,
  format: "tar" | "tar.zst" = "tar.zst",
  limits: Partial<Limits> = {},
): Promise<PackageError> {
  const sink = new MemorySink();
  try {
    await readPackage(sourceOf(bytes), { format, architecture: "amd64", sink, limits });
  } catch (error) {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.disposition, "terminal");
    assert.equal(sink.open, 0, "a file was left open");
    return error;
  }
  assert.fail("the package was accepted");
}

interface Case {
  readonly name: string;
  readonly spec: PackageSpec;
  readonly reason: PackageErrorReason;
  /** What the message must hold: the part that is wrong. */
  readonly part: string;
  readonly limits?: Partial<Limits>;
}

function table(title: string, cases: readonly Case[]): void {
  Deno.test(title, async (t) => {
    for (const { name, spec, reason, part, limits } of cases) {
      await t.step(name, async () => {
        const error = await refusal(buildPackage(spec), spec.format ?? "tar.zst", limits);
        assert.equal(error.reason, reason, error.message);
        assert(error.message.includes(part), error.message);
      });
    }
  });
}

const drop = (name: string) => ({
  entries: (all: TarEntrySpec[]) => all.filter((entry) => entry.name !== name),
});
const add = (...more: TarEntrySpec[]) => ({ entries: (all: TarEntrySpec[]) => [...all, ...more] });
const replace = (name: string, content: string) => ({
  entries: (all: TarEntrySpec[]) =>
    all.map((entry) => entry.name === name ? { ...entry, content } : entry),
});
const inComponent = (...entries: TarEntrySpec[]): PackageSpec => ({
  images: [],
  components: [{ name: "web", entries }],
});

const LAYER = `images/blobs/sha256/${sha256("not really a layer\n")}`;

table("files that are missing, extra or wrong are refused by name", [
  {
    name: "no zarf.yaml",
    spec: { hooks: drop("zarf.yaml") },
    reason: "MissingFile",
    part: "zarf.yaml: is not",
  },
  {
    name: "no checksums.txt",
    spec: { hooks: drop("checksums.txt") },
    reason: "MissingFile",
    part: "checksums.txt: is not",
  },
  {
    name: "a component's tar is gone",
    spec: { hooks: drop("components/web.tar") },
    reason: "MissingFile",
    part: "components/web.tar: is not",
  },
  { name: "a blob is gone", spec: { hooks: drop(LAYER) }, reason: "MissingFile", part: LAYER },
  {
    name: "a file that is not listed",
    spec: { hooks: add({ name: "extra.txt", content: "x" }) },
    reason: "UnlistedFile",
    part: "extra.txt: is in the package",
  },
  {
    name: "a blob that is not listed",
    spec: { hooks: add({ name: `images/blobs/sha256/${sha256("x")}`, content: "x" }) },
    reason: "UnlistedFile",
    part: sha256("x"),
  },
  {
    name: "a file left out of the list",
    spec: {
      files: { "sboms.tar": "s" },
      hooks: { checksums: (text) => text.replace(/.* sboms.tar\n/, "") },
    },
    reason: "UnlistedFile",
    part: "sboms.tar",
  },
  {
    name: "a listed file that never was",
    spec: { hooks: { checksums: (text) => `${text}${sha256("")} gone.txt\n` } },
    reason: "MissingFile",
    part: "gone.txt",
  },
  {
    name: "another content than listed",
    spec: { files: { "sboms.tar": "right" }, hooks: replace("sboms.tar", "wrong") },
    reason: "ChecksumMismatch",
    part: "sboms.tar: sha256 is",
  },
  {
    name: "a blob that is not what its name says",
    spec: { hooks: replace(LAYER, "not really A layer\n") },
    reason: "ChecksumMismatch",
    part: `${LAYER}: sha256 is`,
  },
  {
    name: "another checksums.txt than zarf.yaml names",
    spec: { hooks: { definition: (d) => d.metadata.aggregateChecksum = sha256("other") } },
    reason: "AggregateMismatch",
    part: "checksums.txt: sha256 is",
  },
  {
    name: "no aggregate checksum",
    spec: { hooks: { definition: (d) => delete d.metadata.aggregateChecksum } },
    reason: "AggregateMismatch",
    part: "zarf.yaml says nothing",
  },
  {
    name: "a list that cannot be read",
    spec: { hooks: { checksums: () => "what is this\n" } },
    reason: "InvalidChecksums",
    part: "checksums.txt: line 1",
  },
  {
    name: "a definition that cannot be read",
    spec: { hooks: { definitionText: () => "a: [" } },
    reason: "InvalidDefinition",
    part: "zarf.yaml",
  },
  {
    name: "an unlisted provenance file without a signature",
    spec: {
      hooks: {
        definition: (d) => d.build.provenanceFiles = ["p.json"],
        ...add({ name: "p.json" }),
      },
    },
    reason: "UnlistedFile",
    part: "p.json",
  },
  {
    name: "content without a component's tar",
    spec: {
      images: [],
      components: [{ name: "web", definition: { repos: ["https://example.org/r.git"] } }],
    },
    reason: "MissingFile",
    part: "components/web.tar",
  },
]);

table("entries that do not belong into a package are refused by name", [
  {
    name: "a path that climbs",
    spec: { hooks: add({ name: "../evil" }) },
    reason: "UnsafePath",
    part: '"../evil"',
  },
  {
    name: "a path that climbs from within",
    spec: { hooks: add({ name: "images/../../evil" }) },
    reason: "UnsafePath",
    part: "images/../../evil",
  },
  {
    name: "an absolute path",
    spec: { hooks: add({ name: "/etc/passwd" }) },
    reason: "UnsafePath",
    part: "/etc/passwd",
  },
  { name: "a backslash", spec: { hooks: add({ name: "a\\b" }) }, reason: "UnsafePath", part: "a" },
  {
    name: "a symbolic link",
    spec: { hooks: add({ name: "link", type: "symlink", linkTarget: "zarf.yaml" }) },
    reason: "UnsupportedEntry",
    part: "link: is a symlink",
  },
  {
    name: "a hard link",
    spec: { hooks: add({ name: "link", type: "hardlink", linkTarget: "zarf.yaml" }) },
    reason: "UnsupportedEntry",
    part: "link: is a hardlink",
  },
  {
    name: "a device",
    spec: { hooks: add({ name: "null", type: "character device" }) },
    reason: "UnsupportedEntry",
    part: "null: is a character device",
  },
  {
    name: "a FIFO",
    spec: { hooks: add({ name: "pipe", type: "FIFO" }) },
    reason: "UnsupportedEntry",
    part: "pipe: is a FIFO",
  },
  {
    name: "a file without a name",
    spec: { hooks: add({ name: "./" }) },
    reason: "UnsafePath",
    part: "no name",
  },
  {
    name: "an entry twice",
    spec: { hooks: { entries: (all) => [...all, ...all.slice(-1)] } },
    reason: "DuplicateEntry",
    part: '"zarf.yaml" is there twice',
  },
  {
    name: "an entry twice under two spellings",
    spec: { hooks: add({ name: "./zarf.yaml" }) },
    reason: "DuplicateEntry",
    part: '"zarf.yaml"',
  },
  {
    name: "a file below a file",
    spec: { hooks: add({ name: "zarf.yaml/x" }) },
    reason: "UnsafePath",
    part: '"zarf.yaml/x"',
  },
  {
    name: "a file beside the components' tars",
    spec: { files: { "components/web/x": "1" } },
    reason: "UnsupportedEntry",
    part: "components/web/x",
  },
  {
    name: "a blob without a digest",
    spec: { files: { "images/blobs/sha256/abc": "1" } },
    reason: "InvalidImageLayout",
    part: "images/blobs/sha256/abc",
  },
]);

table("bad entries inside a component's tar are refused with the tar's name", [
  {
    name: "a path that climbs",
    spec: inComponent({ name: "web/../../x" }),
    reason: "UnsafePath",
    part: "components/web.tar: the name",
  },
  {
    name: "a path outside of the component",
    spec: inComponent({ name: "other/x" }),
    reason: "UnsafePath",
    part: 'components/web.tar: "other/x" is outside',
  },
  {
    name: "a link that leaves",
    spec: inComponent({ name: "web/l", type: "symlink", linkTarget: "../x" }),
    reason: "UnsafePath",
    part: "components/web.tar: the link",
  },
  {
    name: "an absolute link",
    spec: inComponent({ name: "web/l", type: "symlink", linkTarget: "/etc" }),
    reason: "UnsafePath",
    part: "is absolute",
  },
  {
    name: "a file through a link",
    spec: inComponent({ name: "web/l", type: "symlink", linkTarget: "d" }, { name: "web/l/x" }),
    reason: "UnsafePath",
    part: 'below "web/l", a link',
  },
  {
    name: "a hard link",
    spec: inComponent({ name: "web/l", type: "hardlink", linkTarget: "web/x" }),
    reason: "UnsupportedEntry",
    part: 'components/web.tar: "web/l" is a hardlink',
  },
  {
    name: "a device",
    spec: inComponent({ name: "web/d", type: "block device" }),
    reason: "UnsupportedEntry",
    part: "block device",
  },
  {
    name: "an entry twice",
    spec: inComponent({ name: "web/a" }, { name: "web/a" }),
    reason: "DuplicateEntry",
    part: "components/web.tar",
  },
  {
    name: "something else than a tar",
    spec: { files: { "components/x.tar": "no tar ".repeat(100) } },
    reason: "NotTar",
    part: "components/x.tar",
  },
  {
    name: "a tar that ends early",
    spec: { files: { "components/x.tar": "" } },
    reason: "Truncated",
    part: "components/x.tar",
  },
]);

const SAMPLE = { reference: "docker.io/library/sample:1.0" };
const EMPTY_DIGEST = `sha256:${sha256("")}`;

table("images that are not whole are refused", [
  {
    name: "a layer that no file holds",
    spec: {
      images: [{
        ...SAMPLE,
        manifest: { layers: [{ mediaType: "l", digest: EMPTY_DIGEST, size: 0 }] },
      }],
    },
    reason: "MissingBlob",
    part: EMPTY_DIGEST,
  },
  {
    name: "a manifest that no file holds",
    spec: {
      hooks: { index: (i) => i.manifests.push({ mediaType: "m", digest: EMPTY_DIGEST, size: 0 }) },
    },
    reason: "MissingBlob",
    part: "images/index.json: names",
  },
  {
    name: "a wrong size",
    spec: { hooks: { index: (i) => Object.assign(i.manifests[0] ?? {}, { size: 1 }) } },
    reason: "InvalidImageLayout",
    part: "has 1 bytes, but it has",
  },
  {
    name: "an index that is no index",
    spec: { hooks: { index: (i) => i.schemaVersion = 1 } },
    reason: "InvalidImageLayout",
    part: "images/index.json: schemaVersion",
  },
  {
    name: "a digest of another kind",
    spec: { hooks: { index: (i) => Object.assign(i.manifests[0] ?? {}, { digest: "md5:abc" }) } },
    reason: "InvalidImageLayout",
    part: "manifests.0.digest",
  },
  {
    name: "a name for something unknown",
    spec: {
      hooks: { index: (i) => Object.assign(i.manifests[0] ?? {}, { mediaType: "text/plain" }) },
    },
    reason: "InvalidImageLayout",
    part: "text/plain",
  },
  {
    name: "a name that is none",
    spec: {
      hooks: {
        index: (i) =>
          Object.assign(i.manifests[0] ?? {}, {
            annotations: { "org.opencontainers.image.ref.name": "NOT A NAME" },
          }),
      },
    },
    reason: "InvalidImageLayout",
    part: "NOT A NAME",
  },
  {
    name: "a manifest that is no JSON",
    spec: {
      hooks: {
        index: (i) =>
          Object.assign(i.manifests[0] ?? {}, {
            digest: `sha256:${sha256("not really a layer\n")}`,
            size: 19,
          }),
      },
    },
    reason: "InvalidImageLayout",
    part: "is not JSON",
  },
  {
    name: "one name for two images",
    spec: { images: [SAMPLE, { ...SAMPLE, style: "docker" }] },
    reason: "InvalidImageLayout",
    part: "stands for two images",
  },
  {
    name: "an image that a component names is not there",
    spec: { components: [{ name: "web", images: ["nginx:1.27"] }] },
    reason: "MissingImage",
    part: "nginx:1.27",
  },
  {
    name: "blobs without an index",
    spec: { images: [], files: { [LAYER]: "not really a layer\n" } },
    reason: "MissingFile",
    part: "images/index.json",
  },
  {
    name: "an index without the layout's mark",
    spec: { images: [], files: { "images/index.json": "{}" } },
    reason: "MissingFile",
    part: "images/oci-layout",
  },
]);

table("a package for another processor is refused with both names", [
  {
    name: "arm64",
    spec: { architecture: "arm64" },
    reason: "ArchitectureMismatch",
    part: "for arm64, this node is amd64",
  },
  {
    name: "none",
    spec: { architecture: "" },
    reason: "ArchitectureMismatch",
    part: "for no architecture, this node is amd64",
  },
  {
    name: "a skeleton",
    spec: { architecture: "skeleton", images: [] },
    reason: "ArchitectureMismatch",
    part: "skeleton",
  },
  {
    name: "metadata that says otherwise",
    spec: { hooks: { definition: (d) => d.metadata.architecture = "arm64" } },
    reason: "ArchitectureMismatch",
    part: "arm64",
  },
]);

table("every limit is kept and named", [
  {
    name: "entries",
    spec: {},
    limits: { entries: 5 },
    reason: "LimitExceeded",
    part: "more than 5 entries",
  },
  {
    name: "content",
    spec: {},
    limits: { contentBytes: 1000 },
    reason: "LimitExceeded",
    part: "more than 1000 bytes",
  },
  {
    name: "definition",
    spec: {},
    limits: { definitionBytes: 100 },
    reason: "LimitExceeded",
    part: "zarf.yaml: has",
  },
  {
    name: "checksums",
    spec: {},
    limits: { checksumsBytes: 100 },
    reason: "LimitExceeded",
    part: "checksums.txt: has",
  },
  {
    name: "index",
    spec: {},
    limits: { manifestBytes: 200 },
    reason: "LimitExceeded",
    part: "images/index.json: has",
  },
  {
    name: "manifests",
    spec: {},
    limits: { manifests: 0 },
    reason: "LimitExceeded",
    part: "more than 0 manifests",
  },
  {
    name: "names",
    spec: {},
    limits: { nameBytes: 10 },
    reason: "LimitExceeded",
    part: "the limit is 10",
  },
]);

Deno.test("an empty file and files of another kind are refused", async () => {
  assert.equal((await refusal(new Uint8Array(), "tar")).reason, "EmptyFile");
  assert.equal((await refusal(new Uint8Array(), "tar.zst")).reason, "EmptyFile");
  const gone = { size: 10, read: () => 0 };
  const options = { format: "tar", architecture: "amd64", sink: new MemorySink() } as const;
  await assert.rejects(readPackage(gone, options), { reason: "EmptyFile" });
  assert.equal((await refusal(buildPackage({ format: "tar" }), "tar.zst")).reason, "NotZstd");
  assert.equal((await refusal(buildPackage({}), "tar")).reason, "NotTar");
  assert.equal((await refusal(Buffer.from("<html>".repeat(200)), "tar")).reason, "NotTar");
});

Deno.test("a package that ends early is truncated at whatever place", async (t) => {
  const spec: PackageSpec = {
    images: [{ ...SAMPLE, layers: [{ size: 2_500_000, seed: 1 }, "end"] }],
  };
  for (const format of ["tar", "tar.zst"] as const) {
    const bytes = buildPackage({ ...spec, format });
    // The last 1024 bytes of a tar are its end mark; of a zst the end is a checksum.
    const last = format === "tar" ? bytes.length - 600 : bytes.length - 1;
    for (const end of [1, 3, 100, 700, 50_000, 1_048_576, bytes.length >> 1, last]) {
      await t.step(`${format}: ${end} of ${bytes.length} bytes`, async () => {
        assert.equal((await refusal(bytes.slice(0, end), format)).reason, "Truncated");
      });
    }
  }
});

// In an uncompressed package nothing covers the rest of zarf.yaml but a signature: it is the root.
Deno.test("one flipped bit in any part of the tar is found", async (t) => {
  const spec: PackageSpec = { format: "tar", files: { "sboms.tar": "SBOM content" } };
  const bytes = buildPackage(spec);
  const parts: [string, string][] = [
    ["checksums.txt", "components/web.tar\n"],
    ["zarf.yaml's checksum", "aggregateChecksum: "],
    ["a component's file", "kind: ConfigMap"],
    ["a component's tar header", "web/manifests/web-0.yaml"],
    ["sboms.tar", "SBOM content"],
    ["images/index.json", "org.opencontainers.image.ref.name"],
    ["images/oci-layout", "imageLayoutVersion"],
    ["a layer", "not really a layer"],
    ["a config", '"rootfs"'],
    ["a manifest", '"layers"'],
    ["a header of the outer tar", "zarf.yaml\0"],
  ];
  for (const [name, needle] of parts) {
    await t.step(name, async () => {
      const at = positionOf(bytes, needle) + needle.length - (needle.endsWith(" ") ? 0 : 1);
      const error = await refusal(flipBit(bytes, at), "tar");
      assert(error.message.includes(": "), error.message);
    });
  }
});

Deno.test("one flipped bit anywhere in the compressed file is found", async (t) => {
  const bytes = buildPackage({
    images: [{ ...SAMPLE, layers: [{ size: 400_000, seed: 2 }] }],
  });
  // From the first block on: the header before it holds a window size with room to spare.
  for (let at = 8; at < bytes.length; at += Math.floor(bytes.length / 24)) {
    await t.step(`byte ${at} of ${bytes.length}`, async () => {
      await refusal(flipBit(bytes, at));
    });
  }
});
