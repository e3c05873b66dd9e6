import assert from "node:assert/strict";
import { readDocuments } from "./documents.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";

const read = (text: string) => readDocuments(new TextEncoder().encode(text), 1 << 20);

const ALPHA = "apiVersion: zarf.dev/v1alpha1\nkind: a\n";
const BETA = "apiVersion: zarf.dev/v1beta1\nkind: b\n";
const OTHER = "apiVersion: zarf.dev/v9\nkind: c\n";

const alpha = { apiVersion: "zarf.dev/v1alpha1", kind: "a" };
const beta = { apiVersion: "zarf.dev/v1beta1", kind: "b" };

const READ: readonly (readonly [string, string, ReturnType<typeof read>])[] = [
  ["one document", ALPHA, { alpha }],
  ["one document without a version", "kind: a\n", { alpha: { kind: "a" } }],
  ["both", `${ALPHA}---\n${BETA}`, { alpha, beta }],
  ["both the other way round", `${BETA}---\n${ALPHA}`, { alpha, beta }],
  ["another version besides", `${OTHER}---\n${ALPHA}---\n${OTHER}`, { alpha }],
  ["empty documents", `---\n---\n${ALPHA}---\n`, { alpha }],
];

for (const [what, text, expected] of READ) {
  Deno.test(`zarf.yaml with ${what} is read`, () => assert.deepEqual(read(text), expected));
}

const REFUSED: readonly (readonly [PackageErrorReason, RegExp, string])[] = [
  ["UnsupportedDefinition", /no zarf.dev\/v1alpha1 document, only nothing$/, ""],
  ["UnsupportedDefinition", /only nothing$/, OTHER],
  ["UnsupportedDefinition", /only zarf.dev\/v1beta1$/, BETA],
  ["InvalidDefinition", /two zarf.dev\/v1alpha1 documents/, `${ALPHA}---\nkind: a\n`],
  ["InvalidDefinition", /two zarf.dev\/v1beta1 documents/, `${BETA}---\n${ALPHA}---\n${BETA}`],
  ["InvalidDefinition", /not a mapping/, `${ALPHA}---\ntext\n`],
  ["InvalidDefinition", /not readable as YAML/, `${ALPHA}---\na: [\n`],
  ["InvalidDefinition", /not readable as YAML/, "kind: \x07\n"],
];

for (const [reason, message, text] of REFUSED) {
  Deno.test(`zarf.yaml is refused: ${JSON.stringify(text)}`, () => {
    assert.throws(() => read(text), (error) => {
      assert(error instanceof PackageError, String(error));
      assert.equal(error.reason, reason);
      assert.match(error.message, message);
      return true;
    });
  });
}

/** What Zarf 0.84 writes for a string (goccy/go-yaml 1.19.2), and the string. */
const STRINGS: readonly (readonly [string, string])[] = [
  // Without quotes, though it looks like a number: short commit hashes are often used as versions.
  ["1e3", "1e3"],
  ["7e12345", "7e12345"],
  ["5e0", "5e0"],
  ["1.10", "1.10"],
  ["007", "007"],
  ["0x1F", "0x1F"],
  ["+12", "+12"],
  ["-0", "-0"],
  ["1.", "1."],
  [".5", ".5"],
  [".inf", ".inf"],
  [".NaN", ".NaN"],
  ["9007199254740993", "9007199254740993"],
  ["12345678901234567890", "12345678901234567890"],
  ["NaN", "NaN"],
  ["Infinity", "Infinity"],
  ["12:30:45", "12:30:45"],
  ["1,000", "1,000"],
  ["2024-01-01", "2024-01-01"],
  ["yes", "yes"],
  ["<<", "<<"],
  ["=", "="],
  ["---", "---"],
  ["...", "..."],
  ['"1.10"', "1.10"],
  ['"null"', "null"],
  ['"true"', "true"],
  ['"a: b # c"', "a: b # c"],
  ["|\n    line\n    \n      indented", "line\n\n  indented\n"],
  ["|-\n    a\n    b", "a\nb"],
];

for (const [yaml, text] of STRINGS) {
  Deno.test(`a string written as ${JSON.stringify(yaml)} is read as it was`, () => {
    const { alpha } = read(`constants:\n- name: A\n  value: ${yaml}\n`);
    assert.deepEqual(alpha["constants"], [{ name: "A", value: text }]);
  });
}

const VALUES: readonly (readonly [string, unknown])[] = [
  ["0", 0],
  ["30", 30],
  ["-1", -1],
  ["1.5", 1.5],
  ["true", true],
  ["False", false],
  ["!!int 0x10", 16],
  ["!!float 1e3", 1000],
  ["!!str 30", "30"],
];

for (const [yaml, value] of VALUES) {
  Deno.test(`${yaml} is the value ${JSON.stringify(value)}`, () => {
    assert.deepEqual(read(`key: ${yaml}\n`), { alpha: { key: value } });
  });
}

Deno.test("keys without a value are left out, merged keys are written out", () => {
  const { alpha } = read("a: &a { x: 1 }\nb: { <<: *a, y: ~ }\nc:\nd: null\n");
  assert.deepEqual(alpha, { a: { x: 1 }, b: { x: 1 } });
});
