import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { exec } from "../std/mod.ts";
import { besideExecutable, findGit, findTools, postRendererCommand, ToolsError } from "./tools.ts";

Deno.test("helm is found in the directory of the tools", () =>
  withDirectory((dir) => {
    Deno.writeTextFileSync(`${dir}/helm`, "");
    assert.deepEqual(findTools(dir), { helm: `${dir}/helm` });
  }));

Deno.test("a tool that is missing is named, with what to do, and worth another look", () =>
  withDirectory((dir) => {
    Deno.mkdirSync(`${dir}/other/helm`, { recursive: true });
    for (const directory of [dir, `${dir}/nowhere`, `${dir}/other`]) {
      assert.throws(() => findTools(directory), (error) => {
        assert(error instanceof ToolsError);
        assert.equal(error.disposition, "wait");
        assert.equal(error.message, `${directory}/helm is not there`);
        assert.match(error.remedy ?? "", /--tools-dir/);
        return true;
      });
    }
    assert.throws(() => findTools(undefined), /tools\/helm is not there/);
  }));

Deno.test("git is the one of the tools, or else the machine's", () =>
  withDirectory((dir) => {
    for (const each of ["tools", "first/git", "second"]) {
      Deno.mkdirSync(`${dir}/${each}`, { recursive: true });
    }
    const path = `${dir}/nowhere:relative:${dir}/first:${dir}/second`;
    assert.equal(findGit(`${dir}/tools`, path), undefined);
    Deno.writeTextFileSync(`${dir}/second/git`, "");
    assert.deepEqual(findGit(`${dir}/tools`, path), { git: `${dir}/second/git` });
    Deno.writeTextFileSync(`${dir}/tools/git`, "");
    assert.deepEqual(findGit(`${dir}/tools`, path), { git: `${dir}/tools/git` });
    const execPath = `${dir}/tools/libexec/git-core`;
    Deno.mkdirSync(execPath, { recursive: true });
    assert.deepEqual(findGit(`${dir}/tools`, path), { git: `${dir}/tools/git`, execPath });
  }));

Deno.test("what lies beside the executable is found there, if it is a directory", () => {
  const directory = Deno.execPath().replace(/\/[^/]*$/, "");
  const beside = [...Deno.readDirSync(directory)];
  for (const { name, isDirectory, isSymlink } of beside.slice(0, 20)) {
    if (isSymlink) continue;
    assert.equal(besideExecutable(name), isDirectory ? `${directory}/${name}` : undefined);
  }
  assert.equal(besideExecutable("no-such-directory"), undefined);
});

Deno.test("the post-renderer's command is this program, and runs", async () => {
  const { command, args } = postRendererCommand();
  assert.equal(command, Deno.execPath());
  assert.equal(args.at(-1), "post-render");
  const env = { HOME: Deno.env.get("HOME") ?? "/", DENO_NO_UPDATE_CHECK: "1" };
  const { stderr } = await exec(command, { args, env, timeout: 60_000 });
  assert.match(stderr, /^holdfast: /, "it is reached, and misses what Helm's caller gives it");
});
