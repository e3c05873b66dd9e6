import assert from "node:assert/strict";
import { betaRows, fieldRows, namedTests, schemaPaths, VERDICTS } from "./table.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("the table has every field of Zarf's v1alpha1 schema once, and no other", () => {
  assert.deepEqual(fieldRows().map(({ path }) => path).sort(), schemaPaths("v1alpha1"));
});

Deno.test("the table has every field of Zarf's v1beta1 schema once, and no other", () => {
  assert.deepEqual(betaRows().map(({ path }) => path).sort(), schemaPaths("v1beta1"));
});

Deno.test("each field of v1beta1 is read as one of v1alpha1, or only creating looks at it", () => {
  const known = new Set(fieldRows().map(({ path }) => path));
  for (const { path, alpha, note } of betaRows()) {
    if (alpha === undefined) {
      assert.notEqual(note, "", `${path}: nothing says why it is read as none`);
    } else assert(known.has(alpha), `${path} is said to be read as ${alpha}, which there is not`);
  }
});

Deno.test("each line says what becomes of the field, and why where it is not simply done", () => {
  for (const { path, verdict, note } of fieldRows()) {
    assert(VERDICTS.some((known) => known === verdict), `${path}: ${JSON.stringify(verdict)}`);
    if (verdict !== "done") assert.notEqual(note, "", `${path}: ${verdict}, and nothing says why`);
  }
});

Deno.test("each line names tests, each of which is there", () => {
  const named = namedTests();
  for (const { path, tests } of fieldRows()) {
    assert(tests.length > 0, `${path} has no test`);
    for (const test of tests) assert(named.has(test), `${path}: there is no test ${test}`);
  }
  const used = new Set(fieldRows().flatMap(({ tests }) => tests));
  assert.deepEqual([...named.keys()].filter((key) => !used.has(key)), [], "tests of no field");
  for (const [key, { file, name }] of named) {
    assert.match(file, /_test\.ts$/, key);
    const text = Deno.readTextFileSync(new URL(file, ROOT));
    assert(text.includes(name), `${key}: ${file} has no test ${JSON.stringify(name)}`);
  }
});
