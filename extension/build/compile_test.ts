import assert from "node:assert/strict";
import { cacheDir } from "./go_tools.ts";
import { bundleTest } from "../../test/build/bundle_test_case.ts";
import { ensureDenort } from "../../test/build/denort.ts";
import { bundle } from "./bundle.ts";
import { compile, CompileError } from "./compile.ts";

const MAIN = `
import { load } from "js-yaml";
declare const HOLDFAST_VERSION: string | undefined;
const known = typeof HOLDFAST_VERSION === "undefined" ? "0.0.0-dev" : HOLDFAST_VERSION;
const ext = import.meta.url.endsWith(".ts") ? "ts" : "js";
const worker = new Worker(new URL(\`./sum_worker.\${ext}\`, import.meta.url), { type: "module" });
worker.onmessage = ({ data }) => {
  console.log(JSON.stringify({ known, yaml: load("a: 1"), sum: data, args: Deno.args }));
  worker.terminate();
};
worker.postMessage([1, 2, 3]);
`;
const WORKER = `
import { sum } from "./sum.ts";
self.onmessage = ({ data }) => self.postMessage(sum(data));
`;
const SUM =
  `export const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);\n`;

/** A program like ours in little: an npm package, a worker in a folder of its own, a version. */
async function writeProgram(root: string): Promise<void> {
  await Deno.mkdir(`${root}/src/part`, { recursive: true });
  await Deno.writeTextFile(`${root}/main.ts`, MAIN);
  await Deno.writeTextFile(`${root}/src/part/sum_worker.ts`, WORKER);
  await Deno.writeTextFile(`${root}/src/part/sum.ts`, SUM);
  await Deno.symlink(Deno.cwd() + "/node_modules", `${root}/node_modules`);
}

async function withProgram(see: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await writeProgram(root);
    await see(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function bundleOf(root: string, version = "1.2.3+test") {
  return bundle({
    entry: `${root}/main.ts`,
    sources: `${root}/src`,
    output: `${root}/out`,
    version,
  });
}

async function outputOf(command: string, args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, clearEnv: true })
    .output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

bundleTest(
  "a program and its worker are bundled side by side and run without packages",
  () =>
    withProgram(async (root) => {
      const made = await bundleOf(root);
      assert.deepEqual(made, {
        main: `${root}/out/main.js`,
        workers: [`${root}/out/sum_worker.js`],
      });
      await Deno.remove(`${root}/node_modules`);
      const said = await outputOf(Deno.execPath(), ["run", "-A", "--no-config", made.main, "x"]);
      assert.deepEqual(said, { known: "1.2.3+test", yaml: { a: 1 }, sum: 6, args: ["x"] });
    }),
);

bundleTest("what an earlier bundle left is not in the next one", () =>
  withProgram(async (root) => {
    await bundleOf(root);
    await Deno.remove(`${root}/src/part/sum_worker.ts`);
    assert.deepEqual((await bundleOf(root)).workers, []);
    assert.deepEqual([...Deno.readDirSync(`${root}/out`)].map(({ name }) => name), ["main.js"]);
  }));

bundleTest(
  "two workers of one name are refused, with both paths",
  () =>
    withProgram(async (root) => {
      await Deno.mkdir(`${root}/src/other`);
      await Deno.writeTextFile(`${root}/src/other/sum_worker.ts`, WORKER);
      await assert.rejects(
        bundleOf(root),
        (error: Error) =>
          error.message.includes("src/other/sum_worker.ts") &&
          error.message.includes("src/part/sum_worker.ts"),
      );
    }),
);

bundleTest(
  "source that does not parse is refused with its place",
  () =>
    withProgram(async (root) => {
      await Deno.writeTextFile(`${root}/main.ts`, "const = 1;\n");
      await assert.rejects(
        bundleOf(root),
        (error: Error) => String((error.cause as Error).message).includes("main.ts:1:6"),
      );
    }),
);

/** The base binary at hand: the caller's, else the substitute; tests download it once. */
async function baseAtHand(): Promise<string> {
  return Deno.env.get("DENORT_BIN") ?? await ensureDenort(cacheDir());
}

bundleTest(
  "the compiled program runs alone, and is compiled again only when something changed",
  () =>
    withProgram(async (root) => {
      const base = await baseAtHand();
      const output = `${root}/program`;
      const once = async (version: string) =>
        await compile({ bundle: await bundleOf(root, version), output, base });
      assert.equal(await once("1.0.0"), true);
      await Deno.rename(`${root}/out`, `${root}/gone`);
      const said = await outputOf(output, ["a", "b"]);
      assert.deepEqual(said, { known: "1.0.0", yaml: { a: 1 }, sum: 6, args: ["a", "b"] });
      assert.equal(await once("1.0.0"), false);
      assert.equal(await once("1.0.1"), true);
      await Deno.remove(output);
      assert.equal(await once("1.0.1"), true);
    }),
);

bundleTest(
  "a base binary that is no file is the compiler's own error, and leaves no stamp",
  () =>
    withProgram(async (root) => {
      const options = {
        bundle: await bundleOf(root),
        output: `${root}/program`,
        base: `${root}/missing`,
        fallbackBase: () => Promise.reject(new Error("must not be asked: a base was given")),
      };
      await assert.rejects(compile(options), CompileError);
      await assert.rejects(Deno.stat(`${root}/program.inputs`), Deno.errors.NotFound);
    }),
);

bundleTest(
  "a program that does not compile does not ask for a substitute base",
  () =>
    withProgram(async (root) => {
      const made = await bundleOf(root);
      await Deno.writeTextFile(made.main, 'import "./missing.js";\n');
      await assert.rejects(
        compile({
          bundle: made,
          output: `${root}/program`,
          fallbackBase: () => Promise.reject(new Error("must not be asked")),
        }),
        (error) => error instanceof CompileError && error.reason === "CompileFailed",
      );
    }),
);

Deno.test("the same source gives the same program, whenever it is built", async () => {
  await withProgram(async (root) => {
    const base = await ensureDenort(cacheDir());
    const build = async (output: string) => {
      await compile({ bundle: await bundleOf(root), output: `${root}/${output}`, base });
      return await Deno.readFile(`${root}/${output}`);
    };
    const first = await build("one");
    const second = await build("two");
    assert.equal(first.length, second.length);
    const differs = first.findIndex((byte, at) => byte !== second[at]);
    assert.equal(differs, -1, `they differ at byte ${differs}`);
  });
});
