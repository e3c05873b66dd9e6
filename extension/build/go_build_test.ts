import assert from "node:assert/strict";
import { ensureTool, ToolError, type ToolSpec } from "./go_build.ts";

const SPEC: ToolSpec = { name: "hello", module: "hello", package: ".", cpuMinutes: 1 };
const SOURCE = `package main

import "fmt"

var word = "unset"

func main() { fmt.Println("hello", word) }
`;

/** A root with one small Go module, and an empty cache. */
async function withModule(see: (root: string, cache: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/hello`);
    await Deno.writeTextFile(`${root}/hello/go.mod`, "module example.test/hello\n\ngo 1.26.0\n");
    await Deno.writeTextFile(`${root}/hello/main.go`, SOURCE);
    await see(root, `${root}/cache`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function output(binary: string): Promise<string> {
  return new TextDecoder().decode((await new Deno.Command(binary).output()).stdout);
}

Deno.test("a tool is built once, and again only when something that goes into it changes", async () => {
  await withModule(async (root, cache) => {
    const said: string[] = [];
    const ensure = (spec = SPEC) => ensureTool(spec, (line) => said.push(line), { root, cache });
    const first = await ensure();
    assert.equal(await output(first), "hello unset\n");
    assert.match(said[0] ?? "", /^building hello \(about 1 CPU minutes/);
    const lines = said.length;

    await Deno.writeTextFile(`${root}/hello/README`, "not part of the build");
    assert.equal(await ensure(), first);
    assert.equal(said.length, lines, "nothing was built");

    const variable = await ensure({ ...SPEC, variables: { "main.word": "world" } });
    assert.equal(await output(variable), "hello world\n");
    await Deno.writeTextFile(`${root}/hello/main.go`, SOURCE.replace("hello", "good day"));
    assert.equal(await output(await ensure()), "good day unset\n");
    assert.equal(await output(first), "hello unset\n", "the old build is still there");
  });
});

Deno.test("a build tag chooses between files", async () => {
  await withModule(async (root, cache) => {
    const tagged = '//go:build tagged\n\npackage main\n\nfunc init() { word = "tagged" }\n';
    await Deno.writeTextFile(`${root}/hello/tagged.go`, tagged);
    const ensure = (spec: ToolSpec) => ensureTool(spec, () => {}, { root, cache });
    assert.equal(await output(await ensure(SPEC)), "hello unset\n");
    assert.equal(await output(await ensure({ ...SPEC, tags: "other,tagged" })), "hello tagged\n");
  });
});

Deno.test("two that ask at once build once and get the same file", async () => {
  await withModule(async (root, cache) => {
    const said: string[] = [];
    const ensure = () => ensureTool(SPEC, (line) => said.push(line), { root, cache });
    const paths = await Promise.all([ensure(), ensure()]);
    assert.equal(paths[0], paths[1]);
    assert.equal(said.filter((line) => line.startsWith("building")).length, 1);
  });
});

Deno.test("a few builds of a tool are kept, older ones are removed", async () => {
  await withModule(async (root, cache) => {
    const ensure = (word: string) =>
      ensureTool({ ...SPEC, variables: { "main.word": word } }, () => {}, { root, cache });
    for (const word of ["1", "2", "3", "4"]) await ensure(word);
    const builds = [...Deno.readDirSync(`${cache}/tools/hello`)].filter((e) => e.isDirectory);
    assert.equal(builds.length, 3);
  });
});

Deno.test("a build that fails says what the compiler said and leaves nothing", async () => {
  await withModule(async (root, cache) => {
    await Deno.writeTextFile(
      `${root}/hello/main.go`,
      "package main\n\nfunc main() { nonsense() }\n",
    );
    await assert.rejects(ensureTool(SPEC, () => {}, { root, cache }), (error) => {
      assert.ok(error instanceof ToolError);
      assert.equal(error.reason, "ToolBuildFailed");
      assert.match(error.message, /undefined: nonsense/);
      return true;
    });
    assert.deepEqual([...Deno.readDirSync(`${cache}/tools/hello`)].map((e) => e.name), ["lock"]);
  });
});
