import assert from "node:assert/strict";
import { bundleTest } from "../../test/build/bundle_test_case.ts";
import { withDirectory } from "../../test/fakes/testing.ts";
import { bundle, BundleError } from "./bundle.ts";

/** A program with a worker. */
async function program(dir: string, text: string): Promise<void> {
  await Deno.mkdir(`${dir}/src`, { recursive: true });
  await Deno.writeTextFile(`${dir}/main.ts`, text);
  await Deno.writeTextFile(`${dir}/src/count_worker.ts`, "self.postMessage(1);\n");
}

function bundled(dir: string, version = "1.0.0") {
  return bundle({
    entry: `${dir}/main.ts`,
    sources: `${dir}/src`,
    output: `${dir}/out`,
    version,
  });
}

const SOURCE = "declare const HOLDFAST_VERSION: string;\nconsole.log(HOLDFAST_VERSION);\n";

bundleTest(
  "a bundle that is there already is left for those who read it, another takes its place",
  async () => {
    await withDirectory(async (dir) => {
      await program(dir, SOURCE);
      const { main } = await bundled(dir);
      const { ino } = await Deno.stat(main);
      await bundled(dir);
      assert.equal((await Deno.stat(main)).ino, ino);
      await bundled(dir, "2.0.0");
      assert.match(await Deno.readTextFile(main), /console\.log\("2\.0\.0"\)/);
      await Deno.remove(`${dir}/src/count_worker.ts`);
      await bundled(dir, "2.0.0");
      assert.deepEqual([...Deno.readDirSync(`${dir}/out`)].map(({ name }) => name), ["main.js"]);
    });
  },
);

bundleTest("source that cannot be read is refused, and the bundle from before stays", async () => {
  await withDirectory(async (dir) => {
    await program(dir, SOURCE);
    const { main } = await bundled(dir);
    await program(dir, "this is no program");
    await assert.rejects(bundled(dir), BundleError);
    assert.match(await Deno.readTextFile(main), /1\.0\.0/);
    assert.equal([...Deno.readDirSync(dir)].some(({ name }) => name.endsWith(".tmp")), false);
  });
});
