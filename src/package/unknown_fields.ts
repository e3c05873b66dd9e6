import type { GoType } from "./go_json.ts";
import { isRecord, type JsonObject, type JsonValue } from "./json.ts";
import { ZARF_PACKAGE } from "./zarf_config.ts";

/** How many unknown fields are told. */
const MAX_FIELDS = 50;
/** Characters of one path; what is longer is cut. */
const MAX_PATH = 200;

/**
 * The keys of a v1alpha1 document that Zarf 0.84 does not know, as paths
 * (`components[0].manifests[1].kustomise`): the first 50, in the order of the document.
 *
 * They are no reason to refuse a package. Zarf drops them without a word where it reads a package
 * (src/internal/pkgcfg decodes without strictness), old packages have keys that are gone, and a newer
 * Zarf says in `build.versionRequirements` when its new ones matter. But a typing error shows only
 * here. Keys that begin with `x-` are free for everybody (zarf.schema.json, patternProperties).
 */
export function unknownFields(document: JsonObject): string[] {
  const found: string[] = [];
  collect(document, ZARF_PACKAGE, "", found);
  return found;
}

function collect(value: JsonValue, type: GoType, path: string, found: string[]): void {
  const { fields } = type;
  if (fields === undefined) return;
  if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) {
      collect(member, type, `${path}[${index}]`, found);
    }
    return;
  }
  if (!isRecord(value)) return;
  for (const [key, member] of Object.entries(value)) {
    const at = path === "" ? key : `${path}.${key}`;
    const below = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (below !== undefined) collect(member, below, at, found);
    else if (!key.startsWith("x-") && found.length < MAX_FIELDS) found.push(at.slice(0, MAX_PATH));
  }
}
