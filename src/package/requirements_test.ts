import assert from "node:assert/strict";
import { compareVersions } from "../std/mod.ts";
import { CLI_VERSION } from "../zarf/mod.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { refusal } from "../../test/fixtures/refusal.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import type { JsonValue } from "./json.ts";
import { checkVersionRequirements, COMPATIBLE_ZARF } from "./requirements.ts";

const needing = (...versionRequirements: JsonValue[]) => ({ build: { versionRequirements } });
const need = (version: string, reason = "") => ({ version, reason });

Deno.test("the Zarf that packages are read like is the one that is written into the cluster", () => {
  assert.equal(COMPATIBLE_ZARF, CLI_VERSION);
});

/** What Zarf itself adds (Zarf 0.84, src/pkg/packager/assemble and layout/package.go), and edges. */
const MET: readonly (readonly [string, Parameters<typeof checkVersionRequirements>[0]])[] = [
  ["no build", {}],
  ["none", { build: {} }],
  ["an empty list", needing()],
  ["those that Zarf 0.84 writes", needing(need("v0.65.0"), need("v0.77.0"), need("v0.78.0"))],
  ["the same version", needing(need(COMPATIBLE_ZARF, "exact"))],
  ["the same without a v", needing(need("0.84.0"))],
  ["the same with build metadata", needing(need("v0.84.0+fips"))],
  ["a prerelease of it", needing(need("v0.84.0-rc1"))],
  ["less than a whole version", needing(need("v0.84"), need("0"))],
  // The definition's own schema refuses these two.
  ["something else than a list", { build: { versionRequirements: "v9.0.0" } }],
  ["something else than a requirement", { build: { versionRequirements: ["v9.0.0"] } }],
];

for (const [name, raw] of MET) {
  Deno.test(`a package with these requirements is read: ${name}`, () => {
    checkVersionRequirements(raw);
  });
}

const UNMET: readonly (readonly [PackageErrorReason, RegExp, ...JsonValue[]])[] = [
  [
    "UnsupportedZarfVersion",
    /^zarf.yaml: the package needs Zarf v0.84.1, this reader is compatible with v0.84.0: new charts$/,
    need("v0.84.1", "new charts"),
  ],
  ["UnsupportedZarfVersion", /needs Zarf 1, .* with v0.84.0$/, need("1")],
  ["UnsupportedZarfVersion", /v0.85.0-rc1/, need("v0.85.0-rc1")],
  ["UnsupportedZarfVersion", /v0.100.0/, need("v0.100.0")],
  [
    "UnsupportedZarfVersion",
    /needs Zarf v0.91.0-rc.2, .*: one; two; three$/,
    ...[need("v0.90.0", "one"), need("v0.60.0", "old"), need("v0.91.0-rc.2", "two")],
    ...[need("v0.91.0-rc.1", "three"), need("v0.85.0")],
  ],
  [
    "InvalidDefinition",
    /versionRequirements\.0\.version: "latest" is not a version/,
    need("latest"),
  ],
  ["InvalidDefinition", /versionRequirements\.0\.version: "" is not a version/, need("")],
  [
    "InvalidDefinition",
    /versionRequirements\.1\.version: "0.84.0.1" is not/,
    ...[need("v9.0.0", "new"), need("0.84.0.1")],
  ],
];

for (const [reason, message, ...requirements] of UNMET) {
  Deno.test(`a package with these requirements is refused: ${JSON.stringify(requirements)}`, () => {
    assert.throws(() => checkVersionRequirements(needing(...requirements)), (error) => {
      assert(error instanceof PackageError, String(error));
      assert.equal(error.reason, reason);
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("a requirement's reason does not make a message without end", () => {
  const raw = needing(...Array.from({ length: 100 }, () => need("v9.0.0", "why ".repeat(100))));
  assert.throws(() => checkVersionRequirements(raw), (error) => {
    assert(error instanceof PackageError);
    return error.message.length < 1200;
  });
});

Deno.test("a package for a newer Zarf is refused for that, whatever else it holds", async () => {
  const error = await refusal(buildPackage({
    hooks: {
      definition(definition) {
        definition.build["versionRequirements"] = [need("v1.2.0", "It has a new kind")];
        definition["kind"] = "ZarfNewConfig";
      },
    },
  }));
  assert.equal(error.reason, "UnsupportedZarfVersion");
  assert.match(error.message, /v1\.2\.0.*v0\.84\.0: It has a new kind$/);
  assert.match(error.remedy ?? "", /update Holdfast/);
  assert((compareVersions("v1.2.0", COMPATIBLE_ZARF) ?? 0) > 0);
});

Deno.test("a requirement that cannot be one is refused by its place", async () => {
  for (const requirements of ["v0.1.0", [{ reason: "no version" }], [["v0.1.0"]]]) {
    const error = await refusal(buildPackage({
      hooks: { definition: ({ build }) => void (build["versionRequirements"] = requirements) },
    }));
    assert.equal(error.reason, "InvalidDefinition");
    assert.match(error.message, /build\.versionRequirements/);
  }
});
