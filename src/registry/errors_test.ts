import assert from "node:assert/strict";
import { type OciErrorCode, RequestError } from "./errors.ts";

for (
  const [code, status] of [
    ["BLOB_UNKNOWN", 404],
    ["MANIFEST_UNKNOWN", 404],
    ["NAME_UNKNOWN", 404],
    ["NAME_INVALID", 400],
    ["DIGEST_INVALID", 400],
    ["TAG_INVALID", 400],
    ["PAGINATION_NUMBER_INVALID", 400],
    ["UNSUPPORTED", 405],
    ["TOOMANYREQUESTS", 429],
    ["UNKNOWN", 500],
    ["UNAVAILABLE", 503],
  ] as const satisfies readonly (readonly [OciErrorCode, number])[]
) {
  Deno.test(`${code} is answered with ${status} and a body that clients parse`, async () => {
    const error = new RequestError(code, "what is wrong", { name: "ä" }, { "x-more": "1" });
    const response = error.response("GET");
    assert.equal(response.status, status);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal(response.headers.get("x-more"), "1");
    const bytes = await response.bytes();
    assert.equal(response.headers.get("content-length"), String(bytes.length));
    assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), {
      errors: [{ code, message: "what is wrong", detail: { name: "ä" } }],
    });
  });
}

Deno.test("an error without detail says null, and to HEAD only how long it would be", async () => {
  const error = new RequestError("NAME_UNKNOWN", "no");
  const text = await error.response("GET").text();
  assert.equal(JSON.parse(text).errors[0].detail, null);
  const head = error.response("HEAD");
  assert.equal(await head.text(), "");
  assert.equal(head.headers.get("content-length"), String(text.length));
});
