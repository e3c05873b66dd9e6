import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { withDirectory } from "../../test/fakes/testing.ts";
import {
  buildPackage,
  flipBit,
  type PackageHooks,
  positionOf,
} from "../../test/fixtures/make_package.ts";
import { EXIT } from "./exit_codes.ts";
import { run, type Said } from "./testing.ts";

const PACKAGES = fileURLToPath(new URL("../../test/fixtures/packages", import.meta.url));
const CHART = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;
const SIGNED = `${PACKAGES}/zarf-package-app-signed-amd64-1.0.0.tar.zst`;

async function inspectWith(what: string, hooks: PackageHooks, ...flags: string[]): Promise<Said> {
  return await withDirectory(async (dir) => {
    await Deno.writeFile(`${dir}/a.tar.zst`, buildPackage({ hooks }));
    return await run("package", "inspect", what, `${dir}/a.tar.zst`, ...flags);
  });
}

Deno.test("the definition is printed as YAML with all its fields, known or not", async () => {
  const { code, out, err } = await inspectWith("definition", {
    definition: ({ metadata }) =>
      void Object.assign(metadata, { unknown: "yes", long: "a ".repeat(99) }),
  });
  assert.deepEqual([code, err], [EXIT.done, ""]);
  const definition = load(out) as { kind: string; metadata: Record<string, unknown> };
  assert.equal(definition.kind, "ZarfPackageConfig");
  assert.deepEqual([definition.metadata["name"], definition.metadata["unknown"]], [
    "sample",
    "yes",
  ]);
  assert.equal(definition.metadata["long"], "a ".repeat(99));
});

Deno.test("as JSON it is the same", async () => {
  const yaml = await run("package", "inspect", "definition", CHART);
  const json = await run("package", "inspect", "definition", CHART, "--output", "json");
  assert.deepEqual(JSON.parse(json.out), load(yaml.out));
});

Deno.test("as a table it is what is known of the package", async () => {
  const key = `--trust-key=${PACKAGES}/app-signed.pub`;
  const { out } = await run("package", "inspect", "definition", SIGNED, key, "-o", "table");
  assert.match(out, /^name +app-signed$/m);
  assert.match(out, /^signature +Verified by b7cdfef8572b7c9b$/m);
  assert.match(out, /^web +always +1 +0 +3$/m);
});

Deno.test("the digest alone is printed, so that it can be compared", async () => {
  const { code, out, err } = await run("package", "inspect", "digest", CHART);
  assert.deepEqual([code, err], [EXIT.done, ""]);
  assert.equal(out, "sha256:2436c65319603b3c7ecdb5b942146055d340a54a37d73041ef0737654d7e2527\n");
});

Deno.test("programs get the agent's digest besides", async () => {
  const { out } = await run("package", "inspect", "digest", CHART, "-o", "yaml");
  assert.deepEqual(load(out), {
    ociDigest: "sha256:2436c65319603b3c7ecdb5b942146055d340a54a37d73041ef0737654d7e2527",
    digest: "sha256:da5a8785c92c4e0fe4f17cb17b8b4a336f01add4113326b003a6258b5cad3bf8",
  });
});

Deno.test("the definition alone is found without the content being hashed", () =>
  withDirectory(async (dir) => {
    const bytes = buildPackage({ format: "tar" });
    const at = positionOf(bytes, "not really a layer");
    await Deno.writeFile(`${dir}/a.tar`, flipBit(bytes, at));
    const definition = await run("package", "inspect", "definition", `${dir}/a.tar`);
    assert.equal(definition.code, EXIT.done, definition.err);
    for (const argv of [["definition", "-o", "table"], ["digest"]]) {
      const { code, err } = await run("package", "inspect", ...argv, `${dir}/a.tar`);
      assert.equal(code, EXIT.refusedPackage);
      assert.match(err, /sha256 is .* but its name says/);
    }
  }));

const commands = [
  "definition",
  "images",
  "manifests",
  "values-files",
  "sbom",
  "documentation",
  "digest",
];

for (const command of commands) {
  Deno.test(`inspect ${command} looks into no package that is damaged or that nobody trusts`, () =>
    withDirectory(async (dir) => {
      const bad = `${dir}/bad.tar.zst`;
      const bytes = await Deno.readFile(SIGNED);
      await Deno.writeFile(bad, bytes.subarray(0, -100));
      const flags = ["sbom", "documentation"].includes(command) ? [`--output-dir=${dir}/out`] : [];
      const damaged = await run("package", "inspect", command, bad, ...flags);
      assert.deepEqual([damaged.code, damaged.out], [EXIT.refusedPackage, ""], damaged.err);
      const key = `--trust-key=${PACKAGES}/app-signed.pub`;
      const distrusted = await run("package", "inspect", command, CHART, key, ...flags);
      assert.deepEqual([distrusted.code, distrusted.out], [EXIT.refusedPackage, ""]);
      assert.match(distrusted.err, /is not signed/);
      const missing = await run("package", "inspect", command, `${dir}/none.tar.zst`, ...flags);
      assert.deepEqual([missing.code, missing.out], [EXIT.failed, ""]);
      if (flags.length > 0) assert.deepEqual([...Deno.readDirSync(`${dir}/out`)], []);
    }));
}

Deno.test("inspect without saying what is wrong use, and lists what there is", async () => {
  const { code, err } = await run("package", "inspect");
  assert.equal(code, EXIT.wrongUse);
  for (const command of commands) assert.match(err, RegExp(`^  ${command} `, "m"));
});
