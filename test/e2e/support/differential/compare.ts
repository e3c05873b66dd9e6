import type { Normalised } from "./normalise.ts";

/** One thing that is not the same on both clusters. */
export interface Difference {
  /** Kind, version, namespace and name. */
  readonly object: string;
  /** Where in the object; empty where the whole object is on one cluster only. */
  readonly path: string;
  readonly zarf: unknown;
  readonly holdfast: unknown;
}

/** Everything that is not the same. */
export function differences(zarf: Normalised, holdfast: Normalised): Difference[] {
  const found: Difference[] = [];
  for (const object of new Set([...zarf.keys(), ...holdfast.keys()])) {
    compare(
      zarf.get(object),
      holdfast.get(object),
      "",
      (path, a, b) => found.push({ object, path, zarf: a, holdfast: b }),
    );
  }
  return found;
}

type Report = (path: string, zarf: unknown, holdfast: unknown) => void;

function compare(a: unknown, b: unknown, path: string, report: Report): void {
  if (isObject(a) && isObject(b)) {
    const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
    if (Array.isArray(a) !== Array.isArray(b)) return report(path, a, b);
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
      compare(left[key], right[key], path === "" ? key : `${path}/${key}`, report);
    }
  } else if (a !== b) report(path, a, b);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** One line for people. */
export function described({ object, path, zarf, holdfast }: Difference): string {
  const short = (value: unknown) => (JSON.stringify(value) ?? "nothing").slice(0, 300);
  return `${object} ${path}: zarf ${short(zarf)}, holdfast ${short(holdfast)}`;
}
