import assert from "node:assert/strict";
import { randomPassword } from "./random.ts";

Deno.test("a password has the length asked for and only Zarf's characters", () => {
  for (const length of [1, 24, 48, 1000]) {
    assert.match(randomPassword(length), new RegExp(`^[0-9a-zA-Z!~-]{${length}}$`));
  }
});

Deno.test("bytes that would favour some characters are drawn again", () => {
  const bytes = [195, 255, 0, 64, 200, 65, 194];
  const password = randomPassword(4, () => new Uint8Array(bytes));
  assert.equal(password, "0-0-");
});

Deno.test("two passwords differ", () => {
  assert.notEqual(randomPassword(24), randomPassword(24));
});
