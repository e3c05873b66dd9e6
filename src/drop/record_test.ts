import assert from "node:assert/strict";
import { buildPackage, type PackageSpec } from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { keyPair, signed } from "../../test/fixtures/sign_package.ts";
import { type PackageContents, readPackage, type TrustedKey } from "../package/mod.ts";
import { packageRecord } from "./record.ts";

const file = { path: "/media/stick/app.tar", size: 4_711, mtimeNs: 1n, inode: 2n };
const at = new Date("2026-01-02T03:04:05Z");

function contentsOf(
  spec: PackageSpec,
  trust: readonly TrustedKey[] = [],
): Promise<PackageContents> {
  const source = sourceOf(buildPackage({ ...spec, format: "tar" }));
  const sink = new MemorySink();
  return readPackage(source, { format: "tar", architecture: "amd64", sink, trust });
}

Deno.test("a record says what the package is and which file it came from", async () => {
  const contents = await contentsOf({ name: "web", version: "2.0.0" });
  const { images, manifests, blobs, ...rest } = packageRecord(file, contents, at);
  assert.deepEqual(rest, {
    digest: contents.digest,
    name: "web",
    version: "2.0.0",
    architecture: "amd64",
    kind: "ZarfPackageConfig",
    signature: "Unsigned",
    acceptedAt: "2026-01-02T03:04:05.000Z",
    fileName: "app.tar",
    bytes: 4_711,
  });
  assert.deepEqual(images, contents.images);
  assert.deepEqual(manifests, contents.manifests);
  assert.deepEqual(blobs, contents.blobs);
  assert.equal(images[0]?.reference, "docker.io/library/sample:1.0");
});

for (const name of ["zarf.bundle.sig", "zarf.yaml.sig"]) {
  Deno.test(`a signature in ${name} that nobody has checked is called unverified`, async () => {
    const signed = await contentsOf({
      hooks: {
        definition: (definition) => void (definition.build.signed = true),
        entries: (all) => [...all, { name, content: "{}" }],
      },
    });
    const { signature, signedBy } = packageRecord(file, signed, at);
    assert.deepEqual([signature, signedBy], ["Unverified", undefined]);
  });
}

Deno.test("a package that a trusted key signed is recorded with that key", async () => {
  const [ours, other] = [keyPair(), keyPair()];
  const contents = await contentsOf({ hooks: signed(ours) }, [other.trusted, ours.trusted]);
  const { signature, signedBy } = packageRecord(file, contents, at);
  assert.deepEqual([signature, signedBy], ["Verified", ours.trusted.fingerprint]);
});

Deno.test("a package that was built without an architecture has that of its metadata", async () => {
  const contents = await contentsOf({
    hooks: { definition: (definition) => void delete definition.build.architecture },
  });
  assert.equal(packageRecord(file, contents, at).architecture, "amd64");
});

Deno.test("a package without a version has an empty one", async () => {
  const contents = await contentsOf({
    hooks: { definition: (definition) => void delete definition.metadata.version },
  });
  assert.equal(packageRecord(file, contents, at).version, "");
});
