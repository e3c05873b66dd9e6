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

Deno.test("a refusal shows what others wrote on one line of bounded length", () => {
  const cause = new Error("line 1\n\x1b[2Jline 2");
  const error = packageError("UnsafePath", `a\n${"b".repeat(1 << 20)}\x9b: is wrong`, { cause });
  assert.match(error.message, /^a b+…b+\\u009b: is wrong$/);
  assert.equal(error.message.length, 1000);
  assert.match(describeError(error), /: line 1 \\u001b\[2Jline 2; nothing of the package was/);
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
