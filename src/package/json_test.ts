import assert from "node:assert/strict";
import { parseDefinition } from "./definition.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import { isRecord, toJson } from "./json.ts";

const HEAD = "kind: ZarfPackageConfig\nmetadata: { name: a }\ncomponents: [{ name: web }]\n";

function refuses(reason: PackageErrorReason, message: RegExp, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason);
    assert.equal(error.disposition, "terminal");
    assert.match(error.message, message);
    return true;
  });
}

const parse = (text: string) => parseDefinition(new TextEncoder().encode(text));

for (
  const [what, text] of [
    ["a list that holds itself", `${HEAD}x: &a [*a]\n`],
    ["a mapping that holds itself", `${HEAD}x: &a { b: { c: *a } }\n`],
    [
      "lists in lists by aliases of aliases",
      HEAD + "a0: &a0 [x]\n" +
      Array.from({ length: 300 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}]\n`).join(""),
    ],
  ] as const
) {
  Deno.test(`${what} is refused as too deep, and not followed`, () => {
    refuses("LimitExceeded", /^zarf\.yaml: is nested more than 200 levels deep/, () => parse(text));
  });
}

for (const depth of [199, 200]) {
  Deno.test(`${depth} levels below the document are ${depth > 199 ? "too many" : "read"}`, () => {
    let value: unknown = 1;
    for (let level = 0; level <= depth; level++) value = [value];
    if (depth > 199) refuses("LimitExceeded", /200 levels/, () => toJson(value));
    else assert.deepEqual(toJson(value), value);
  });
}

Deno.test("a few lines that stand for billions of values are refused by their number", () => {
  const lines = Array.from(
    { length: 9 },
    (_, n) => `l${n + 1}: &l${n + 1} [${Array(10).fill(`*l${n}`).join(", ")}]\n`,
  );
  const text = `${HEAD}l0: &l0 [x]\n${lines.join("")}`;
  refuses("LimitExceeded", /more than 1000000 values/, () => parse(text));
});

Deno.test("what is repeated by an alias is there each time", () => {
  const { raw } = parse(`${HEAD}one: &one { a: [1] }\ntwo: *one\n`);
  assert.deepEqual(raw["two"], { a: [1] });
  assert.notEqual(raw["one"], raw["two"], "each has its own copy");
});

for (
  const [value, expected] of [
    ["text", "text"],
    [3.5, 3.5],
    [false, false],
    [null, null],
    [[null, [1]], [null, [1]]],
    [{ a: null, b: { c: null } }, { b: {} }],
    [Infinity, "Infinity"],
    [NaN, "NaN"],
    [{ "": 1, "a b": [] }, { "": 1, "a b": [] }],
  ] as const
) {
  Deno.test(`${typeof value === "number" ? value : JSON.stringify(value)} becomes ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(toJson(value), expected);
  });
}

for (const value of [undefined, 1n, Symbol("s"), () => 1]) {
  Deno.test(`a ${typeof value} is nothing that a definition holds`, () => {
    refuses("InvalidDefinition", new RegExp(`holds a ${typeof value}`), () => toJson([value]));
  });
}

Deno.test("only what has keys is a record", () => {
  assert.deepEqual(
    [{}, { a: 1 }, [], null, undefined, "x", 3].map(isRecord),
    [true, true, false, false, false, false, false],
  );
});

Deno.test("a key named like JavaScript's own is a key like any other", () => {
  const { raw } = parse(`${HEAD}__proto__: { polluted: true }\nconstructor: 1\n`);
  assert.equal(Object.hasOwn(raw, "__proto__"), true);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  assert.equal(raw["constructor"], 1);
});
