import assert from "node:assert/strict";
import { DENO_VERSION, DenoVersionError, requireDeno } from "./deno_version.ts";
import { REPOSITORY_ROOT } from "./go_tools.ts";

Deno.test("the pinned Deno may build, another one is told which to take", () => {
  requireDeno(DENO_VERSION);
  assert.throws(() => requireDeno("2.9.6"), (error: unknown) => {
    assert(error instanceof DenoVersionError);
    assert.match(error.message, /Deno 2\.9\.6.*2\.7\.11/);
    assert.match(error.remedy ?? "", /deno@2\.7\.11/);
    return true;
  });
});

Deno.test("every command that is written down takes the pinned Deno", async () => {
  for (const file of [".ci/run", "README.md", "docs/building.md", "docs/demo.md"]) {
    const text = await Deno.readTextFile(`${REPOSITORY_ROOT}/${file}`);
    const versions = [...text.matchAll(/deno@(\S+?)[\s`]/g)].map((match) => match[1]);
    assert(versions.length > 0, file);
    assert.deepEqual(versions.filter((version) => version !== DENO_VERSION), [], file);
  }
});
