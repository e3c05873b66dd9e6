import assert from "node:assert/strict";
import { defaultLanes } from "./lanes.ts";
import { e2eSuites, requestOf, testFiles, type TestRequest, unitSuites } from "./plan.ts";

const ALL = { unit: true, e2e: true, lanes: defaultLanes(), paths: [] };
const requests: { args: string[]; want: TestRequest | undefined }[] = [
  { args: [], want: ALL },
  { args: ["--unit"], want: { ...ALL, e2e: false } },
  { args: ["--e2e"], want: { ...ALL, unit: false } },
  { args: ["--unit", "--e2e"], want: ALL },
  {
    args: ["--filter", "a b", "./src/store/", "test/x_test.ts"],
    want: { ...ALL, filter: "a b", paths: ["src/store", "test/x_test.ts"] },
  },
  { args: ["--lanes", "1"], want: { ...ALL, lanes: 1 } },
  { args: ["--lanes=16"], want: { ...ALL, lanes: 16 } },
  { args: ["--lanes=17"], want: undefined },
  { args: ["--lanes", "0"], want: undefined },
  { args: ["--lanes", "1.5"], want: undefined },
  { args: ["--lanes", "both"], want: undefined },
  { args: ["--filter"], want: undefined },
  { args: ["--fast"], want: undefined },
];
for (const { args, want } of requests) {
  Deno.test(`"test ${args.join(" ")}" is ${want === undefined ? "refused" : "understood"}`, () => {
    assert.deepEqual(requestOf(args), want);
  });
}

const FILES = [
  "src/store/a_test.ts",
  "src/store/b_test.ts",
  "src/store/b.ts",
  "src/std/c_test.ts",
  "test/cluster/net_test.ts",
  "test/cluster/up_e2e_test.ts",
  "test/e2e/one_e2e_test.ts",
  "test/fixtures/not_test.ts",
  "extension/build/d_test.ts",
  "docs/e_test.ts",
];

async function withTree(see: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    for (const file of FILES) {
      await Deno.mkdir(`${root}/${file}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${root}/${file}`, "");
    }
    await see(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("every test of the repository is found, but fixtures are not tests", () =>
  withTree(async (root) => {
    assert.deepEqual(await testFiles(root, []), [
      "extension/build/d_test.ts",
      "src/std/c_test.ts",
      "src/store/a_test.ts",
      "src/store/b_test.ts",
      "test/cluster/net_test.ts",
      "test/cluster/up_e2e_test.ts",
      "test/e2e/one_e2e_test.ts",
    ]);
  }));

Deno.test("files and folders can be named; a name's beginning is not enough", () =>
  withTree(async (root) => {
    assert.deepEqual(await testFiles(root, ["src/st"]), []);
    assert.deepEqual(await testFiles(root, ["src/std", "src/store/b_test.ts"]), [
      "src/std/c_test.ts",
      "src/store/b_test.ts",
    ]);
  }));

Deno.test("unit tests run by folder, end-to-end tests by file, none twice", () =>
  withTree(async (root) => {
    const files = await testFiles(root, []);
    const units = unitSuites(files);
    assert.deepEqual(units.map(({ name, files }) => [name, files.length]), [
      ["extension/build", 1],
      ["src/std", 1],
      ["src/store", 2],
      ["test/cluster", 1],
    ]);
    const e2es = e2eSuites(files);
    assert.deepEqual(e2es.map(({ name }) => name), ["test/cluster/up", "test/e2e/one"]);
    const run = [...units, ...e2es].flatMap((suite) => suite.files).sort();
    assert.deepEqual(run, files);
  }));
