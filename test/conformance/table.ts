/**
 * The table of `docs/zarf-schema.md`, which says of every field of Zarf's package schema what becomes
 * of it, as tests read it.
 *
 * @module
 */

/** What becomes of a field; there is nothing else. */
export const VERDICTS = ["done", "done better", "nothing to do", "refused"] as const;

/** A line about a field of v1alpha1. */
export interface FieldRow {
  /** `components.charts.name`; `components.actions.onDeploy.*.cmd` is that of all four lists. */
  readonly path: string;
  readonly verdict: string;
  readonly note: string;
  /** Short names of tests, see {@linkcode namedTests}. */
  readonly tests: readonly string[];
}

/** A test by its file, from the repository's root, and a part of its name. */
export interface NamedTest {
  readonly file: string;
  readonly name: string;
}

/** A line about a field of v1beta1. */
export interface BetaRow {
  readonly path: string;
  /** The field of v1alpha1 that it is read as; undefined for what only creating looks at. */
  readonly alpha?: string;
  readonly note: string;
}

const DOCS = new URL("../../docs/", import.meta.url);
const FIXTURES = new URL("../fixtures/zarf-schema/", import.meta.url);
/** Lists of actions that have the same fields. */
const LISTS = /^(components\.actions\.onDeploy)\.(?:before|after|onSuccess|onFailure)\./;
/** Phases that are looked at as a whole. */
const PHASES = /^(components\.actions\.on(?:Create|Remove))\b.*/;
/** Objects whose members have lines of their own and nothing is to be said of themselves. */
const CONTAINERS = new Set(["metadata", "build"]);

/** The fields of one version of the schema, in the way in which the table writes them. */
export function schemaPaths(version: "v1alpha1" | "v1beta1"): string[] {
  const keys: Record<string, string> = JSON.parse(
    Deno.readTextFileSync(new URL(`${version}_keys.json`, FIXTURES)),
  );
  const paths = Object.entries(keys).flatMap(([parent, names]) =>
    names.split(" ").map((name) => parent === "" ? name : `${parent}.${name}`)
  );
  const written = paths
    .filter((path) => !CONTAINERS.has(path))
    .map((path) => path.replace(PHASES, "$1.**").replace(LISTS, "$1.*."));
  return [...new Set(written)].sort();
}

/** The lines about v1alpha1. */
export function fieldRows(): FieldRow[] {
  return tableLines(4).map(([path = "", verdict = "", note = "", tests = ""]) => ({
    path: unquoted(path),
    verdict,
    note,
    tests: tests.split(",").map((name) => name.trim()).filter((name) => name !== ""),
  }));
}

/** The tests, by the short names that the lines call them by. */
export function namedTests(): Map<string, NamedTest> {
  const links = [...page().matchAll(/^- ([a-z ]+):\s+\[([^\]]+)\]\(\.\.\/([^)]+)\)$/gm)];
  return new Map(links.map(([, key = "", name = "", file = ""]) => [
    key,
    { file, name: name.replace(/\s+/g, " ") },
  ]));
}

/** The lines about v1beta1. */
export function betaRows(): BetaRow[] {
  return tableLines(3).map(([path = "", alpha = "", note = ""]) => ({
    path: unquoted(path),
    ...(alpha === "" ? {} : { alpha: unquoted(alpha) }),
    note,
  }));
}

/** The cells of the lines that begin with a field and have so many cells. */
function tableLines(cells: number): string[][] {
  return page().split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()))
    .filter(({ length }) => length === cells);
}

function page(): string {
  return Deno.readTextFileSync(new URL("zarf-schema.md", DOCS));
}

function unquoted(cell: string): string {
  return cell.replaceAll("`", "");
}
