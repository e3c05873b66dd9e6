import assert from "node:assert/strict";
import {
  decode,
  deleteOptionsOf,
  encode,
  objectOf,
  queryOf,
  refOf,
  responseOf,
  valueOfResponse,
} from "./encoding.ts";
import { KubeError, type KubeErrorReason } from "./errors.ts";
import type { DeleteOptions, KubeObject } from "./types.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const reasonIs = (reason: KubeErrorReason) => (error: unknown) =>
  error instanceof KubeError && error.reason === reason;

for (
  const [body, sent] of [
    ["text", "text"],
    ["", ""],
    [{ a: [1, null] }, '{"a":[1,null]}'],
    [[], "[]"],
    [null, "null"],
    [{ gone: undefined }, "{}"],
  ] as const
) {
  Deno.test(`the body ${JSON.stringify(body)} is sent as ${JSON.stringify(sent)}`, () => {
    assert.equal(encode(body), sent);
  });
}

Deno.test("bytes are sent as they are", () => {
  const bytes = Uint8Array.of(0, 255);
  assert.equal(encode(bytes), bytes);
});

for (
  const [text, value] of [
    ['{"a":1}', { a: 1 }],
    ["[1]", [1]],
    ["null", null],
    ["3", 3],
    ["", ""],
    ["ok", "ok"],
    ["{broken", "{broken"],
    ["Zwölf €", "Zwölf €"],
  ] as const
) {
  Deno.test(`an answer of ${JSON.stringify(text)} is read as ${JSON.stringify(value)}`, () => {
    assert.deepEqual(decode(bytesOf(text)), value);
  });
}

for (
  const [values, query] of [
    [{}, ""],
    [{ a: undefined }, ""],
    [{ a: "b" }, "?a=b"],
    [{ a: "", b: "1" }, "?a=&b=1"],
    [{ labelSelector: "a in (b,c),d!=e" }, "?labelSelector=a+in+%28b%2Cc%29%2Cd%21%3De"],
    [{ a: "x&y=z#?" }, "?a=x%26y%3Dz%23%3F"],
  ] as const
) {
  Deno.test(`the query of ${JSON.stringify(values)} is "${query}"`, () => {
    assert.equal(queryOf(values), query);
  });
}

for (
  const [metadata, expected] of [
    [{ name: "a" }, { name: "a" }],
    [{ name: "a", namespace: "n" }, { name: "a", namespace: "n" }],
    [{ generateName: "a-" }, { name: "" }],
    [{ generateName: "a-", name: "b" }, { name: "b" }],
  ] as const
) {
  Deno.test(`an object with ${JSON.stringify(metadata)} is known by it`, () => {
    const object: KubeObject = { apiVersion: "v1", kind: "Pod", metadata };
    assert.deepEqual(refOf(object), { apiVersion: "v1", kind: "Pod", ...expected });
  });
}

Deno.test("an object without any name is not sent", () => {
  assert.throws(
    () => refOf({ apiVersion: "v1", kind: "Pod", metadata: {} }),
    reasonIs("Invalid"),
  );
});

Deno.test("an item of a list gets the version and kind that it lacks, and keeps those it has", () => {
  const ref = { apiVersion: "v1", kind: "Pod" };
  const metadata = { name: "a" };
  assert.deepEqual(objectOf({ metadata, spec: 1 }, ref), { ...ref, metadata, spec: 1 });
  const own = { apiVersion: "v2", kind: "Other", metadata };
  assert.deepEqual(objectOf(own, ref), own);
});

for (const value of [null, undefined, 3, "text", [], {}, { metadata: null }, { metadata: "x" }]) {
  Deno.test(`${JSON.stringify(value)} is no object of the API`, () => {
    assert.throws(
      () => objectOf(value, { apiVersion: "v1", kind: "Pod" }),
      (error) =>
        reasonIs("BadResponse")(error) && (error as Error).message.endsWith("is not a Pod"),
    );
  });
}

for (
  const [options, more] of [
    [{}, { propagationPolicy: "Background" }],
    [{ propagationPolicy: "Orphan" }, { propagationPolicy: "Orphan" }],
    [{ gracePeriodSeconds: 0 }, { propagationPolicy: "Background", gracePeriodSeconds: 0 }],
    [{ dryRun: true }, { propagationPolicy: "Background", dryRun: ["All"] }],
    [{ dryRun: false }, { propagationPolicy: "Background" }],
    [{ preconditions: { resourceVersion: "7" } }, {
      propagationPolicy: "Background",
      preconditions: { resourceVersion: "7" },
    }],
  ] as const satisfies readonly (readonly [DeleteOptions, object])[]
) {
  Deno.test(`a deletion with ${JSON.stringify(options)} asks for ${JSON.stringify(more)}`, () => {
    const sent = JSON.parse(JSON.stringify(deleteOptionsOf(options)));
    assert.deepEqual(sent, { apiVersion: "v1", kind: "DeleteOptions", ...more });
  });
}

Deno.test("the value of a good answer is what is in it", async () => {
  assert.deepEqual(await valueOfResponse("GET /x", Response.json({ a: 1 })), { a: 1 });
  assert.equal(await valueOfResponse("GET /x", new Response("ok")), "ok");
  assert.equal(await valueOfResponse("GET /x", new Response(null, { status: 204 })), "");
});

for (
  const [status, body, reason, text] of [
    [404, '{"kind":"Status","message":"no such pod"}', "NotFound", /404: no such pod$/],
    [429, "too many requests\n", "TooManyRequests", /429: too many requests$/],
    [503, "", "ServerError", /GET \/x: the API server answered 503$/],
    [307, "", "BadResponse", /307$/],
  ] as const
) {
  Deno.test(`an answer of ${status} is ${reason}, whatever its body`, async () => {
    const response = new Response(body, { status, headers: { "retry-after": "2" } });
    await assert.rejects(valueOfResponse("GET /x", response), (error) => {
      assert.ok(error instanceof KubeError);
      assert.equal(error.reason, reason);
      assert.equal(error.retryAfter, 2_000);
      assert.match(error.message, text);
      return true;
    });
  });
}

Deno.test("an answer in memory becomes one as fetch gives it", async () => {
  const headers = new Headers({ "content-type": "text/plain" });
  const response = responseOf({ status: 418, headers, body: bytesOf("teapot") });
  assert.deepEqual([response.status, await response.text()], [418, "teapot"]);
  assert.equal(response.headers.get("content-type"), "text/plain");
  // A status that may have no body gets none.
  const empty = responseOf({ status: 204, headers, body: new Uint8Array() });
  assert.equal(empty.body, null);
});
