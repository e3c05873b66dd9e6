import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { gitFolderName, gitRepositoryName } from "../refs/mod.ts";
import { exec, type ExecResult } from "../std/mod.ts";
import { GIT_FAILPOINTS } from "./failpoints.ts";
import { Clone, GIT, git } from "../../test/fakes/git.ts";

const URL_ = "https://git.example.com/team/shop.git";
const CHILD = new URL("./repositories_test_child.ts", import.meta.url).pathname;
/** How often each place is passed in one run of the child, at most. */
const PASSES = 3;

/** Two packages' clones: a branch that both have, a tag that only the first one has. */
async function prepare(directory: string): Promise<string> {
  const one = await Clone.make(`${directory}/1/${gitFolderName(URL_)}`);
  await one.git("tag", "v1");
  await one.git("branch", "a/b");
  const two = await Clone.make(`${directory}/2/${gitFolderName(URL_)}`);
  await two.git("branch", "a");
  return await two.commit("second");
}

function run(directory: string, failpoint = ""): Promise<ExecResult> {
  return exec(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", CHILD, GIT.git, directory, URL_],
    env: { ...Deno.env.toObject(), HOLDFAST_FAILPOINT: failpoint },
    timeout: 60_000,
    group: true,
  });
}

async function assertServed(directory: string, tip: string, hint: string): Promise<void> {
  const repository = `${directory}/data/git/${gitRepositoryName(URL_)}.git`;
  const references = await git(repository, "for-each-ref", "--format=%(refname)");
  assert.deepEqual(
    references.split("\n").filter((name) => !name.startsWith("refs/packages/")),
    ["refs/heads/a", "refs/heads/main"],
    hint,
  );
  assert.equal(await git(repository, "rev-parse", "main"), tip, hint);
  assert.doesNotMatch(references, /1111/, hint);
  await git(repository, "fsck", "--full", "--strict");
}

for (const name of GIT_FAILPOINTS) {
  Deno.test(`after a kill at ${name} the next run comes to the same repository`, () =>
    withDirectory(async (directory) => {
      const tip = await prepare(directory);
      let killed = 0;
      for (let pass = 1; pass <= PASSES; pass++) {
        const { code, stderr } = await run(directory, `${name}:${pass}`);
        assert.ok(code === 0 || code === 137, stderr);
        killed += code === 0 ? 0 : 1;
        const { code: ended, stderr: said } = await run(directory);
        assert.equal(ended, 0, said);
        await assertServed(directory, tip, `${name}:${pass}`);
        if (pass < PASSES && killed < 1) break;
        await Deno.remove(`${directory}/data`, { recursive: true });
      }
      assert.ok(killed >= 1, "it is passed");
    }));
}

Deno.test("what a git that was killed has left behind does not stand in the way", () =>
  withDirectory(async (directory) => {
    const tip = await prepare(directory);
    assert.equal((await run(directory, "git.published:1")).code, 137);
    const repository = `${directory}/data/git/${gitRepositoryName(URL_)}.git`;
    await git(repository, "branch", "tmp_kept", "main");
    for (
      const path of ["HEAD", "packed-refs", "config", "refs/heads/main", "refs/tags/v1", "shallow"]
    ) {
      Deno.writeTextFileSync(`${repository}/${path}.lock`, "");
    }
    Deno.writeTextFileSync(`${repository}/objects/pack/tmp_pack_123456`, "half of a pack");
    const { code, stderr } = await run(directory);
    assert.equal(code, 0, stderr);
    await assertServed(directory, tip, "after locks");
    assert.throws(() => Deno.statSync(`${repository}/objects/pack/tmp_pack_123456`));
  }));
