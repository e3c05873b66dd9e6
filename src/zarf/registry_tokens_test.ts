import assert from "node:assert/strict";
import { fetchToken, wantsToken } from "./registry_tokens.ts";

const ROWS: readonly (readonly [name: string, challenge: string, message: RegExp])[] = [
  ["no place", 'Bearer service="site"', /does not say where tokens are/],
  ["a place that is none", 'Bearer realm="/token"', /does not say where tokens are/],
  ["a file", 'Bearer realm="file:///etc/passwd"', /does not say where tokens are/],
  [
    "a place that everybody on the way can read",
    'Bearer realm="http://tokens.example.com/token",service="site"',
    /tokens at tokens\.example\.com by plain HTTP, which is not private/,
  ],
];
for (const [name, challenge, message] of ROWS) {
  Deno.test(`a password is sent nowhere when a registry names ${name}`, async () => {
    assert.equal(wantsToken(challenge), true);
    const request = { authorization: "Basic c2VjcmV0", challenge, scopes: [] };
    await assert.rejects(fetchToken(request), (error) => {
      assert(error instanceof Error);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /c2VjcmV0/);
      return true;
    });
  });
}

Deno.test("who asks for a password wants no token", () => {
  assert.equal(wantsToken('Basic realm="site"'), false);
  assert.equal(wantsToken(undefined), false);
});
