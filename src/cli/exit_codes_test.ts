import assert from "node:assert/strict";
import { SettingsError } from "../agent/mod.ts";
import { PackageError } from "../package/mod.ts";
import { HoldfastError } from "../std/mod.ts";
import { EXIT, exitCodeOf } from "./exit_codes.ts";
import { InspectError } from "./inspect_error.ts";
import { PlanRefused } from "./plan_refused.ts";

const parts = { message: "it failed" };

const codes: readonly (readonly [string, unknown, number])[] = [
  ["a package that is refused", new PackageError({ reason: "Corrupt", ...parts }), 3],
  [
    "a package that may be another when it is read again",
    new PackageError({ reason: "Corrupt", disposition: "retry", ...parts }),
    1,
  ],
  ["a wrong setting", new SettingsError({ reason: "TrustKeyUnusable", ...parts }), 2],
  ["a package that cannot be looked at", new InspectError({ reason: "NoSbom", ...parts }), 1],
  ["a plan that cannot be carried out", new PlanRefused({ reason: "PlanRefused", ...parts }), 3],
  ["another error of ours", new HoldfastError({ reason: "Any", ...parts }), 1],
  ["an error of somebody else", new Error("x"), 1],
  ["something that is no error", "x", 1],
];

for (const [name, error, code] of codes) {
  Deno.test(`${name} ends the process with ${code}`, () => assert.equal(exitCodeOf(error), code));
}

Deno.test("the codes are those of the design", () => {
  assert.deepEqual(EXIT, { done: 0, failed: 1, wrongUse: 2, refusedPackage: 3, timedOut: 4 });
});
