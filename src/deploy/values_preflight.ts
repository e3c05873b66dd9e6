import type { ZarfAction, ZarfComponent } from "../package/mod.ts";
import { templatedTexts } from "./component_files.ts";
import { DeployError } from "./errors.ts";
import type { GoTemplates, ValuesLayer } from "./go_template.ts";

/** How many problems one message names. */
const MAX_NAMED = 20;

/** What {@linkcode preflightValues} looks at. */
export interface ValuesPreflight {
  readonly components: readonly ZarfComponent[];
  /** Where the package is unpacked. */
  readonly directory: string;
  readonly values: readonly ValuesLayer[];
  /** Of the package; absent where it has none or nobody wants it looked at. */
  readonly schema?: string;
  readonly templates: GoTemplates;
}

/**
 * Finds before anything is touched what would fail in the middle: values that the package's schema
 * does not allow, and templates and charts that need a value which is not there and which no action
 * before them sets (Zarf 0.84, src/pkg/packager/values_preflight.go).
 *
 * @throws {DeployError} `ValuesInvalid`, naming all of it; `PackageBroken`.
 */
export async function preflightValues(preflight: ValuesPreflight): Promise<void> {
  const { values, schema, templates, components } = preflight;
  if (schema !== undefined) {
    const problems = await templates.validate(schema, values);
    if (problems.length > 0) throw notAllowed(problems);
  }
  const needs = components.flatMap((component) => needsOf(component, preflight.directory));
  if (needs.every(({ kind }) => kind === "sets")) return;
  const problems = await unmet(needs, values, templates);
  if (problems.length > 0) throw undefinedValues(problems);
}

/** In the order of the deployment: what needs a value, and what makes one. */
type Need =
  | { readonly kind: "text"; readonly where: string; readonly text: string }
  | { readonly kind: "path"; readonly where: string; readonly path: string }
  | { readonly kind: "sets"; readonly path: string };

function needsOf(component: ZarfComponent, directory: string): Need[] {
  const name = `component "${component.name}"`;
  const { before, after, onSuccess, onFailure } = component.actions.onDeploy;
  const actions = (list: readonly ZarfAction[]) =>
    list.flatMap((each) => needsOfAction(each, name));
  const texts = templatedTexts(component, `${directory}/components/${component.name}`);
  return [
    ...actions(before),
    ...texts.map(({ what, text }) => ({ kind: "text" as const, where: `${name} ${what}`, text })),
    ...component.charts.flatMap((chart) =>
      chart.values.map(({ sourcePath }) => ({
        kind: "path" as const,
        where: `${name} chart "${chart.name}"`,
        path: sourcePath,
      }))
    ),
    ...actions([...after, ...onSuccess, ...onFailure]),
  ];
}

function needsOfAction(action: ZarfAction, component: string): Need[] {
  const sets = action.setValues.map(({ key }) => ({ kind: "sets" as const, path: key }));
  if (action.template !== true) return sets;
  const label = action.description || (action.wait === undefined ? action.cmd : "wait");
  const where = `${component} action "${label.slice(0, 60)}"`;
  return [
    ...actionTexts(action).map((text) => ({ kind: "text" as const, where, text })),
    ...sets,
  ];
}

/** The texts of an action that are templates where it says so. */
export function actionTexts({ wait, cmd }: ZarfAction): string[] {
  if (wait === undefined) return [cmd];
  const { cluster, network } = wait;
  return [
    ...(cluster === undefined
      ? []
      : [cluster.kind, cluster.name, cluster.namespace, cluster.condition]),
    ...(network === undefined ? [] : [network.protocol, network.address]),
  ];
}

async function unmet(
  needs: readonly Need[],
  values: readonly ValuesLayer[],
  templates: GoTemplates,
): Promise<string[]> {
  const merged = await templates.merged(values);
  const texts = needs.flatMap((need) => need.kind === "text" ? [need.text] : []);
  const references = await templates.references(texts);
  const made: string[][] = [];
  const isThere = (path: readonly string[]) =>
    made.some((set) => set.every((key, index) => path[index] === key)) || has(merged, path);
  const problems: string[] = [];
  let at = 0;
  for (const need of needs) {
    if (need.kind === "sets") made.push(segments(need.path));
    else if (need.kind === "path") {
      if (!isThere(segments(need.path))) {
        problems.push(`${need.where} is given ${need.path}, which has no value`);
      }
    } else {
      const found = references[at++];
      if (found === undefined) continue;
      if ("error" in found) problems.push(`${need.where} is no Go template: ${found.error}`);
      else {
        problems.push(
          ...found.value.filter((path) => !isThere(path)).map((path) =>
            `${need.where} names .Values.${path.join(".")}, which has no value`
          ),
        );
      }
    }
  }
  return problems;
}

/** The keys of `.a.b`; none for the root. */
function segments(path: string): string[] {
  const keys = path.replace(/^\./, "");
  return keys === "" ? [] : keys.split(".");
}

function has(value: unknown, path: readonly string[]): boolean {
  let current = value;
  for (const key of path) {
    if (typeof current !== "object" || current === null || Array.isArray(current)) return false;
    if (!Object.hasOwn(current, key)) return false;
    current = Reflect.get(current, key);
  }
  return true;
}

function undefinedValues(problems: readonly string[]): DeployError {
  return refused(
    [...new Set(problems)],
    "give the values in the settings of the package; one that is empty counts",
  );
}

function notAllowed(problems: readonly string[]): DeployError {
  return refused(
    problems.toSorted().map((problem) => `its schema does not allow them: ${problem}`),
    "mend the values in the settings of the package",
  );
}

function refused(problems: readonly string[], remedy: string): DeployError {
  const more = problems.length > MAX_NAMED ? `; and ${problems.length - MAX_NAMED} more` : "";
  return new DeployError({
    reason: "ValuesInvalid",
    message: `the values of the package do not do: ${
      problems.slice(0, MAX_NAMED).join("; ")
    }${more}`,
    kept: "the cluster was not touched",
    remedy,
  });
}
