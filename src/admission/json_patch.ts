/** An operation of a JSON patch (RFC 6902), as far as rules make them. */
export type PatchOperation =
  | { readonly op: "add"; readonly path: string; readonly value: unknown }
  | { readonly op: "replace"; readonly path: string; readonly value: unknown };

/** A JSON pointer (RFC 6901). */
export function pointer(...segments: readonly (string | number)[]): string {
  return segments.map((each) => `/${String(each).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}

/**
 * Operations that give an object's map these entries. `add` replaces what is there; a map that is
 * absent is added whole, since `add` needs the parent to be there.
 */
export function addEntries(
  path: string,
  present: Readonly<Record<string, string>> | null | undefined,
  wanted: Readonly<Record<string, string>>,
): PatchOperation[] {
  const missing = Object.entries(wanted).filter(([name, value]) => present?.[name] !== value);
  if (missing.length === 0) return [];
  if (present == null) return [{ op: "add", path, value: Object.fromEntries(missing) }];
  return missing.map(([name, value]) => ({ op: "add", path: path + pointer(name), value }));
}
