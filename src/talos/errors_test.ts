import assert from "node:assert/strict";
import { statusError } from "./errors.ts";

Deno.test("a status of gRPC becomes a reason, and says what to do about it", () => {
  const rows: [status: number, reason: string, disposition: string][] = [
    [1, "Refused", "retry"],
    [3, "InvalidArgument", "terminal"],
    [4, "Timeout", "retry"],
    [5, "NotFound", "wait"],
    [6, "AlreadyExists", "terminal"],
    [7, "PermissionDenied", "wait"],
    [9, "FailedPrecondition", "wait"],
    [12, "Unimplemented", "terminal"],
    [14, "Unreachable", "retry"],
    [16, "Unauthenticated", "wait"],
    [99, "Refused", "retry"],
  ];
  for (const [status, reason, disposition] of rows) {
    const error = statusError("a.Service/Call", status, "no\nwonder");
    assert.deepEqual([error.reason, error.disposition], [reason, disposition], String(status));
    assert.equal(error.message, "a.Service/Call: no wonder");
    assert.equal(error.status, status);
  }
  assert.equal(statusError("x", 13, "").message, "x: status 13");
});
