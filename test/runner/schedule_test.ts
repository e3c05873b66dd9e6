import assert from "node:assert/strict";
import { e2eSuites, testFiles, unitSuites } from "./plan.ts";
import { scheduleOf } from "./schedule.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const CLUSTER = 'Deno.test({ ignore: obstacle() !== undefined, name: "x", fn() {} });\n';

/** The names of suites of one file each, in the order in which they would run. */
function order(texts: Readonly<Record<string, string>>) {
  const suites = Object.keys(texts).map((name) => ({ name, files: [name], timeout: 1 }));
  const { inLanes, alone } = scheduleOf(suites, (file) => texts[file] ?? assert.fail(file));
  const names = (of: typeof inLanes) => of.map(({ name }) => name);
  return { inLanes: names(inLanes), alone: names(alone) };
}

Deno.test("what takes long comes first: marked, then with a cluster, then by length", () => {
  assert.deepEqual(
    order({
      short: "a",
      long: "a".repeat(5_000),
      first: "// Runs first: it takes minutes.\n",
      cluster: CLUSTER,
      "long cluster": CLUSTER + "a".repeat(1_000),
    }),
    { inLanes: ["first", "long cluster", "cluster", "long", "short"], alone: [] },
  );
});

Deno.test("what says so runs alone, also if only one file of a suite does", () => {
  const texts: Record<string, string> = {
    a: "// Runs alone: it judges milliseconds.\na",
    b: "b",
    c: "c",
  };
  assert.deepEqual(order(texts), { inLanes: ["b", "c"], alone: ["a"] });
  const both = { name: "both", files: ["a", "b"], timeout: 1 };
  const { inLanes, alone } = scheduleOf([both], (file) => texts[file] ?? "");
  assert.deepEqual([inLanes, alone], [[], [both]]);
});

const wrong = [
  "// Runs alone.\n",
  "// Runs alone:\n",
  "// Runs alone: no full stop\n",
  "// Runs last: why.\n",
  "//runs alone: why.\n",
];
for (const text of wrong) {
  Deno.test(`a file may not begin with ${JSON.stringify(text)}`, () => {
    assert.throws(() => order({ "x_test.ts": text }), /x_test\.ts begins neither with/);
  });
}

Deno.test("a mark counts on the first line only", () => {
  assert.deepEqual(order({ x: "\n// Runs alone: why.\n" }), { inLanes: ["x"], alone: [] });
});

Deno.test("every suite of the repository is run once", async () => {
  const files = await testFiles(ROOT, []);
  for (const suites of [unitSuites(files), e2eSuites(files)]) {
    const { inLanes, alone } = scheduleOf(suites, (file) => Deno.readTextFileSync(ROOT + file));
    assert.deepEqual(new Set([...inLanes, ...alone]), new Set(suites));
    assert.equal(inLanes.length + alone.length, suites.length);
  }
});
