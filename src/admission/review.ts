import * as v from "valibot";
import type { Verdict } from "./rules/rule.ts";

/** The versions of reviews that are understood; each is answered in its own. */
const VERSIONS = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"] as const;

const RequestSchema = v.looseObject({
  uid: v.pipe(v.string(), v.nonEmpty()),
  kind: v.looseObject({ kind: v.string() }),
  operation: v.picklist(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
  subResource: v.optional(v.string(), ""),
  object: v.optional(v.unknown()),
  oldObject: v.optional(v.unknown()),
});

/** What the API server asks (k8s.io/api, admission/v1 and v1beta1, AdmissionReview). */
export const ReviewSchema = v.looseObject({
  apiVersion: v.picklist(VERSIONS),
  kind: v.literal("AdmissionReview"),
  request: RequestSchema,
});

/** One object that is about to be written. `object` and `oldObject` are for the rule to parse. */
export type AdmissionRequest = v.InferOutput<typeof RequestSchema>;

/** A question of the API server. */
export type Review = v.InferOutput<typeof ReviewSchema>;

/** The answer to `review`, in its version. */
export function answerTo({ apiVersion, request }: Review, verdict: Verdict): unknown {
  return {
    apiVersion,
    kind: "AdmissionReview",
    response: { uid: request.uid, ...responseOf(verdict) },
  };
}

function responseOf(verdict: Verdict): Record<string, unknown> {
  if (!verdict.allowed) {
    return {
      allowed: false,
      status: { code: 422, reason: "Invalid", message: verdict.message },
    };
  }
  const { patch, warnings = [] } = verdict;
  return {
    allowed: true,
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(patch.length === 0 ? {} : {
      patchType: "JSONPatch",
      patch: new TextEncoder().encode(JSON.stringify(patch)).toBase64(),
    }),
  };
}
