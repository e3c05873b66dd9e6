import type { ZarfPackage, ZarfVariable } from "../package/mod.ts";
import type { ZarfState } from "../zarf/mod.ts";
import { DeployError } from "./errors.ts";
import type { Template, Templates } from "./template.ts";

/** Reads a text file that a variable of type `file` names; undefined when there is no such text. */
export type ReadTextFile = (path: string) => string | undefined;

/** Values that do not come from the package. */
export interface VariableSources {
  /** What the site sets, by name in any case. Names that the package does not declare count too. */
  readonly given: Readonly<Record<string, string>>;
  readonly readTextFile: ReadTextFile;
}

/** A variable's value and how it is put in. */
export interface ResolvedVariable extends Template {
  readonly sensitive: boolean;
  /** What was given where something else is put in: of type `file` the path. */
  readonly given?: string;
}

/** Values by upper-case name. */
export type ResolvedVariables = ReadonlyMap<string, ResolvedVariable>;

/**
 * The values of a package's variables: what the site gives, else the default. A variable that a
 * person would be asked for (`prompt`) and that has neither is an error here, because nobody is there
 * to answer; Zarf would deploy it empty.
 *
 * @throws {DeployError} `VariableMissing` or `VariableInvalid`, naming the variable; never its value.
 */
export function resolveVariables(
  definition: Pick<ZarfPackage, "variables">,
  sources: VariableSources,
): ResolvedVariables {
  const resolved = new Map<string, ResolvedVariable>();
  for (const [name, value] of Object.entries(sources.given)) {
    resolved.set(name.toUpperCase(), { value, sensitive: false });
  }
  for (const variable of definition.variables) {
    const name = variable.name.toUpperCase();
    const value = resolved.get(name)?.value ?? variable.default;
    if (value === "" && variable.prompt) throw missing(name, variable.description);
    checkPattern(name, variable.pattern, value);
    resolved.set(name, {
      value: contentOf(variable, value, sources.readTextFile),
      ...(variable.type === "file" ? { given: value } : {}),
      autoIndent: variable.autoIndent,
      sensitive: variable.sensitive,
    });
  }
  return resolved;
}

/**
 * All templates of a component: built-ins, then variables, then constants, as Zarf overlays them.
 *
 * @param state Without it there are no built-ins: they say what only the cluster knows.
 * @param marker The name of the file that says that data is complete, once there is one.
 */
export function templatesFor(
  definition: Pick<ZarfPackage, "constants">,
  variables: ResolvedVariables,
  state: ZarfState | undefined,
  marker?: string,
): Templates {
  const known = {
    ...(state === undefined ? {} : builtins(state)),
    ...(marker === undefined ? {} : { DATA_INJECTION_MARKER: marker }),
  };
  const templates = new Map<string, Template>(
    Object.entries(known).map(([key, value]) => [`###ZARF_${key}###`, { value }]),
  );
  for (const [name, variable] of variables) {
    templates.set(`###ZARF_VAR_${name}###`, variable);
  }
  for (const { name, value, autoIndent } of definition.constants) {
    templates.set(`###ZARF_CONST_${name.toUpperCase()}###`, { value, autoIndent });
  }
  return templates;
}

/** The built-in keys of every component (Zarf 0.84, src/internal/packager/template/template.go). */
function builtins(state: ZarfState): Record<string, string> {
  const { registryInfo: registry, gitServer: git, injectorInfo: injector } = state;
  return {
    STORAGE_CLASS: state.storageClass,
    IPV6_ONLY: String(state.ipFamily === "ipv6"),
    REGISTRY_MTLS_ENABLED: String(registry.mtlsStrategy === "zarf-managed"),
    REGISTRY_PROXY: String(registry.registryMode === "proxy"),
    INJECTOR_IMAGE: injector.injectorImage,
    INJECTOR_HOSTPORT: String(injector.port),
    INJECTOR_PAYLOAD_CONFIGMAPS: String(injector.payLoadConfigMapAmount),
    INJECTOR_SHASUM: injector.payLoadShaSum,
    REGISTRY: registry.address,
    NODEPORT: String(registry.port),
    REGISTRY_PORT: String(registry.port),
    REGISTRY_AUTH_PUSH: registry.pushPassword,
    REGISTRY_AUTH_PULL: registry.pullPassword,
    GIT_PUSH: git.pushUsername,
    GIT_AUTH_PUSH: git.pushPassword,
    GIT_PULL: git.pullUsername,
    GIT_AUTH_PULL: git.pullPassword,
  };
}

/** What is put in for a variable: its value, or of type `file` the text of the file it names. */
export function contentOf(
  variable: Pick<ZarfVariable, "type">,
  value: string,
  read: ReadTextFile,
): string {
  if (variable.type !== "file" || value === "") return value;
  // Zarf warns and puts in nothing when the file is not there or is not text.
  return read(value) ?? "";
}

/** @throws {DeployError} `VariableInvalid`, naming the variable; never its value. */
export function checkPattern(name: string, pattern: string, value: string): void {
  if (pattern === "") return;
  const expression = goRegExp(pattern);
  if (expression === undefined) {
    throw new DeployError({
      reason: "VariableInvalid",
      message: `the pattern ${JSON.stringify(pattern)} of variable ${name} cannot be used`,
      kept: "the cluster was not touched",
      remedy:
        "write the pattern without Unicode classes and named groups and build the package again",
    });
  }
  if (expression.test(value)) return;
  throw new DeployError({
    reason: "VariableInvalid",
    message: `the value of variable ${name} does not match ${JSON.stringify(pattern)}`,
    kept: "the cluster was not touched",
    remedy: `set ${name} to a value that matches`,
  });
}

/** Go's names of ASCII classes (regexp/syntax) as the inside of a JavaScript class. */
const ASCII_CLASSES: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  ascii: "\\x00-\\x7F",
  blank: "\\t ",
  cntrl: "\\x00-\\x1F\\x7F",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-\\/:-@[-`{-~",
  space: "\\t\\n\\v\\f\\r ",
  upper: "A-Z",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};

/** A quotation, an escape or a class's name: what Go and JavaScript may read differently. */
const GO_TOKEN = /\\Q([\s\S]*?)(?:\\E|$)|\\x\{|\\([\s\S])|\[:(\^?\w+):\]/g;

/**
 * A pattern of Go's regexp package (RE2) as JavaScript's. Undefined when it has something that
 * JavaScript does not know, or knows as something else (Unicode classes, named groups).
 */
function goRegExp(pattern: string): RegExp | undefined {
  const [, flags = "", rest = pattern] = /^\(\?([ims]+)\)(.*)$/s.exec(pattern) ?? [];
  let known = true;
  const source = rest.replace(GO_TOKEN, (token, quoted?: string, escaped?: string, name = "") => {
    if (quoted !== undefined) return quoted.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    // Look-around means the text's ends in every mode, which "^" and "$" do not.
    if (escaped === "A") return "(?<![\\s\\S])";
    if (escaped === "z") return "(?![\\s\\S])";
    if (escaped !== undefined && !"pPCc".includes(escaped)) return token;
    const inside = ASCII_CLASSES[name];
    known &&= inside !== undefined;
    return inside ?? token;
  });
  try {
    return known ? new RegExp(source, flags) : undefined;
  } catch {
    return undefined;
  }
}

function missing(name: string, description: string): DeployError {
  return new DeployError({
    reason: "VariableMissing",
    message: `variable ${name} has no value` + (description === "" ? "" : ` (${description})`),
    kept: "the cluster was not touched",
    remedy: `set ${name} in the settings of the package`,
    disposition: "wait",
  });
}
