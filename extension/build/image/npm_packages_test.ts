import assert from "node:assert/strict";
import { bundleTest } from "../../../test/build/bundle_test_case.ts";
import { withDirectory } from "../../../test/fakes/testing.ts";
import { bundle } from "../bundle.ts";
import { REPOSITORY_ROOT } from "../go_tools.ts";
import { npmPackages } from "./npm_packages.ts";

bundleTest(
  "the packages that a real bundle holds are found in it, with version and licence",
  async () => {
    await withDirectory(async (dir) => {
      await Deno.mkdir(`${dir}/src`);
      await Deno.writeTextFile(
        `${dir}/src/main.ts`,
        `import { load } from "${REPOSITORY_ROOT}/node_modules/js-yaml/dist/js-yaml.mjs";
import * as v from "${REPOSITORY_ROOT}/node_modules/valibot/dist/index.mjs";
console.log(load, v.parse(v.string(), "x"));`,
      );
      await bundle({
        entry: `${dir}/src/main.ts`,
        sources: `${dir}/src`,
        output: `${dir}/bundle`,
        version: "1",
      });
      const found = await npmPackages(`${dir}/bundle`);
      assert.deepEqual(found.map(({ name }) => name), ["js-yaml", "valibot"]);
      for (const { version, purl, name, license, notice } of found) {
        assert.equal(purl, `pkg:npm/${name}@${version}`);
        assert.equal(license, "MIT");
        assert.match(notice, /Permission is hereby granted/);
      }
    });
  },
);

bundleTest("a package that is not in deno.lock is no package of ours", async () => {
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(
      `${dir}/main.js`,
      "  // node_modules/.deno/left-pad@9.9.9/node_modules/left-pad/index.js\n",
    );
    await assert.rejects(
      npmPackages(dir),
      /left-pad@9\.9\.9 is in the program and not in deno\.lock/,
    );
  });
});
