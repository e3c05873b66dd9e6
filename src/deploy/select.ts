import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";
import { DeployError } from "./errors.ts";
import { goGlob } from "./glob.ts";

/** The most items of a request for components. */
const MAX_REQUESTS = 1_000;
/** A name that needs no more changes than this is suggested for one that is not there. */
const CLOSE = 5;

/**
 * The components that are deployed. Nobody has to choose: then it is the required and the default
 * ones. A request is a list with `,` of names and patterns; those after a `-` are left out, and that
 * wins. What is required stays, and so does what is default and not mentioned. Of a group (deprecated)
 * one is deployed. The order is the package's, a group being where its first component is; those for
 * another operating system are not there (Zarf 0.84, src/pkg/packager/filters/deploy.go, os.go).
 *
 * @param request Zarf's `--components`. @default nothing is chosen
 * @throws {DeployError} `SelectionInvalid`.
 */
export function selectComponents(
  definition: Pick<ZarfPackage, "components">,
  request = "",
): ZarfComponent[] {
  const components = definition.components.filter(isForLinux);
  const groups = groupsOf(components);
  const requests = requestsIn(request);
  return requests.length === 0
    ? groups.flatMap(chosenByDefault)
    : chosenByRequest(groups, requests, components);
}

function isForLinux({ only: { localOS } }: ZarfComponent): boolean {
  return localOS === "" || localOS === "linux";
}

/**
 * Why {@linkcode selectComponents} takes a component or leaves it out, in a few words.
 *
 * @param isChosen whether it does
 * @param request Zarf's `--components`
 */
export function whyChosen(component: ZarfComponent, isChosen: boolean, request = ""): string {
  if (!isForLinux(component)) return `only for ${component.only.localOS}`;
  if (isChosen && component.required) return "required";
  const asked = requestFor(component.name, requestsIn(request));
  if (asked !== undefined) {
    return isChosen ? "chosen" : asked.excludes ? "deselected" : "not chosen";
  }
  if (isChosen) return "default";
  return component.group === "" ? "not chosen" : "another one of its group is chosen";
}

/** Components by group; one that is in none is a group of its own. */
function groupsOf(components: readonly ZarfComponent[]): ZarfComponent[][] {
  return [...Map.groupBy(components, ({ group, name }) => group || name).values()];
}

function chosenByDefault(group: readonly ZarfComponent[]): ZarfComponent[] {
  const [first] = group;
  if (group.length === 1 && first !== undefined) {
    return first.required || first.default ? [first] : [];
  }
  const found = group.find((component) => component.default);
  if (found === undefined) throw nothingChosen(group);
  return [found];
}

function chosenByRequest(
  groups: readonly (readonly ZarfComponent[])[],
  requests: readonly Request[],
  components: readonly ZarfComponent[],
): ZarfComponent[] {
  const met = new Set<Request>();
  const chosen = groups.flatMap((group) => chosenOf(group, requests, met));
  const unmet = requests.find((request) => !met.has(request));
  if (unmet !== undefined) throw notFound(unmet, components);
  return chosen;
}

function chosenOf(
  group: readonly ZarfComponent[],
  requests: readonly Request[],
  met: Set<Request>,
): ZarfComponent[] {
  const selected: ZarfComponent[] = [];
  let fallback: ZarfComponent | undefined;
  for (const component of group) {
    const request = requestFor(component.name, requests);
    const wanted = component.required || request?.excludes === false;
    if (request !== undefined && (wanted || request.excludes)) met.add(request);
    if (wanted) selected.push(component);
    else if (component.default && request === undefined) fallback ??= component;
  }
  if (selected.length > 1) throw twoOfAGroup(selected);
  if (selected.length === 0 && fallback !== undefined) return [fallback];
  if (selected.length === 0 && group.length > 1) throw nothingChosen(group);
  return selected;
}

interface Request {
  readonly text: string;
  readonly pattern: RegExp;
  readonly excludes: boolean;
}

/** Those that leave out come first: they win. */
function requestsIn(request: string): Request[] {
  const items = request.split(",").map((item) => item.trim().toLowerCase()).filter(Boolean);
  if (items.length > MAX_REQUESTS) {
    throw invalid(`it has ${items.length} items, the limit is ${MAX_REQUESTS}`);
  }
  const requests = [...new Set(items)].map((text) => {
    const excludes = text.startsWith("-");
    const pattern = goGlob(excludes ? text.slice(1) : text);
    if (pattern === undefined) throw invalid(`${JSON.stringify(text)} is not a pattern`);
    return { text, pattern, excludes };
  });
  return requests.sort((a, b) => Number(b.excludes) - Number(a.excludes));
}

function requestFor(name: string, requests: readonly Request[]): Request | undefined {
  return requests.find(({ pattern }) => pattern.test(name));
}

function twoOfAGroup(selected: readonly ZarfComponent[]): DeployError {
  return invalid(
    `only one component of the group "${selected[0]?.group}" can be chosen, not ` +
      selected.map(({ name }) => `"${name}"`).join(" and "),
  );
}

function nothingChosen(group: readonly ZarfComponent[]): DeployError {
  return invalid(
    `of the group "${group[0]?.group}" nothing is chosen and nothing is the default; ` +
      `choose one of ${group.map(({ name }) => name).join(", ")}`,
  );
}

function notFound({ text }: Request, components: readonly ZarfComponent[]): DeployError {
  const close = components.map(({ name }) => name).filter((name) => distance(name, text) <= CLOSE);
  return invalid(
    `the package has no component ${JSON.stringify(text)}` +
      (close.length === 0 ? "" : `; it has ${close.join(", ")}`),
  );
}

function invalid(why: string): DeployError {
  return new DeployError({
    reason: "SelectionInvalid",
    message: `the components cannot be chosen: ${why}`,
    kept: "the cluster was not touched",
    remedy: "mend `components` in the settings of the package",
  });
}

/** How many letters must be added, left out or changed to make one of the other (Levenshtein). */
function distance(one: string, other: string): number {
  const letters = [...other];
  let row = Array.from({ length: letters.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (const [at, each] of letters.entries()) {
      const changed = (row[at] ?? 0) + (letter === each ? 0 : 1);
      next.push(Math.min(changed, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
