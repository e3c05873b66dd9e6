import * as v from "valibot";
import { COMPATIBLE_ZARF, type PackageErrorReason, type TrustedKey } from "../package/mod.ts";
import type { LedgerRefusal } from "../store/mod.ts";
import type { Attempt } from "./attempts.ts";
import type { DropOutcome } from "./types.ts";

const outcomeSchema = v.variant("phase", [
  v.object({ phase: v.literal("Accepted"), digest: v.string() }),
  v.object({
    phase: v.literal("Rejected"),
    reason: v.string(),
    message: v.string(),
    keys: v.exactOptional(v.string()),
  }),
]);

/** An outcome that holds as long as the file does not change; only these are recorded. */
export type FinalOutcome = v.InferOutput<typeof outcomeSchema>;

/** Reads a recorded outcome; what an unknown version wrote counts as not there. */
export function parseOutcome(value: unknown): FinalOutcome | undefined {
  const parsed = v.safeParse(outcomeSchema, value);
  return parsed.success ? parsed.output : undefined;
}

/** Whether nothing more will be said about the file by itself. */
export function isFinal(outcome: DropOutcome): outcome is FinalOutcome {
  return outcome.phase !== "Receiving";
}

/** What a refusal for the sake of trust depends on beside the file: which keys there were. */
export function keyRing(trust: readonly TrustedKey[]): string {
  return trust.map(({ fingerprint }) => fingerprint).sort().join(" ");
}

const TRUST_REASONS: readonly string[] = [
  ...["Unsigned", "SignatureInvalid", "SignatureUnreadable"] satisfies PackageErrorReason[],
  ...["OlderVersion", "AlreadySuperseded"] satisfies LedgerRefusal["reason"][],
];

/**
 * What a refusal depends on beside the file, as it is now: when that is another, the file is read
 * again. `undefined` where nothing but another file can help.
 *
 * @param ring the {@linkcode keyRing} of this agent.
 */
export function conditionOf(reason: string, ring: string): string | undefined {
  if (TRUST_REASONS.includes(reason)) return ring;
  return reason === "UnsupportedZarfVersion" satisfies PackageErrorReason
    ? COMPATIBLE_ZARF
    : undefined;
}

/** Why a file is not in the store yet, where nothing is wrong. */
export type ReceivingReason = "BeingCopied" | "LookingOver" | "Reading" | "Stopped";

const RECEIVING: Readonly<Record<ReceivingReason, string>> = {
  BeingCopied: "the file is being copied",
  LookingOver: "the package is being looked over: who signed it, and whether it fits",
  Reading: "the package is being read and verified",
  Stopped: "the agent is stopping; the package is read again at the next start",
};

/** @param bytes of the file so far. */
export function receiving(reason: ReceivingReason, bytes = 0): DropOutcome {
  return { phase: "Receiving", reason, message: RECEIVING[reason], bytes };
}

/** After a failure that may pass. */
export function waiting({ reason, message }: Pick<Attempt, "reason" | "message">): DropOutcome {
  return { phase: "Receiving", reason, message, bytes: 0 };
}
