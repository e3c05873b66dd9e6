import * as v from "valibot";
import { type PatchOperation, setEntries } from "../json_patch.ts";
import { isOptedOut } from "../policy.ts";
import type { AdmissionRequest } from "../review.ts";
import type { Site } from "../site.ts";
import { PATCHED, PATCHED_LABEL } from "./pod.ts";
import { type Rule, UNCHANGED, type Verdict } from "./rule.ts";

/** What rules look at in the metadata of an object. */
export const MetadataSchema = v.looseObject({
  name: v.nullish(v.string(), ""),
  labels: v.nullish(v.record(v.string(), v.string())),
});

/** A text that may be absent or null, which Go reads as empty. */
export const Text = v.nullish(v.string(), "");

/** What every schema of an object holds. */
export interface ObjectParts {
  readonly metadata: v.InferOutput<typeof MetadataSchema>;
}

/** A question about one object. */
export interface Question<T> {
  readonly object: T;
  /** What it was before an update; absent for a new object and where it cannot be read. */
  readonly before?: T;
  readonly isUpdate: boolean;
  readonly site: Site;
}

/** What {@linkcode objectRule} makes a rule from. */
export interface ObjectRuleParts<T extends ObjectParts> {
  readonly path: string;
  readonly kind: string;
  readonly schema: v.GenericSchema<unknown, T>;
  /** Decides about a new or changed object that did not opt out. */
  judge(question: Question<T>): Verdict | Promise<Verdict>;
}

/** A rule for objects that are created and updated as a whole; subresources are left alone. */
export function objectRule<T extends ObjectParts>(
  { path, kind, schema, judge }: ObjectRuleParts<T>,
): Rule {
  return {
    path,
    kind,
    judge(request: AdmissionRequest, site: Site) {
      const { operation, subResource } = request;
      const isUpdate = operation === "UPDATE";
      if (subResource !== "" || !(isUpdate || operation === "CREATE")) return UNCHANGED;
      const object = v.parse(schema, request.object);
      if (isOptedOut(object.metadata.labels)) return UNCHANGED;
      const before = isUpdate ? v.safeParse(schema, request.oldObject) : undefined;
      const known = before?.success ? { before: before.output } : {};
      return judge({ object, ...known, isUpdate, site });
    },
  };
}

/** The step that says on an object that the webhook has seen it, as Zarf's agent does. */
export function labelPatched({ metadata }: ObjectParts): PatchOperation[] {
  return setEntries(["metadata", "labels"], metadata.labels, { [PATCHED_LABEL]: PATCHED });
}
