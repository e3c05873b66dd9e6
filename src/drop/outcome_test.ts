import assert from "node:assert/strict";
import { isFinal, parseOutcome } from "./outcome.ts";
import type { DropOutcome } from "./types.ts";

const outcomes: readonly [DropOutcome, boolean][] = [
  [{ phase: "Accepted", digest: "sha256:1" }, true],
  [{ phase: "Rejected", reason: "Corrupt", message: "it is damaged" }, true],
  [{ phase: "Receiving", reason: "Reading", message: "it is read", bytes: 3 }, false],
];

for (const [outcome, final] of outcomes) {
  Deno.test(`${outcome.phase} is ${final ? "" : "not "}recorded, and read as it was`, () => {
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
