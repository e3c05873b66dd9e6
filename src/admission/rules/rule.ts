import type { PatchOperation } from "../json_patch.ts";
import type { AdmissionRequest } from "../review.ts";
import type { Site } from "../site.ts";

/**
 * What becomes of a request. An empty patch leaves the object as it is. Warnings are shown to who
 * wrote the object.
 */
export type Verdict =
  | {
    readonly allowed: true;
    readonly patch: readonly PatchOperation[];
    readonly warnings?: readonly string[];
  }
  | { readonly allowed: false; readonly message: string };

/** How objects of one kind are changed. Judging its own result again changes nothing. */
export interface Rule {
  /** The path that the API server posts to. */
  readonly path: string;
  /** The kind of object that it understands. */
  readonly kind: string;
  /**
   * Decides about one request.
   *
   * @throws {valibot.ValiError} when the object does not have the shape of its kind.
   */
  judge(request: AdmissionRequest, site: Site): Verdict | Promise<Verdict>;
}

/** The verdict that changes nothing. */
export const UNCHANGED: Verdict = { allowed: true, patch: [] };
