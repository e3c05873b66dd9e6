import assert from "node:assert/strict";
import { redactor } from "./redact.ts";

Deno.test("secrets are hidden, line by line and the longest first", () => {
  const redact = redactor(["pass", "password", "", "first\n  second line \n\n"]);
  const rows: [text: string, expected: string][] = [
    ["cGFzc3dvcmQ=", "***"],
    ["nothing", "nothing"],
    ["the password is password", "the *** is ***"],
    ["pass", "***"],
    ["first or second line.", "*** or ***."],
  ];
  for (const [text, expected] of rows) assert.equal(redact(text), expected);
});

Deno.test("without secrets a text stays as it is", () => {
  assert.equal(redactor(["", "\n"])("a b"), "a b");
});
