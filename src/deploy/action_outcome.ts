import type { ZarfAction } from "../package/mod.ts";
import { load } from "js-yaml";
import { DeployError } from "./errors.ts";
import { checkPattern, contentOf, type ReadTextFile } from "./variables.ts";
import type { Scope } from "./scope.ts";
import type { ActionOutcome } from "./workspace.ts";

/**
 * What an action sets with what it printed (Zarf 0.84, actions.go runAction).
 *
 * @param output without the space around it
 * @throws {DeployError} `VariableInvalid` or `ActionFailed`, naming the variable or the key; never what
 * was printed.
 */
export function outcomeOf(
  action: Pick<ZarfAction, "setVariables" | "setValues">,
  output: string,
  readTextFile: ReadTextFile,
): ActionOutcome {
  return {
    variables: action.setVariables.map((variable) => {
      const name = variable.name.toUpperCase();
      checkPattern(name, variable.pattern, output);
      return {
        name,
        value: contentOf(variable, output, readTextFile),
        ...(variable.type === "file" ? { given: output } : {}),
        autoIndent: variable.autoIndent,
        sensitive: variable.sensitive,
      };
    }),
    values: action.setValues.map(({ key, type }) => {
      if (!key.startsWith(".")) throw unusable(key, "its path does not begin with a dot");
      return { path: key, text: output, type: readable(key, type, output) };
    }),
  };
}

function readable(key: string, type: string, output: string): "string" | "yaml" | "json" {
  switch (type) {
    case "":
    case "string":
      return "string";
    case "json":
      if (parses(() => JSON.parse(output))) return type;
      throw unusable(key, "the output is not JSON");
    case "yaml":
      if (parses(() => load(output))) return type;
      throw unusable(key, "the output is not YAML");
    default:
      throw unusable(key, `"${type}" is no type`);
  }
}

function parses(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    // The parser's message would quote the output.
    return false;
  }
}

function unusable(key: string, why: string): DeployError {
  return new DeployError({ reason: "ActionFailed", message: `value "${key}" is not set: ${why}` });
}

/** Lets what comes after see what an action has set. */
export function applyOutcome(outcome: ActionOutcome, scope: Scope): void {
  for (const { name, given, ...variable } of outcome.variables) {
    scope.setVariable(name, { ...variable, ...(given === undefined ? {} : { given }) });
  }
  for (const value of outcome.values) scope.setValue(value);
}
