import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { everyField, notMigrated } from "../../test/fixtures/every_field.ts";
import {
  buildPackage,
  packageEntries,
  type PackageHooks,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { type OciManifest, ociManifest, type PackageFile, readPackage } from "./mod.ts";
import { readDocuments } from "./documents.ts";
import { unknownFields } from "./unknown_fields.ts";

const PACKAGES = new URL("../../test/fixtures/packages/", import.meta.url);

/** The manifest of a package that was read. */
async function manifestOf(bytes: Uint8Array, format: "tar" | "tar.zst" = "tar.zst") {
  const files: PackageFile[] = [];
  const sink = new MemorySink();
  const onFile = (file: PackageFile) => void files.push(file);
  await readPackage(sourceOf(bytes), { format, sink, onFile });
  return ociManifest(files, sink.files.get("zarf.yaml")?.content ?? assert.fail());
}

/** The manifest of a package that need not be acceptable. */
function manifestWith(hooks: PackageHooks): OciManifest {
  const files = packageEntries({ hooks }).flatMap(({ name, content }) => {
    if (content === undefined) return [];
    assert(typeof content === "string" || content instanceof Uint8Array);
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    return [{ path: name, size: bytes.length, digest: digestOf(bytes), bytes }];
  });
  const yaml = files.find(({ path }) => path === "zarf.yaml") ?? assert.fail();
  return ociManifest(files, yaml.bytes);
}

/* What `zarf package inspect digest` of Zarf 0.84 prints. */
const PRINTED_BY_ZARF: Readonly<Record<string, string>> = {
  "zarf-package-app-chart-amd64-1.2.3.tar.zst":
    "sha256:2436c65319603b3c7ecdb5b942146055d340a54a37d73041ef0737654d7e2527",
  "zarf-package-app-signed-amd64-1.0.0.tar.zst":
    "sha256:d977d518701c81996d98e08bc9c993291a0194d529702b78ae408db8b6e9a940",
  "zarf-package-app-small-amd64-0.0.1.tar.zst":
    "sha256:be13de3b6dd6c15cab0e55a2860254694cbb97823041bfdbce73f90372fd422f",
  "zarf-package-test-amd64-0.0.1.tar.zst":
    "sha256:02b4fefb7469b1c156894198e44f804b647ffdc38e160624023d4897eb78401f",
  "zarf-package-test-uncompressed-amd64-0.0.1.tar":
    "sha256:260f7777f0e474617a0864cf6102384b7fc5a2d2b7dbdd83679740c12375b8a0",
};

for (const [name, printed] of Object.entries(PRINTED_BY_ZARF)) {
  Deno.test(`${name} has the digest that Zarf gives it`, async () => {
    const bytes = await Deno.readFile(new URL(name, PACKAGES));
    const manifest = await manifestOf(bytes, name.endsWith(".tar") ? "tar" : "tar.zst");
    assert.equal(manifest.digest, printed);
    assert.equal(digestOf(manifest.json), printed);
  });
}

Deno.test("a definition with every field and awkward text has the digest that Zarf gives it", () => {
  assert.equal(
    manifestWith(everyField).digest,
    "sha256:bebe80f0fd6493fe36e18f2d583958b9a539e3fe3b7d41d4df8f3dc9de44672e",
  );
});

Deno.test("every field of Zarf's is known", () => {
  const yaml = packageEntries({ hooks: everyField }).find(({ name }) => name === "zarf.yaml");
  const { alpha } = readDocuments(new TextEncoder().encode(String(yaml?.content)), 1 << 20);
  assert.deepEqual(unknownFields(alpha), []);
});

Deno.test("the manifest is one that a registry takes: config, and every file as a layer", async () => {
  const { json } = await manifestOf(buildPackage());
  const manifest = JSON.parse(json);
  assert.equal(manifest.config.mediaType, "application/vnd.zarf.config.v1+json");
  const titles = manifest.layers.map(({ annotations }: { annotations: Record<string, string> }) =>
    annotations["org.opencontainers.image.title"]
  );
  for (const file of ["zarf.yaml", "checksums.txt", "components/web.tar", "images/index.json"]) {
    assert(titles.includes(file), file);
  }
  const digests = manifest.layers.map(({ digest }: { digest: string }) => digest);
  assert.deepEqual(digests, digests.toSorted());
  assert.equal(
    manifest.annotations["org.opencontainers.image.created"],
    "2026-11-22T15:15:06Z",
  );
});

const created: readonly (readonly [unknown, string])[] = [
  ["Sun, 22 Nov 2026 15:15:06 +0200", "2026-11-22T13:15:06Z"],
  ["Mon, 01 Jan 2024 00:00:00 -0330", "2024-01-01T03:30:00Z"],
  ["2026-11-22T15:15:06Z", "0001-01-01T00:00:00Z"],
  ["Sun, 22 Nov 2026 15:15:06 GMT", "0001-01-01T00:00:00Z"],
  ["", "0001-01-01T00:00:00Z"],
];

for (const [timestamp, annotation] of created) {
  Deno.test(`built at ${JSON.stringify(timestamp)} is created at ${annotation}`, () => {
    const { json } = manifestWith({ definition: ({ build }) => build["timestamp"] = timestamp }) ??
      assert.fail();
    assert.equal(JSON.parse(json).annotations["org.opencontainers.image.created"], annotation);
  });
}

Deno.test("what Zarf clears because it was migrated does not count", () => {
  const plain = manifestWith({ definition: () => {} });
  const deprecated = manifestWith({
    definition: ({ components }) => {
      Object.assign(components[0] ?? {}, { scripts: { before: ["true"] } });
    },
  });
  const configOf = ({ json }: OciManifest) => JSON.parse(json).config.digest;
  assert.equal(configOf(deprecated), configOf(plain));
});

Deno.test("an old definition is migrated first, as Zarf does, and has the digest that Zarf gives it", () => {
  assert.equal(
    manifestWith(notMigrated).digest,
    "sha256:efdf24e209b2b69c4f6fb643c6bdcbe3b24101e23f9168f18921555bc515ddc1",
  );
});

Deno.test("what an author wrote as v1beta1 has nothing to migrate", () => {
  const configOf = (more: string) => {
    const { json } = manifestWith({
      definition: ({ build }) => void delete build["migrations"],
      definitionText: (text) => text + more,
    });
    return JSON.parse(json).config.size;
  };
  const beta = "---\napiVersion: zarf.dev/v1beta1\nkind: ZarfPackageConfig\n";
  const recorded = ',"migrations":["scripts-to-actions","pluralize-set-variable"]'.length;
  assert.equal(configOf(""), configOf(beta) + recorded);
});
