import assert from "node:assert/strict";
import { checkParts, MAX_PARTS, parseSplitHeader, partName, splitPart } from "./split.ts";

const names: readonly [string, string | undefined, number?][] = [
  ["web.tar.zst.part000", "web.tar.zst", 0],
  ["web.tar.zst.part001", "web.tar.zst", 1],
  ["/media/a.part001/web.tar.part999", "/media/a.part001/web.tar", 999],
  ["web.tar.zst.part", undefined],
  ["web.tar.zst.part1", undefined],
  ["web.tar.zst.part0001", undefined],
  ["web.tar.zst.part001.status.json", undefined],
  [".part001", undefined],
  ["web.tar.zst", undefined],
];

for (const [name, whole, number] of names) {
  Deno.test(`${name} is ${whole === undefined ? "no part" : `part ${number} of ${whole}`}`, () => {
    const part = splitPart(name);
    assert.deepEqual([part?.whole, part?.number], [whole, number]);
    if (part !== undefined) assert.equal(partName(part.whole, part.number), name);
  });
}

const HEX = "0123456789abcdef".repeat(4);
const right = { Sha256Sum: HEX, Bytes: 5_000, Count: 3 };
const bytesOf = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

Deno.test("the head of a split package says its digest, bytes and parts", () => {
  const expected = { digest: `sha256:${HEX}`, bytes: 5_000, count: 3 };
  assert.deepEqual(parseSplitHeader("web.tar", bytesOf(right)), expected);
  const more = { ...right, Count: MAX_PARTS, Later: true };
  assert.equal(parseSplitHeader("web.tar", bytesOf(more)).count, MAX_PARTS);
});

const wrong: readonly [string, unknown, RegExp][] = [
  ["is empty", "", /it is wrong/],
  ["is cut off", JSON.stringify(right).slice(0, -5), /it is wrong/],
  ["is a slice of a file", "\u0028\u00b5/\u00fd", /it is wrong/],
  ["is a list", [right], /is wrong/],
  ["is null", null, /it is wrong/],
  ["has no digest", { ...right, Sha256Sum: undefined }, /Sha256Sum is wrong/],
  ["has a short digest", { ...right, Sha256Sum: HEX.slice(1) }, /Sha256Sum is wrong/],
  ["has no bytes", { ...right, Bytes: 0 }, /Bytes is wrong/],
  ["has a fraction of bytes", { ...right, Bytes: 1.5 }, /Bytes is wrong/],
  ["has too many bytes to count", { ...right, Bytes: 2 ** 60 }, /Bytes is wrong/],
  ["has no parts", { ...right, Count: 0 }, /Count is wrong/],
  ["has a part less than none", { ...right, Count: -1 }, /Count is wrong/],
  ["has a text for a number", { ...right, Count: "3" }, /Count is wrong/],
  ["has more parts than names", { ...right, Count: MAX_PARTS + 1 }, /Count is wrong/],
  ["has a huge number of parts", { ...right, Count: 4e15 }, /Count is wrong/],
  ["has other names", { sha256sum: HEX, bytes: 1, count: 1 }, /Sha256Sum is wrong/],
  ["is larger than any", `${JSON.stringify(right)}${" ".repeat(5_000)}`, /it is wrong/],
];

for (const [what, value, says] of wrong) {
  Deno.test(`a head that ${what} is refused`, () => {
    assert.throws(() => parseSplitHeader("web.tar", bytesOf(value)), (error) => {
      assert(error instanceof Error && "reason" in error && "disposition" in error);
      assert.deepEqual([error.reason, error.disposition], ["InvalidParts", "terminal"]);
      assert.match(error.message, /^web\.tar\.part000: is not the head of a split package, /);
      assert.match(error.message, says);
      return true;
    });
  });
}

const header = { digest: `sha256:${HEX}`, bytes: 50, count: 5 } as const;
const sizes = (...parts: [number, number][]) => new Map(parts);
const all: [number, number][] = [[1, 10], [2, 10], [3, 10], [4, 10], [5, 10]];
const many = { ...header, count: 9 };

const states: readonly [
  string,
  Parameters<typeof checkParts>[1],
  Map<number, number>,
  "PartsMissing" | "InvalidParts",
  string,
][] = [
  [
    "nothing but slices",
    undefined,
    sizes([2, 10], [4, 10]),
    "PartsMissing",
    "web: 2 parts are there, but not web.part000, which says how many there are",
  ],
  ["one slice", undefined, sizes([2, 10]), "PartsMissing", "web: 1 part is there, but not web.pa"],
  [
    "the head alone",
    header,
    sizes(),
    "PartsMissing",
    "web: 0 of 5 parts are there, not part001, part002, part003 and 2 more",
  ],
  [
    "two gaps",
    header,
    sizes([1, 10], [3, 10], [5, 10]),
    "PartsMissing",
    "web: 3 of 5 parts are there, not part002, part004",
  ],
  [
    "a gap, and a part that there cannot be",
    header,
    sizes([1, 10], [2, 10], [3, 10], [4, 10], [6, 10]),
    "PartsMissing",
    "web: 4 of 5 parts are there, not part005",
  ],
  [
    "a part that is short",
    header,
    sizes(...all, [3, 9]),
    "PartsMissing",
    "web: all parts are there, but only 49 of 50 bytes",
  ],
  [
    "an empty last part",
    header,
    sizes(...all, [5, 0]),
    "PartsMissing",
    "web: all parts are there, but only 40 of 50 bytes",
  ],
  [
    "a part that is long",
    header,
    sizes(...all, [5, 11]),
    "InvalidParts",
    "web: the parts have 51 bytes, but web.part000 says 50",
  ],
  [
    "a part too many",
    header,
    sizes(...all, [17, 0], [6, 0]),
    "InvalidParts",
    "web.part006: is there, but web.part000 says that the last part is 5",
  ],
  ["nine parts, eight missing", many, sizes([9, 1]), "PartsMissing", "part003 and 5 more"],
];

for (const [what, head, there, reason, says] of states) {
  Deno.test(`${what}: ${reason}`, () => {
    assert.throws(() => checkParts("web", head, there), (error) => {
      assert(error instanceof Error && "reason" in error && "disposition" in error);
      const disposition = reason === "PartsMissing" ? "wait" : "terminal";
      assert.deepEqual([error.reason, error.disposition], [reason, disposition]);
      assert(error.message.includes(says), error.message);
      return true;
    });
  });
}

Deno.test("parts that are all there and whole are right in any order", () => {
  checkParts("web", header, sizes(...all));
  checkParts("web", header, sizes(...all.toReversed()));
  checkParts("web", { ...header, bytes: 7, count: 1 }, sizes([1, 7]));
});
