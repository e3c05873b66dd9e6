import assert from "node:assert/strict";
import { replaced } from "./machined.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (from: Uint8Array) => new TextDecoder().decode(from);

Deno.test("a text is replaced wherever it is, and nothing around it", () => {
  assert.equal(text(replaced(bytes("x/old/old-y"), "/old", "/new")), "x/new/new-y");
});

Deno.test("a text that is nowhere, or would move what follows, is refused", () => {
  assert.throws(() => replaced(bytes("abc"), "x", "y"), /x is not in it/);
  assert.throws(() => replaced(bytes("abc"), "a", "ab"), /not as long/);
});
