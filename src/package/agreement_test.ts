import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { refusal } from "../../test/fixtures/refusal.ts";
import { checkAgreement } from "./agreement.ts";
import { PackageError } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { readPackage } from "./mod.ts";

/** The two documents that Zarf 0.84 writes for a package in v1beta1. */
const ALPHA: JsonObject = {
  apiVersion: "zarf.dev/v1alpha1",
  kind: "ZarfPackageConfig",
  metadata: { name: "beta", version: "0.0.1", architecture: "amd64", aggregateChecksum: "abc" },
  build: {
    architecture: "amd64",
    signed: false,
    flavor: "plain",
    versionRequirements: [{ version: "v0.68.0", reason: "archives" }],
    provenanceFiles: ["checksums.txt"],
  },
  components: [
    {
      name: "one",
      required: true,
      images: ["a:1"],
      imageArchives: [{ path: "p", images: ["b:1"] }],
    },
    { name: "two", manifests: [{ name: "m", noWait: true }] },
  ],
};
const BETA: JsonObject = {
  apiVersion: "zarf.dev/v1beta1",
  kind: "ZarfPackageConfig",
  metadata: { name: "beta", version: "0.0.1", architecture: "amd64" },
  build: {
    architecture: "amd64",
    signed: false,
    flavor: "plain",
    versionRequirements: [{ version: "v0.68.0", reason: "archives" }],
    provenanceFiles: ["checksums.txt"],
    aggregateChecksum: "abc",
  },
  components: [
    {
      name: "one",
      images: [{ name: "a:1", source: "daemon" }],
      imageArchives: [{ path: "p", images: ["b:1"] }],
    },
    { name: "two", optional: true, manifests: [{ name: "m", skipWait: true }] },
  ],
};

Deno.test("the two documents that Zarf writes of one package agree", () => {
  checkAgreement(ALPHA, BETA);
  checkAgreement({}, {});
});

/** A copy of v1beta1's document with one value changed. */
function beta(path: string, value: unknown): JsonObject {
  const copy = structuredClone(BETA);
  const keys = path.split(".");
  const last = keys.pop() ?? assert.fail();
  let target: Record<string, unknown> = copy;
  for (const key of keys) target = target[key] as Record<string, unknown>;
  if (value === undefined) delete target[last];
  else target[last] = value;
  return copy;
}

const CONTRADICTIONS: readonly (readonly [string, unknown, string])[] = [
  ["metadata.name", "other", "metadata.name"],
  ["metadata.name", undefined, "metadata.name"],
  ["metadata.version", "0.0.2", "metadata.version"],
  ["metadata.architecture", "arm64", "metadata.architecture"],
  ["build.architecture", "arm64", "build.architecture"],
  ["build.aggregateChecksum", "def", "metadata.aggregateChecksum"],
  ["build.aggregateChecksum", undefined, "metadata.aggregateChecksum"],
  ["build.flavor", "vanilla", "build.flavor"],
  ["build.differentialPackageVersion", "0.0.0", "build.differentialPackageVersion"],
  ["build.signed", true, "build.signed"],
  ["build.versionRequirements", [{ version: "v9.0.0" }], "build.versionRequirements"],
  ["build.provenanceFiles", ["evil.txt"], "build.provenanceFiles"],
  ["components", [], "components"],
  ["components.0.name", "uno", "components"],
  ["components.0.optional", true, "components"],
  ["components.1.optional", undefined, "components"],
  ["components.0.images", [{ name: "a:2" }], "components"],
  ["components.0.images", ["a:1"], "components"],
  ["components.0.imageArchives", undefined, "components"],
  ["components", "one", "components"],
];

for (const [path, value, what] of CONTRADICTIONS) {
  Deno.test(`${path}: ${JSON.stringify(value)} in v1beta1 alone is a contradiction`, () => {
    assert.throws(() => checkAgreement(ALPHA, beta(path, value)), (error) => {
      assert(error instanceof PackageError);
      assert.equal(error.reason, "InvalidDefinition");
      assert(error.message.endsWith(` document contradict each other: ${what}`), error.message);
      return true;
    });
  });
}

/** Writes a package's definition twice, the second time in v1beta1. */
const both = (change: (beta: JsonObject) => void = () => {}) => ({
  definitionText: (text: string) => {
    const checksum = /aggregateChecksum: (\w+)/.exec(text)?.[1] ?? assert.fail();
    const second: JsonObject = {
      apiVersion: "zarf.dev/v1beta1",
      kind: "ZarfPackageConfig",
      metadata: { name: "sample", version: "1.0.0", architecture: "amd64" },
      build: {
        architecture: "amd64",
        signed: false,
        provenanceFiles: ["checksums.txt"],
        aggregateChecksum: checksum,
      },
      components: [{ name: "web", images: [{ name: "docker.io/library/sample:1.0" }] }],
    };
    change(second);
    return `${text}---\n${dump(second)}`;
  },
});

Deno.test("a package with both documents is read, and refused where they contradict", async () => {
  const options = { format: "tar.zst", architecture: "amd64", sink: new MemorySink() } as const;
  const { definition } = await readPackage(sourceOf(buildPackage({ hooks: both() })), options);
  assert.equal(definition.components[0]?.required, true);
  const hooks = both((second) => void (second["metadata"] = { name: "other" }));
  const error = await refusal(buildPackage({ hooks }));
  assert.equal(error.reason, "InvalidDefinition");
  assert.match(error.message, /contradict each other: metadata.name/);
});
