import * as v from "valibot";
import type { PatchOperation } from "./json_patch.ts";

/** The parts of an AdmissionReview (admission.k8s.io/v1) that are read. */
export const AdmissionReviewSchema = v.object({
  apiVersion: v.literal("admission.k8s.io/v1"),
  kind: v.literal("AdmissionReview"),
  request: v.object({
    uid: v.pipe(v.string(), v.nonEmpty()),
    operation: v.picklist(["CREATE", "UPDATE", "DELETE", "CONNECT"]),
    subResource: v.optional(v.string(), ""),
    namespace: v.optional(v.string(), ""),
    object: v.optional(v.unknown()),
    oldObject: v.optional(v.unknown()),
  }),
});

/** What is asked: whether `object` may be stored, and how. */
export type AdmissionRequest = v.InferOutput<typeof AdmissionReviewSchema>["request"];

/** What a rule works with. */
export interface RuleContext {
  /** Host and port that images are pulled from, for example `127.0.0.1:31999`. */
  readonly registryAddress: string;
}

/** A rule's answer: the object with these changes (none is no change), or a refusal. */
export type Verdict =
  | { readonly allowed: true; readonly patch: readonly PatchOperation[] }
  | { readonly allowed: false; readonly message: string };

/** How objects of one kind are changed. */
export interface Rule {
  /** Where the API server posts reviews for this rule. */
  readonly path: string;
  /** @throws {v.ValiError} when the object is not of the rule's kind. */
  readonly review: (request: AdmissionRequest, context: RuleContext) => Verdict;
}

/** The review that answers a request (admission.k8s.io/v1, AdmissionResponse). */
export function answerOf(uid: string, verdict: Verdict): unknown {
  const { allowed } = verdict;
  const response = !allowed
    ? { uid, allowed, status: { code: 400, reason: "BadRequest", message: verdict.message } }
    : verdict.patch.length === 0
    ? { uid, allowed }
    : { uid, allowed, patchType: "JSONPatch", patch: encode(verdict.patch) };
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
}

function encode(patch: readonly PatchOperation[]): string {
  return new TextEncoder().encode(JSON.stringify(patch)).toBase64();
}
