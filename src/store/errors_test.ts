import assert from "node:assert/strict";
import { describeError } from "../std/mod.ts";
import { guarded, StoreError, storeError } from "./errors.ts";
import { osError } from "./testing.ts";

for (
  const [what, cause, reason, disposition, remedy] of [
    ["ENOSPC", osError("ENOSPC"), "DiskFull", "wait", /free space/],
    ["EDQUOT", osError("EDQUOT"), "DiskFull", "wait", /free space/],
    ["EACCES", osError("EACCES"), "Permission", "wait", /let the agent write/],
    ["EPERM", osError("EPERM"), "Permission", "wait", /let the agent write/],
    ["EROFS", osError("EROFS"), "ReadOnly", "wait", /mount the data disk writable/],
    ["EIO", osError("EIO"), "IoError", "retry", /kernel log/],
    ["a code that is not told apart", osError("EMFILE"), "IoError", "retry", /kernel log/],
    [
      "Deno's number of a full disk",
      new Error("No space left on device (os error 28)"),
      "DiskFull",
      "wait",
      /free space/,
    ],
    [
      "Deno's number of a read-only file system",
      new Error("Read-only file system (os error 30)"),
      "ReadOnly",
      "wait",
      /writable/,
    ],
    [
      "a permission that Deno itself denies",
      new Deno.errors.PermissionDenied("no"),
      "Permission",
      "wait",
      /let the agent write/,
    ],
    [
      "a cause below another error",
      new Error("could not", { cause: osError("ENOSPC") }),
      "DiskFull",
      "wait",
      /free space/,
    ],
    ["no error at all", "text", "IoError", "retry", /kernel log/],
    ["nothing", undefined, "IoError", "retry", /kernel log/],
  ] as const
) {
  Deno.test(`${what} is ${reason}, to ${disposition}, with what to do`, () => {
    const error = storeError("keep blob x", cause);
    assert.ok(error instanceof StoreError);
    assert.equal(error.reason, reason);
    assert.equal(error.disposition, disposition);
    assert.match(error.remedy ?? "", remedy);
    assert.match(error.message, /^cannot keep blob x: /);
    assert.equal(error.cause, cause);
    assert.match(describeError(error), /what the store held before is unchanged/);
  });
}

Deno.test("what already has a reason keeps it, however deep the call", () => {
  const first = new StoreError({ reason: "UnsafePath", message: "first" });
  assert.equal(storeError("do more", first), first);
  const nested = () =>
    guarded("outer", () => guarded("inner", () => Deno.readFileSync("/none/at/all")));
  assert.throws(
    nested,
    (error: StoreError) =>
      error.message === "cannot inner: the disk reports an error" &&
      error.cause instanceof Deno.errors.NotFound,
  );
});

Deno.test("a guarded call that succeeds gives its value", () => {
  assert.equal(guarded("count", () => 3), 3);
  assert.equal(guarded("nothing", () => undefined), undefined);
});
