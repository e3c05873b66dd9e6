import assert from "node:assert/strict";
import { isReader } from "./credentials.ts";

Deno.test("only the reader's user and password are let in", () => {
  const reader = { username: "reader", password: "a:b!~-ü" };
  const basic = (text: string) => `Basic ${new TextEncoder().encode(text).toBase64()}`;
  const rows: [header: string | null, expected: boolean][] = [
    [null, false],
    ["", false],
    ["Basic", false],
    ["Basic !!!", false],
    [basic("reader:a:b!~-ü"), true],
    [basic("reader:a:b!~-ü").replace("Basic", "basic "), true],
    [basic("reader:a:b!~-ü").replace("Basic", "Bearer"), false],
    [basic("reader:wrong"), false],
    [basic("other:a:b!~-ü"), false],
    [basic("reader:a:b!~-ü "), false],
    [basic(""), false],
    [basic(`reader:a:b!~-ü${" ".repeat(2_000)}`), false],
  ];
  for (const [header, expected] of rows) {
    assert.equal(isReader(header, reader), expected, `${header}`);
  }
  const nobody = { username: "", password: "" };
  assert.equal(isReader(basic(":"), nobody), false, "without a password nobody is let in");
});
