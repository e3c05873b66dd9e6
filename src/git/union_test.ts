import assert from "node:assert/strict";
import { placeOf, type Publication, unionOf } from "./union.ts";

type Row = [sequence: number, references: Record<string, string>, head?: string];

function publications(rows: readonly Row[]): Publication[] {
  return rows.map(([sequence, references, head]) => ({
    sequence,
    packageName: `package-${sequence}`,
    digest: `${sequence}`,
    clone: "1",
    references: new Map(Object.entries(references)),
    ...(head === undefined ? {} : { head }),
  }));
}

Deno.test("what is served is the union of what packages brought, the newest one winning", () => {
  const rows: [name: string, rows: Row[], expected: Record<string, string>, head?: string][] = [
    ["nothing", [], {}],
    [
      "one",
      [[1, { "heads/main": "a", "tags/v1": "b" }]],
      { "heads/main": "a", "tags/v1": "b" },
      "heads/main",
    ],
    [
      "two, in any order",
      [[2, { "heads/main": "b", "tags/v2": "b" }], [1, { "heads/main": "a", "tags/v1": "a" }]],
      { "heads/main": "b", "tags/v1": "a", "tags/v2": "b" },
      "heads/main",
    ],
    [
      "a name below a newer one",
      [[1, { "heads/a/b": "1", "heads/c": "1" }], [2, { "heads/a": "2" }]],
      { "heads/a": "2", "heads/c": "1" },
      "heads/a",
    ],
    [
      "a name above a newer one",
      [[1, { "heads/a": "1" }], [2, { "heads/a/b/c": "2" }]],
      { "heads/a/b/c": "2" },
      "heads/a/b/c",
    ],
    [
      "the same name as branch and tag",
      [[1, { "heads/a": "1" }], [2, { "tags/a": "2", "tags/a-b": "2" }]],
      { "heads/a": "1", "tags/a": "2", "tags/a-b": "2" },
      "heads/a",
    ],
    [
      "the newest package's own branch",
      [[1, { "heads/main": "1" }, "heads/main"], [
        2,
        { "heads/z": "2", "heads/y": "2" },
        "heads/z",
      ]],
      { "heads/main": "1", "heads/y": "2", "heads/z": "2" },
      "heads/z",
    ],
    [
      "a branch that is not there",
      [[1, { "heads/master": "1", "heads/a": "1" }], [2, { "tags/x": "2" }, "heads/gone"]],
      { "heads/master": "1", "heads/a": "1", "tags/x": "2" },
      "heads/master",
    ],
    ["tags only", [[1, { "tags/x": "2" }]], { "tags/x": "2" }],
  ];
  for (const [name, given, expected, head] of rows) {
    const union = unionOf(publications(given));
    assert.deepEqual(Object.fromEntries(union.references), expected, name);
    assert.equal(union.head, head, name);
  }
});

Deno.test("a package keeps its place until another version of it has come", () => {
  const key = (packageName: string, digest: string, clone = "1") => ({
    packageName,
    digest,
    clone,
  });
  const one = (sequence: number, ...of: Parameters<typeof key>): Publication => ({
    ...{ ...key(...of), sequence, references: new Map() },
  });
  const all = [one(1, "shop", "s1"), one(2, "shop", "s1", "2"), one(3, "bank", "b1")];
  assert.equal(placeOf([], key("shop", "s1")), 1);
  assert.equal(placeOf(all, key("shop", "s1")), 1, "deployed anew");
  assert.equal(placeOf(all, key("shop", "s1", "2")), 2, "its other clone");
  assert.equal(placeOf(all, key("shop", "s1", "3")), 4, "one more clone");
  assert.equal(placeOf(all, key("shop", "s2")), 4, "a new version");
  const upgraded = [one(4, "shop", "s2"), ...all];
  assert.equal(placeOf(upgraded, key("bank", "b1")), 3);
  assert.equal(placeOf(upgraded, key("shop", "s1")), 5, "back to the old version");
  const back = [one(5, "shop", "s1"), one(4, "shop", "s2"), one(2, "shop", "s1", "2")];
  assert.equal(placeOf(back, key("shop", "s1")), 5);
  assert.equal(placeOf(back, key("shop", "s1", "2")), 6, "all of it");
});
