import assert from "node:assert/strict";
import { HEX_32, newNonce, SiteKey } from "./site_key.ts";

Deno.test("who knows the secret and the use believes what is signed, nobody else", () => {
  const key = new SiteKey("secret", "use");
  const mac = key.sign("ask", { a: 1 });
  assert.match(mac, HEX_32);
  const rows: [name: string, SiteKey, kind: string, what: unknown, expected: boolean][] = [
    ["the same", new SiteKey("secret", "use"), "ask", { a: 1 }, true],
    ["another secret", new SiteKey("secreu", "use"), "ask", { a: 1 }, false],
    ["no secret", new SiteKey("", "use"), "ask", { a: 1 }, false],
    ["another use", new SiteKey("secret", "use 2"), "ask", { a: 1 }, false],
    ["another kind", key, "answer", { a: 1 }, false],
    ["something else", key, "ask", { a: 2 }, false],
  ];
  for (const [name, other, kind, what, expected] of rows) {
    assert.equal(other.isSigned(kind, what, mac), expected, name);
  }
  const last = mac.endsWith("0") ? "1" : "0";
  assert.equal(key.isSigned("ask", { a: 1 }, mac.slice(0, -1) + last), false);
});

Deno.test("nonces are never the same", () => {
  const nonces = Array.from({ length: 100 }, newNonce);
  assert.equal(new Set(nonces).size, nonces.length);
  for (const nonce of nonces) assert.match(nonce, HEX_32);
});
