import { type Digest, digestOf } from "../../std/mod.ts";
import type { PreviewedObject } from "../helm_preview.ts";
import {
  changesOf,
  type FieldChange,
  MAX_CHANGES,
  type Redact,
  withoutSecrets,
} from "./changes.ts";
import { canonicalJson, valueAt } from "./json.ts";
import { inCommon, MADE_ANEW } from "./made_anew.ts";

/** What would become of one object of a release. */
export interface PlannedObject {
  /** `crd`: of the chart's `crds`. */
  readonly role: "object" | "hook" | "crd";
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** `runs`: a hook, which is made anew; `unknown` and `refused` say why in `reason`. */
  readonly outcome:
    | "created"
    | "changed"
    | "unchanged"
    | "deleted"
    | "runs"
    | "unknown"
    | "refused";
  readonly reason?: string;
  /** Of what is sent, secrets left out: where nothing is there to compare it with. */
  readonly content?: Digest;
  readonly changes?: readonly FieldChange[];
  /** Changes beyond {@linkcode MAX_CHANGES}. */
  readonly moreChanges?: number;
}

/** What {@linkcode plannedObjects} needs to know. */
export interface ObjectsContext {
  readonly redact: Redact;
  /** Whether a kind comes with what the package has before it: `lab.example/Widget`. */
  readonly isComing: (groupKind: string) => boolean;
}

/**
 * What Helm would do with the objects of a release, in its order.
 *
 * @param again The same question asked once more, where a chart was rendered: what is not the same in
 * both is made up by the chart and left out.
 */
export function plannedObjects(
  objects: readonly PreviewedObject[],
  again: readonly PreviewedObject[] | undefined,
  context: ObjectsContext,
): PlannedObject[] {
  const second = again === undefined ? undefined : new Map(again.map((one) => [keyOf(one), one]));
  return objects.map((object) => {
    if (second === undefined || object.target === undefined) return plannedObject(object, context);
    const other = second.get(keyOf(object));
    if (other !== undefined) return plannedObject(bothOf(object, other), context);
    const { content: _, ...rest } = plannedObject(object, context);
    return { ...rest, name: MADE_ANEW };
  });
}

function keyOf({ role, apiVersion, kind, namespace = "", name }: PreviewedObject): string {
  return [role, apiVersion, kind, namespace, name].join("\n");
}

function bothOf(one: PreviewedObject, other: PreviewedObject): PreviewedObject {
  const common = (key: "target" | "after") =>
    one[key] === undefined ? {} : { [key]: inCommon(one[key], other[key]) };
  return { ...one, ...common("target"), ...common("after") };
}

/** What the API server says where a webhook may do more than answer (apiserver, NewDryRunUnsupportedErr). */
const NO_DRY_RUN = /admission webhook "[^"]*" does not support dry run/;

function outcomeOf({ before, after, target, role, notAsked, refused }: PreviewedObject) {
  if (refused !== undefined) return NO_DRY_RUN.test(refused) ? "unasked" : "refused";
  if (notAsked === "kind") return "unknown";
  if (role === "hook") return "runs";
  if (target === undefined) return "deleted";
  return before === undefined || after === undefined ? "created" : "changed";
}

function plannedObject(object: PreviewedObject, context: ObjectsContext): PlannedObject {
  const { role, apiVersion, kind, namespace = undefined, name, target } = object;
  const base = {
    ...{ role, apiVersion, kind, name },
    ...(namespace === undefined ? {} : { namespace }),
  };
  const outcome = outcomeOf(object);
  const content = target === undefined
    ? {}
    : { content: digestOf(canonicalJson(withoutSecrets(target, context.redact))) };
  switch (outcome) {
    case "refused":
      return { ...base, outcome, reason: context.redact(object.refused ?? ""), ...content };
    case "unasked":
      return {
        ...base,
        outcome: "unknown",
        reason: NO_DRY_RUN.exec(object.refused ?? "")?.[0] ?? "",
        ...content,
      };
    case "unknown":
      return { ...base, ...notThere(apiVersion, kind, context) };
    case "changed": {
      const changes = changesOf(object.before, object.after, context.redact);
      if (changes.length === 0) return { ...base, outcome: "unchanged" };
      const more = changes.length - MAX_CHANGES;
      return {
        ...base,
        outcome,
        changes: changes.slice(0, MAX_CHANGES),
        ...(more > 0 ? { moreChanges: more } : {}),
      };
    }
    case "created":
    case "runs":
      return { ...base, outcome, ...content };
    case "deleted":
      return { ...base, outcome };
  }
}

/** What becomes of an object whose kind the cluster does not have. */
function notThere(
  apiVersion: string,
  kind: string,
  { isComing }: ObjectsContext,
): Pick<PlannedObject, "outcome" | "reason"> {
  return isComing(groupKind(apiVersion, kind))
    ? { outcome: "unknown", reason: "its kind is not there yet" }
    : {
      outcome: "refused",
      reason: `the cluster has no kind ${kind} in ${apiVersion}, and nothing before it makes one`,
    };
}

/** `lab.example/Widget`; of the core group `/Pod`. */
export function groupKind(apiVersion: string, kind: string): string {
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  return `${group}/${kind}`;
}

/** The kind that a CustomResourceDefinition makes: `lab.example/Widget`. */
export function kindMadeBy(object: unknown): string | undefined {
  if (valueAt(object, "kind") !== "CustomResourceDefinition") return undefined;
  return `${valueAt(object, "spec", "group")}/${valueAt(object, "spec", "names", "kind")}`;
}
