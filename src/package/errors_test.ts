import assert from "node:assert/strict";
import { describeError, dispositionOf } from "../std/mod.ts";
import { PackageError, packageError, type PackageErrorReason } from "./errors.ts";

Deno.test("a refusal is terminal and says what was kept and what to do", async (t) => {
  const cases: [PackageErrorReason, RegExp][] = [
    ["Truncated", /copy the package file again/],
    ["ChecksumMismatch", /copy the package file again/],
    ["NotZstd", /its name ends as its content does/],
    ["ArchitectureMismatch", /built for this node's processor/],
    ["MissingImage", /build the package again/],
  ];
  for (const [reason, remedy] of cases) {
    await t.step(reason, () => {
      const error = packageError(reason, "the part: is wrong");
      assert.equal(dispositionOf(error), "terminal");
      assert.match(
        describeError(error),
        /^the part: is wrong; nothing of the package was taken in/,
      );
      assert.match(error.remedy ?? "", remedy);
    });
  }
});

Deno.test("a refusal can be made again on the other side of a worker from its parts", () => {
  const cause = new Error("libzstd says no");
  const error = packageError("Corrupt", "the data: is bad", { remedy: "do this", cause });
  assert.equal(error.cause, cause);
  const { reason, message, remedy } = error;
  assert(remedy !== undefined);
  const again = new PackageError({ reason, message, remedy });
  assert.deepEqual([again.reason, again.message, again.remedy, again.kept, again.name], [
    "Corrupt",
    "the data: is bad",
    "do this",
    error.kept,
    "PackageError",
  ]);
});

Deno.test("what may pass by itself is no fault of the file", () => {
  const error = packageError("FileChanged", "the file: was changed");
  assert.equal(dispositionOf(error), "retry");
  assert.match(error.remedy ?? "", /read again/);
});
