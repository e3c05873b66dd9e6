import { RefError } from "../../refs/mod.ts";
import { type PatchOperation, setAt } from "../json_patch.ts";
import {
  labelPatched,
  type ObjectParts,
  objectRule,
  type ObjectRuleParts,
  type Question,
} from "./object_rule.ts";
import { type Rule, UNCHANGED, type Verdict } from "./rule.ts";
import { isServed, moveUrl, readOr, staysWarning } from "./sources.ts";

/** One place in an object that names where something comes from. */
export interface Place {
  readonly path: readonly (string | number)[];
  readonly url: string;
}

/** What {@linkcode placesRule} makes a rule from. */
export interface PlacesRuleParts<T extends ObjectParts> extends Omit<ObjectRuleParts<T>, "judge"> {
  /** Whether a URL that cannot be read is worth a warning. */
  readonly warns: boolean;
  placesOf(object: T): Place[];
}

/**
 * A rule for objects of Argo CD: each URL leads to the site's registry or git server. Nothing is
 * changed where the site serves none of them. A URL that cannot be read stays.
 */
export function placesRule<T extends ObjectParts>(parts: PlacesRuleParts<T>): Rule {
  const { placesOf, warns } = parts;
  const judge = ({ object, before, site }: Question<T>): Verdict => {
    const places = placesOf(object).filter(({ url }) => url !== "");
    if (!places.some(({ url }) => isServed(url, site))) return UNCHANGED;
    const known = new Set(before === undefined ? [] : placesOf(before).map(({ url }) => url));
    const patch: PatchOperation[] = [];
    const warnings: string[] = [];
    for (const { path, url } of places) {
      const moved = readOr(() => moveUrl(url, site));
      if (!(moved instanceof RefError)) {
        if (moved !== url) patch.push(setAt(path, moved));
      } else if (warns && !known.has(url)) warnings.push(staysWarning(path.join("."), moved));
    }
    return { allowed: true, patch: [...patch, ...labelPatched(object)], warnings };
  };
  return objectRule({ ...parts, judge });
}
