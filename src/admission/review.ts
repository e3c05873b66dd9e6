import * as v from "valibot";
import type { Verdict } from "./rules/rule.ts";

const API_VERSION = "admission.k8s.io/v1";

const RequestSchema = v.looseObject({
  uid: v.pipe(v.string(), v.nonEmpty()),
  kind: v.looseObject({ kind: v.string() }),
  operation: v.picklist(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
  subResource: v.optional(v.string(), ""),
  object: v.optional(v.unknown()),
  oldObject: v.optional(v.unknown()),
});

/** What the API server asks (k8s.io/api, admission/v1, AdmissionReview). */
export const ReviewSchema = v.looseObject({
  apiVersion: v.literal(API_VERSION),
  kind: v.literal("AdmissionReview"),
  request: RequestSchema,
});

/** One object that is about to be written. `object` and `oldObject` are for the rule to parse. */
export type AdmissionRequest = v.InferOutput<typeof RequestSchema>;

/** The answer to the request `uid`. */
export function reviewOf(uid: string, verdict: Verdict): Record<string, unknown> {
  return {
    apiVersion: API_VERSION,
    kind: "AdmissionReview",
    response: { uid, ...answer(verdict) },
  };
}

function answer(verdict: Verdict): Record<string, unknown> {
  if (!verdict.allowed) {
    return {
      allowed: false,
      status: { code: 422, reason: "Invalid", message: verdict.message },
    };
  }
  if (verdict.patch.length === 0) return { allowed: true };
  const patch = new TextEncoder().encode(JSON.stringify(verdict.patch)).toBase64();
  return { allowed: true, patchType: "JSONPatch", patch };
}
