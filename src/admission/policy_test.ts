import assert from "node:assert/strict";
import { isOptedOut, type Labels, type MutationPolicy, shouldMutate } from "./policy.ts";

type Answer = "mutate" | "ignore" | "skip" | "other";

const labels = (answer: Answer | undefined): Labels =>
  answer === undefined ? undefined : { "zarf.dev/agent": answer };

/** Zarf 0.84, src/internal/agent/operations/mutate_test.go, TestShouldMutate: all 16 rows. */
const ROWS: [MutationPolicy, Answer | undefined, Answer | undefined, boolean][] = [
  ["all", undefined, undefined, true],
  ["all", "mutate", undefined, true],
  ["all", "ignore", undefined, false],
  ["all", "skip", undefined, false],
  ["all", undefined, "ignore", false],
  ["all", undefined, "mutate", true],
  ["all", "mutate", "ignore", true],
  ["all", "ignore", "mutate", false],
  ["labeled", undefined, undefined, false],
  ["labeled", "mutate", undefined, true],
  ["labeled", "ignore", undefined, false],
  ["labeled", "skip", undefined, false],
  ["labeled", undefined, "mutate", true],
  ["labeled", undefined, "ignore", false],
  ["labeled", "mutate", "ignore", true],
  ["labeled", "ignore", "mutate", false],
];

Deno.test("the object's label decides, then the namespace's, then the policy", () => {
  for (const [policy, object, namespace, wanted] of ROWS) {
    assert.equal(
      shouldMutate(labels(object), labels(namespace), policy),
      wanted,
      `${policy}, object ${object}, namespace ${namespace}`,
    );
  }
});

Deno.test("another value, other labels and none at all say nothing", () => {
  const silent: Labels[] = [undefined, null, {}, { app: "web" }, labels("other")];
  for (const object of silent) {
    for (const namespace of silent) {
      assert.equal(shouldMutate(object, namespace, "all"), true);
      assert.equal(shouldMutate(object, namespace, "labeled"), false);
    }
    assert.equal(shouldMutate(object, labels("skip"), "all"), false);
    assert.equal(shouldMutate(object, labels("mutate"), "labeled"), true);
    assert.equal(isOptedOut(object), false);
  }
});

Deno.test("only ignore and skip take an object out", () => {
  assert.equal(isOptedOut(labels("ignore")), true);
  assert.equal(isOptedOut(labels("skip")), true);
  assert.equal(isOptedOut(labels("mutate")), false);
});
