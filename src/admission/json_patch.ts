import { isDeepStrictEqual } from "node:util";

/** One step of a JSON patch (RFC 6902). `add` also replaces a member that is there. */
export interface PatchOperation {
  readonly op: "add" | "replace";
  /** A JSON pointer (RFC 6901). */
  readonly path: string;
  readonly value: unknown;
}

/**
 * The step that sets the value at `path`, given as unescaped parts. Its parent has to be there. A
 * number at the end is an item of a list, which has to be there, too: `add` would put one before it.
 */
export function setAt(path: readonly (string | number)[], value: unknown): PatchOperation {
  const op = typeof path.at(-1) === "number" ? "replace" : "add";
  return { op, path: path.map((part) => `/${escapePart(String(part))}`).join(""), value };
}

/** The steps that give the object at `path` the members that it lacks or has otherwise. */
export function setMembers(
  path: readonly string[],
  present: Readonly<Record<string, unknown>>,
  members: Readonly<Record<string, unknown>>,
): PatchOperation[] {
  return Object.entries(members)
    .filter(([name, value]) => !isDeepStrictEqual(present[name], value))
    .map(([name, value]) => setAt([...path, name], value));
}

/**
 * The steps that give the map at `path` the `entries` that it lacks or has otherwise; none when it
 * has them all. A map that is absent or null is made.
 */
export function setEntries(
  path: readonly string[],
  present: Readonly<Record<string, unknown>> | null | undefined,
  entries: Readonly<Record<string, string>>,
): PatchOperation[] {
  const missing = Object.entries(entries).filter(([name, value]) => present?.[name] !== value);
  if (missing.length === 0) return [];
  if (present === null || present === undefined) return [setAt(path, Object.fromEntries(missing))];
  return missing.map(([name, value]) => setAt([...path, name], value));
}

function escapePart(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}
