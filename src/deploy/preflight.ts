import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";
import type { SiteInputs } from "./context.ts";
import { DeployError } from "./errors.ts";
import { selectComponents } from "./select.ts";
import { type Abilities, unsupported } from "./unsupported.ts";
import { type ResolvedVariables, resolveVariables } from "./variables.ts";

/**
 * What would be refused before anything is touched: features that this version does not have, a choice
 * that cannot be met, values of variables that are missing or wrong.
 *
 * @throws {DeployError} `SelectionInvalid`, `Unsupported`, `VariableMissing` or `VariableInvalid`.
 */
export function preflight(
  definition: ZarfPackage,
  { variables = {}, components: request = "", ...abilities }: SiteInputs & Abilities = {},
): { components: ZarfComponent[]; variables: ResolvedVariables } {
  const components = selectComponents(definition, request);
  const features = unsupported(definition, components, abilities);
  if (features.length > 0) {
    throw new DeployError({
      reason: "Unsupported",
      message: `package "${definition.metadata.name}" needs what this version cannot do: ` +
        features.join("; "),
      kept: "the cluster was not touched",
      remedy: "build the package without it",
    });
  }
  return {
    components,
    variables: resolveVariables(definition, { given: variables, readTextFile: readVariableFile }),
  };
}

/** The longest file that a variable may name, in bytes. */
const MAX_VARIABLE_FILE = 1 << 20;

/** The text that a variable of type `file` names, as the agent reads it. */
export function readVariableFile(path: string): string | undefined {
  try {
    if (Deno.statSync(path).size > MAX_VARIABLE_FILE) return undefined;
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch {
    return undefined;
  }
}
