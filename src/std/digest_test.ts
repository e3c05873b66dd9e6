import assert from "node:assert/strict";
import { Digester, digestHex, digestOf, isDigest } from "./digest.ts";

const EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/** FIPS 180-2, appendix B.1. */
const ABC = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

Deno.test("digests are those of the standard's own examples", () => {
  assert.equal(digestOf(""), EMPTY);
  assert.equal(digestOf("abc"), ABC);
  assert.equal(digestOf(new TextEncoder().encode("abc")), ABC);
});

Deno.test("a digest of pieces is that of the whole", () => {
  const digester = new Digester();
  for (const piece of ["", "a", "bc"]) digester.update(new TextEncoder().encode(piece));
  assert.equal(digester.finish(), ABC);
  assert.equal(new Digester().finish(), EMPTY);
});

Deno.test("a digest gives its digits", () => {
  assert.equal(digestHex(ABC), ABC.slice(7));
  assert.equal(digestHex(ABC).length, 64);
});

const malformed: readonly [string, string][] = [
  ["upper case", ABC.toUpperCase()],
  ["upper-case digits", `sha256:${digestHex(ABC).toUpperCase()}`],
  ["a digit too few", ABC.slice(0, -1)],
  ["a digit too many", `${ABC}0`],
  ["no algorithm", digestHex(ABC)],
  ["another algorithm", `sha512:${digestHex(ABC)}${digestHex(ABC)}`],
  ["a line break behind it", `${ABC}\n`],
  ["a path in it", `sha256:../../../../etc/passwd${"0".repeat(42)}`],
  ["nothing", ""],
];

for (const [what, text] of malformed) {
  Deno.test(`a text with ${what} is no digest`, () => assert.equal(isDigest(text), false));
}

Deno.test("a well-formed text is a digest", () => assert.equal(isDigest(ABC), true));
