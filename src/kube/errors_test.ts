import assert from "node:assert/strict";
import type { Disposition } from "../std/mod.ts";
import {
  errorOfResponse,
  isTransient,
  KubeError,
  type KubeErrorReason,
  pauseAskedBy,
} from "./errors.ts";

Deno.test("every refusal has its reason and says what to do about it", async (t) => {
  const cases: [number, string | undefined, KubeErrorReason, Disposition][] = [
    [400, "BadRequest", "Invalid", "terminal"],
    [401, "Unauthorized", "Unauthorized", "wait"],
    [403, "Forbidden", "Forbidden", "wait"],
    [404, "NotFound", "NotFound", "wait"],
    [404, undefined, "NotFound", "wait"],
    [405, "MethodNotAllowed", "Invalid", "terminal"],
    [409, "AlreadyExists", "AlreadyExists", "terminal"],
    [409, "Conflict", "Conflict", "retry"],
    [409, undefined, "Conflict", "retry"],
    [410, "Expired", "Gone", "retry"],
    [410, "Gone", "Gone", "retry"],
    [413, "RequestEntityTooLarge", "TooLarge", "terminal"],
    [415, "UnsupportedMediaType", "Invalid", "terminal"],
    [422, "Invalid", "Invalid", "terminal"],
    [429, "TooManyRequests", "TooManyRequests", "retry"],
    [500, "InternalError", "ServerError", "retry"],
    [503, "ServiceUnavailable", "ServerError", "retry"],
    [504, "Timeout", "ServerError", "retry"],
    [302, undefined, "BadResponse", "retry"],
  ];
  for (const [status, reason, expected, disposition] of cases) {
    await t.step(`${status} ${reason ?? ""}`, () => {
      const error = errorOfResponse("GET /x", status, null, {
        kind: "Status",
        reason,
        message: "why",
      });
      assert.deepEqual([error.reason, error.disposition, error.status], [
        expected,
        disposition,
        status,
      ]);
      assert.equal(error.message, `GET /x: the API server answered ${status}: why`);
    });
  }
});

Deno.test("how long to wait comes from the header, else from the details, and has a limit", () => {
  const details = { retryAfterSeconds: 7 };
  const asked = (header: string | null, body: unknown) =>
    pauseAskedBy(errorOfResponse("GET /x", 429, header, body));
  assert.equal(asked("2", { details }), 2_000);
  assert.equal(asked(null, { details }), 7_000);
  assert.equal(asked("Wed, 21 Oct 2015 07:28:00 GMT", {}), undefined);
  assert.equal(asked("86400", {}), 60_000);
  assert.equal(asked(null, { details: { retryAfterSeconds: -1 } }), undefined);
  assert.equal(pauseAskedBy(new Error("other")), undefined);
});

Deno.test("a body that is no Status is quoted, and cut", () => {
  assert.match(errorOfResponse("GET /x", 502, null, "bad gateway\n").message, /502: bad gateway$/);
  assert.equal(errorOfResponse("GET /x", 500, null, "x".repeat(1 << 20)).message.length, 1000);
  for (const body of [null, undefined, 3, [], { message: 3, reason: {} }]) {
    assert.match(errorOfResponse("GET /x", 500, null, body).message, /answered 500$/);
  }
});

Deno.test("only what may go away by itself is transient", () => {
  const transient = (reason: KubeErrorReason) =>
    isTransient(new KubeError({ reason, message: "" }));
  for (const reason of ["Unreachable", "Timeout", "TooManyRequests", "ServerError"] as const) {
    assert.ok(transient(reason));
  }
  for (const reason of ["Forbidden", "NotFound", "Conflict", "Invalid"] as const) {
    assert.ok(!transient(reason));
  }
  assert.ok(!isTransient(new Error("other")));
});
