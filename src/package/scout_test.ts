import assert from "node:assert/strict";
import {
  buildPackage,
  flipBit,
  type PackageSpec,
  positionOf,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, SeekableSource, sourceOf } from "../../test/fixtures/package_sink.ts";
import { keyPair, signed } from "../../test/fixtures/sign_package.ts";
import {
  type ByteSource,
  type PackageContents,
  PackageError,
  type PackageScout,
  parseTrustedKeys,
  readPackage,
  scoutPackage,
  type TrustedKey,
} from "./mod.ts";

const FIXTURES = new URL("../../test/fixtures/", import.meta.url);
const PACKAGES = new URL("packages/", FIXTURES);
const ORAS = new URL("images-testdata/oras-oci-layout/images", FIXTURES).pathname;

type Format = "tar" | "tar.zst";

function scout(
  source: ByteSource | Uint8Array,
  format: Format = "tar.zst",
  trust: readonly TrustedKey[] = [],
): Promise<PackageScout> {
  const bytes = source instanceof Uint8Array ? sourceOf(source) : source;
  return scoutPackage(bytes, { format, architecture: "amd64", trust });
}

async function read(
  bytes: Uint8Array,
  format: Format,
): Promise<{ contents: PackageContents; fileBytes: number }> {
  const sink = new MemorySink();
  const contents = await readPackage(sourceOf(bytes), { format, architecture: "amd64", sink });
  const sizes = [...sink.files.values()].map(({ content }) => content.length);
  return { contents, fileBytes: sizes.reduce((a, b) => a + b, 0) };
}

async function refused(scouting: Promise<unknown>): Promise<PackageError> {
  const error = await scouting.then(() => assert.fail("accepted"), (error) => error);
  assert(error instanceof PackageError, String(error));
  return error;
}

/** The scout and the reader say the same of a good package. */
async function agree(bytes: Uint8Array, format: Format): Promise<void> {
  const { contents, fileBytes } = await read(bytes, format);
  const { images: _, manifests: __, bytes: ___, ...rest } = contents;
  const expected = { ...rest, fileBytes };
  for (const source of [sourceOf(bytes), sourceOf(bytes, 997), new SeekableSource(bytes)]) {
    assert.deepEqual(await scout(source, format), { ...expected, archiveBytes: bytes.length });
  }
}

for (const { name } of Deno.readDirSync(PACKAGES)) {
  if (!/\.tar(\.zst)?$/.test(name)) continue;
  Deno.test(`the scout says of ${name} what the reader says`, async () => {
    await agree(
      await Deno.readFile(new URL(name, PACKAGES)),
      name.endsWith(".tar") ? "tar" : "tar.zst",
    );
  });
}

const GOOD: readonly (readonly [string, PackageSpec])[] = [
  ["nothing special", {}],
  ["no images and no files", { images: [], components: [{ name: "web" }] }],
  ["artifacts and several names of one image", { layouts: [ORAS] }],
  ["a signature", { hooks: signed(keyPair()) }],
  ["an old signature", { hooks: signed(keyPair(), { form: "legacy" }) }],
  ["zarf.yaml first and the list last", {
    hooks: { entries: (all) => all.filter(({ type }) => type !== "directory").reverse() },
  }],
  ["large files beside and inside components", {
    files: { "sboms.tar": { size: 300_000, seed: 1 }, "values.yaml": "a: 1\n" },
    components: [{
      name: "web",
      files: { "files/0/large": new Uint8Array(500_000), "files/1/empty": "" },
      entries: [{ name: "web/files/2", type: "symlink", linkTarget: "1/empty" }],
    }, { name: "bare" }],
    images: [{ reference: "docker.io/library/a:1", layers: [{ size: 200_000, seed: 2 }] }],
  }],
];

for (const [name, spec] of GOOD) {
  for (const format of ["tar", "tar.zst"] as const) {
    Deno.test(`the scout says what the reader says of a .${format} with ${name}`, async () => {
      await agree(buildPackage({ ...spec, format }), format);
    });
  }
}

Deno.test("of a tar whose source can skip little more than the headers is read", async () => {
  const size = 4_000_000;
  const bytes = buildPackage({
    format: "tar",
    components: [{ name: "web", files: { "files/0/large": new Uint8Array(size) } }],
    files: { "sboms.tar": new Uint8Array(size) },
    images: [{ reference: "docker.io/library/a:1", layers: [new Uint8Array(size)] }],
  });
  const source = new SeekableSource(bytes);
  await scout(source, "tar");
  assert(source.bytesRead < 1_500_000, `${source.bytesRead} of ${bytes.length}`);
});

Deno.test("content that is not what its checksum says is the reader's to find", async () => {
  const bytes = buildPackage({ format: "tar", files: { "sboms.tar": "the bill of materials" } });
  for (const part of ["not really a layer", "the bill of materials", "kind: ConfigMap"]) {
    const damaged = flipBit(bytes, positionOf(bytes, part));
    await scout(damaged, "tar");
    assert.equal((await refused(read(damaged, "tar"))).reason, "ChecksumMismatch");
  }
});

Deno.test("a file that ends early is truncated for the scout too", async () => {
  const layers = [new Uint8Array(1_000_000)];
  for (const format of ["tar", "tar.zst"] as const) {
    const bytes = buildPackage({ format, images: [{ reference: "docker.io/a/b:1", layers }] });
    for (const end of [600, bytes.length >> 1, bytes.length - 600]) {
      const source = new SeekableSource(bytes.subarray(0, end));
      assert.equal((await refused(scout(source, format))).reason, "Truncated");
    }
  }
  assert.equal((await refused(scout(new Uint8Array()))).reason, "EmptyFile");
});

const ours = keyPair();
const other = keyPair();
const TRUST: readonly (readonly [string, PackageSpec["hooks"], string | undefined])[] = [
  ["a bundle of ours", signed(ours), undefined],
  ["an old signature of ours", signed(ours, { form: "legacy" }), undefined],
  ["nothing", {}, "Unsigned"],
  ["a signature that the definition denies", signed(ours, { says: false }), "Unsigned"],
  ["a signature of another key", signed(other), "SignatureInvalid"],
  [
    "a signature over something else",
    signed(ours, { tamper: (y) => `${y}# \n` }),
    "SignatureInvalid",
  ],
  ["something that is no signature", {
    entries: (all) => [...all, { name: "zarf.bundle.sig", content: "{}" }],
  }, "SignatureUnreadable"],
];

for (const [name, hooks = {}, reason] of TRUST) {
  Deno.test(`with keys the scout judges a package with ${name}`, async () => {
    const bytes = buildPackage({ hooks });
    if (reason !== undefined) {
      return assert.equal((await refused(scout(bytes, "tar.zst", [ours.trusted]))).reason, reason);
    }
    const { trust } = await scout(bytes, "tar.zst", [ours.trusted]);
    assert.deepEqual(trust, { state: "Verified", signedBy: ours.trusted.fingerprint });
  });
}

Deno.test("what the real zarf signed is verified by the scout", async () => {
  const keys = parseTrustedKeys(Deno.readTextFileSync(new URL("app-signed.pub", PACKAGES)));
  const name = "zarf-package-app-signed-amd64-1.0.0.tar.zst";
  const { trust } = await scout(await Deno.readFile(new URL(name, PACKAGES)), "tar.zst", keys);
  assert.deepEqual(trust, { state: "Verified", signedBy: keys[0]?.fingerprint });
});

Deno.test("a definition that nobody trusted signed is refused before it is parsed", async () => {
  const bytes = buildPackage({ hooks: { definitionText: () => "a: [" } });
  assert.equal((await refused(scout(bytes, "tar.zst", [ours.trusted]))).reason, "Unsigned");
  assert.equal((await refused(scout(bytes))).reason, "InvalidDefinition");
});

const index = (spec: PackageSpec): PackageSpec => ({
  ...spec,
  hooks: {
    index: ({ manifests }) => {
      const [first] = manifests;
      manifests.push({ ...first, mediaType: "application/vnd.oci.image.index.v1+json" });
    },
  },
});

const ARCHITECTURES: readonly (readonly [string, PackageSpec, boolean])[] = [
  ["of the node", { architecture: "amd64" }, true],
  ["of all", { architecture: "multi" }, true],
  ["of another, with images", { architecture: "arm64" }, false],
  ["of another, without images", { architecture: "arm64", images: [] }, true],
  ["of another, with an index", index({ architecture: "arm64" }), true],
  ["of none, with images", { architecture: "" }, false],
  ["of a skeleton", { architecture: "skeleton", images: [] }, false],
];

for (const [name, spec, accepted] of ARCHITECTURES) {
  Deno.test(`a package ${name} is ${accepted ? "let through" : "refused"} by the scout`, async () => {
    const scouting = scout(buildPackage(spec));
    if (accepted) assert.equal((await scouting).definition.architecture, spec.architecture);
    else assert.equal((await refused(scouting)).reason, "ArchitectureMismatch");
  });
}

Deno.test("what can be refused by the definition alone is refused by the scout", async (t) => {
  const cases: readonly (readonly [string, PackageSpec, string])[] = [
    ["a newer Zarf", {
      hooks: {
        definition: ({ build }) => void (build["versionRequirements"] = [{ version: "v9.9.9" }]),
      },
    }, "UnsupportedZarfVersion"],
    [
      "an image's name",
      { components: [{ name: "web", images: ["NOT AN IMAGE"] }] },
      "InvalidDefinition",
    ],
    ["a link out of a component", {
      components: [{
        name: "web",
        entries: [{ name: "web/a", type: "symlink", linkTarget: "../../a" }],
      }],
    }, "UnsafePath"],
  ];
  for (const [name, spec, reason] of cases) {
    await t.step(name, async () => {
      assert.equal((await refused(scout(buildPackage(spec)))).reason, reason);
    });
  }
});

Deno.test("the scout says how far it is, and passes on what the source throws", async () => {
  const bytes = buildPackage({ format: "tar", files: { "sboms.tar": new Uint8Array(3_000_000) } });
  const seen: number[] = [];
  await scoutPackage(new SeekableSource(bytes), {
    format: "tar",
    architecture: "amd64",
    onProgress: (count) => seen.push(count),
  });
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  assert.equal(seen.at(-1), bytes.length);
  const broken = new Error("input/output error");
  const read = () => {
    throw broken;
  };
  await assert.rejects(scout({ size: 9, read }), (error) => error === broken);
});
