import assert from "node:assert/strict";
import { parseEvents } from "js-yaml";
import { parseDefinition } from "./definition.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import { estimateValues, isRecord, MAX_VALUES, toJson } from "./json.ts";

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
  refuses("LimitExceeded", /more than 65536 values/, () => parse(text));
});

Deno.test("a long text that aliases repeat is refused by its characters", () => {
  const text = (aliases: number) =>
    `${HEAD}a: &a ${"x".repeat(10_000)}\nb: [${Array(aliases).fill("*a").join(", ")}]\n`;
  assert.ok(JSON.stringify(parse(text(400)).raw).length > 4_000_000);
  refuses("LimitExceeded", /more than 4194304 characters with its aliases/, () => parse(text(420)));
  const keys = (aliases: number) =>
    `${HEAD}a: &a { ${"x".repeat(10_000)}: 1 }\nb: [${Array(aliases).fill("*a").join(", ")}]\n`;
  refuses("LimitExceeded", /more than 4194304 characters/, () => parse(keys(420)));
});

Deno.test("a text may hold so many values, whatever its parser would make of them", async (t) => {
  const punctuation = [
    "a,",
    "[]\n,",
    "{},",
    "a:,",
    "- a\n",
    "-\n",
    "- - a\n",
    "---\n",
    "? a\n",
    "a:\r",
  ];
  for (const part of punctuation) {
    await t.step(JSON.stringify(part), () => {
      refuses(
        "LimitExceeded",
        /^zarf\.yaml: may hold more than 65536 values$/,
        () => parse(part.repeat(MAX_VALUES)),
      );
    });
  }
  await t.step("what is no punctuation there does not count", () => {
    assert.equal(estimateValues(new TextEncoder().encode("docker.io/a-b/c_d@1 --flag 'x'")), 1);
    assert.equal(estimateValues(new TextEncoder().encode('{"a":[1,"b"]}\n- - -')), 9);
  });
});

Deno.test("no text has more than twice as many values as its punctuation says", () => {
  const texts = [
    "a: b",
    "[a, b: c, {d, e}]",
    "- - - a\n  - b",
    "? a\n: b",
    "a:\n- b\n-\n-",
    "--- a\n--- b\n---",
  ];
  for (const text of texts) {
    const values = parseEvents(text, {}).filter(({ type }) => [2, 3, 4, 5].includes(type)).length;
    const estimate = estimateValues(new TextEncoder().encode(text));
    assert.ok(values <= 2 * estimate, `${text}: ${values} values for ${estimate}`);
  }
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
