import assert from "node:assert/strict";
import { compareVersions } from "./version.ts";

/** Each list goes up. */
const ASCENDING: readonly (readonly [string, readonly string[]])[] = [
  // The standard's own example, item 11.
  ["prereleases", [
    ...["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"],
    ...["1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"],
  ]],
  ["major, minor and patch", ["0.9.9", "1.0.0", "2.0.0", "2.1.0", "2.1.1", "2.10.0", "10.0.0"]],
  ["with and without a v", ["v0.65.0", "0.77.0", "v0.84.0", "0.84.1", "v0.100.0"]],
  ["parts left out", ["1-rc.1", "1", "1.0.1", "1.2-rc.1", "v1.2", "1.2.1", "2"]],
  ["numbers before words", ["1.0.0-1", "1.0.0-9999", "1.0.0--1", "1.0.0-a"]],
  ["words by their bytes", ["1.0.0-A", "1.0.0-Z", "1.0.0-a", "1.0.0-a-b", "1.0.0-aa"]],
  ["more identifiers after the same", ["1.0.0-a", "1.0.0-a.0", "1.0.0-a.0.0", "1.0.0-a.1"]],
  ["numbers that no double can hold", [
    ...["1.0.0-9007199254740992", "1.0.0-9007199254740993"],
    ...["1.0.9007199254740992", "1.0.9007199254740993", "1.0.99999999999999999999"],
  ]],
];

for (const [what, versions] of ASCENDING) {
  Deno.test(`versions are ordered: ${what}`, () => {
    for (const [i, a] of versions.entries()) {
      for (const [j, b] of versions.entries()) {
        assert.equal(Math.sign(compareVersions(a, b) ?? NaN), Math.sign(i - j), `${a} and ${b}`);
      }
    }
  });
}

const SAME: readonly (readonly [string, string])[] = [
  ["1.2.3", "v1.2.3"],
  ["1", "1.0.0"],
  ["v1.2", "1.2.0"],
  ["1.2.3+build.5", "1.2.3"],
  ["1.2.3-rc.1+a", "1.2.3-rc.1+b"],
  ["1.2.3+001", "1.2.3"],
  // Masterminds/semver reads leading zeros where semver 2.0 does not.
  ["01.002.3", "1.2.3"],
];

for (const [a, b] of SAME) {
  Deno.test(`${a} and ${b} are the same version`, () => {
    assert.equal(compareVersions(a, b), 0);
    assert.equal(compareVersions(b, a), 0);
  });
}

const MALFORMED: readonly string[] = [
  ...["", "v", "V1.0.0", "vv1.0.0", "latest", "unset-development-only", "x.1.2", "-1.0.0"],
  ...["1.", "1..2", "1.2.3.4", "1.2.3-", "1.2.3-a..b", "1.2.3+", "1.2.3+a+b", "1.2.3-01"],
  ...[" 1.2.3", "1.2.3 ", "1.2.3\n", "1,2", "1.2.3-ä", "１.2.3", `1.2.3-${"a".repeat(251)}`],
];

for (const text of MALFORMED) {
  Deno.test(`${JSON.stringify(text.slice(0, 30))} is no version`, () => {
    assert.equal(compareVersions(text, "1.0.0"), undefined);
    assert.equal(compareVersions("1.0.0", text), undefined);
    assert.equal(compareVersions(text, text), undefined);
  });
}

Deno.test("a version of the greatest length is read", () => {
  assert.equal(compareVersions(`1.2.3-${"a".repeat(250)}`, "1.2.3"), -1);
});
