import type { ZarfComponent } from "../package/mod.ts";
import { digestHex, exec as systemExec } from "../std/mod.ts";
import type { ZarfState } from "../zarf/mod.ts";
import type { ComponentSource } from "./component_files.ts";
import type { DeployContext, DeployPackage } from "./context.ts";
import { GoTemplates, type ValuesLayer } from "./go_template.ts";
import { valuesOf, valuesSchemaOf } from "./package_values.ts";
import { preflight } from "./preflight.ts";
import type { Scope } from "./scope.ts";
import { type Filling, stateObject, templateObjects } from "./template_objects.ts";
import { preflightValues } from "./values_preflight.ts";
import type { ResolvedVariables } from "./variables.ts";

/** What of a package is deployed, and what it is filled with. */
export interface Chosen {
  readonly components: readonly ZarfComponent[];
  readonly variables: ResolvedVariables;
  /** A later one wins. */
  readonly values: readonly ValuesLayer[];
}

/**
 * Puts together what the package and the site say, and finds before anything is touched what will
 * not do.
 *
 * @throws {DeployError} as {@linkcode preflight} and {@linkcode preflightValues}.
 */
export async function choose(pkg: DeployPackage, context: DeployContext): Promise<Chosen> {
  const { components, variables } = preflight(pkg.definition, {
    ...context,
    git: context.repositories !== undefined,
  });
  const directory = unpackedAt(pkg, context);
  const values = valuesOf(directory, context.values);
  const schema = context.skipValuesSchema === true ? undefined : valuesSchemaOf(directory);
  await preflightValues({
    components,
    directory,
    values,
    templates: goTemplates(context),
    ...(schema === undefined ? {} : { schema }),
  });
  return { components, variables, values };
}

/** Values laid over each other. @throws {DeployError} `ValuesInvalid`. */
export async function mergedValues(
  values: readonly ValuesLayer[],
  context: DeployContext,
): Promise<unknown> {
  return values.length === 0 ? {} : await goTemplates(context).merged(values);
}

/** Where a package's files are. */
export function unpackedAt({ digest }: DeployPackage, { dataDir }: DeployContext): string {
  return `${dataDir}/packages/${digestHex(digest)}`;
}

/** What a component's releases are made from, with what is set by now. */
export function sourceOf(
  pkg: DeployPackage,
  component: ZarfComponent,
  scope: Scope,
  filling: Filling,
  context: DeployContext,
): ComponentSource {
  return {
    packageName: pkg.definition.metadata.name,
    component,
    directory: `${unpackedAt(pkg, context)}/components/${component.name}`,
    templates: scope.templates,
    variables: scope.variables,
    filling,
  };
}

/** What fills in a component's Go templates, with what is set by now. */
export function fillingOf(
  { definition }: DeployPackage,
  component: ZarfComponent,
  components: readonly ZarfComponent[],
  { variables, values }: Scope,
  state: ZarfState,
  context: DeployContext,
): Filling {
  return {
    templates: goTemplates(context),
    objects: templateObjects({
      ...{ definition, components, variables, values },
      state: stateObject(state, component.stateAccess),
    }),
  };
}

function goTemplates({ exec = systemExec, tools, signal }: DeployContext): GoTemplates {
  return new GoTemplates({ exec, helm: tools.helm, ...(signal === undefined ? {} : { signal }) });
}
