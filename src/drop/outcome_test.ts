import assert from "node:assert/strict";
import { keyPair } from "../../test/fixtures/sign_package.ts";
import { COMPATIBLE_ZARF } from "../package/mod.ts";
import { conditionOf, isFinal, keyRing, parseOutcome } from "./outcome.ts";
import type { DropOutcome } from "./types.ts";

const outcomes: readonly [DropOutcome, boolean][] = [
  [{ phase: "Accepted", digest: "sha256:1" }, true],
  [{ phase: "Rejected", reason: "Corrupt", message: "it is damaged" }, true],
  [{ phase: "Rejected", reason: "Unsigned", message: "m", keys: "b7cdfef8" }, true],
  [{ phase: "Receiving", reason: "Reading", message: "it is read", bytes: 3 }, false],
];

for (const [outcome, final] of outcomes) {
  const what = "reason" in outcome ? `${outcome.phase} ${outcome.reason}` : outcome.phase;
  Deno.test(`${what} is ${final ? "" : "not "}recorded, and read as it was`, () => {
    assert.equal(isFinal(outcome), final);
    const written: unknown = JSON.parse(JSON.stringify(outcome));
    assert.deepEqual(parseOutcome(written), final ? outcome : undefined);
  });
}

const unknown: readonly unknown[] = [
  undefined,
  null,
  "Accepted",
  {},
  { phase: "Accepted" },
  { phase: "Rejected", reason: "Corrupt" },
  { phase: "Quarantined", digest: "sha256:1" },
  { phase: "Accepted", digest: 1 },
];

for (const value of unknown) {
  Deno.test(`what another version wrote (${JSON.stringify(value)}) counts as not there`, () => {
    assert.equal(parseOutcome(value), undefined);
  });
}

Deno.test("a key ring is named by its keys, in whatever order they are given", () => {
  const [a, b] = [keyPair().trusted, keyPair().trusted];
  assert.equal(keyRing([a, b]), keyRing([b, a]));
  assert.equal(keyRing([]), "");
  assert.equal(new Set([keyRing([]), keyRing([a]), keyRing([b]), keyRing([a, b])]).size, 4);
});

Deno.test("a refusal depends on the keys where it is for the signature's or the ledger's sake", () => {
  const trust = ["Unsigned", "SignatureInvalid", "SignatureUnreadable"];
  for (const reason of [...trust, "OlderVersion", "AlreadySuperseded"]) {
    assert.equal(conditionOf(reason, "a ring"), "a ring", reason);
  }
  for (const reason of ["Corrupt", "ArchitectureMismatch", ""]) {
    assert.equal(conditionOf(reason, "a ring"), undefined, reason);
  }
});

Deno.test("what needs a newer Zarf depends on the one that this agent is compatible with", () => {
  assert.equal(conditionOf("UnsupportedZarfVersion", "a ring"), COMPATIBLE_ZARF);
});
