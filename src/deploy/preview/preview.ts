import type { ZarfComponent } from "../../package/mod.ts";
import { digestOf } from "../../std/mod.ts";
import { loadPackage, loadState, newState, type ZarfState } from "../../zarf/mod.ts";
import { type ActionRights, checkActions } from "../action_policy.ts";
import { choose, type Chosen, fillingOf, mergedValues, sourceOf } from "../choose.ts";
import type { DeployContext, DeployPackage } from "../context.ts";
import { DeployError } from "../errors.ts";
import { checkFiles } from "../file_target.ts";
import { redactor } from "../redact.ts";
import { Scope } from "../scope.ts";
import { whyChosen } from "../select.ts";
import type { ResolvedVariables } from "../variables.ts";
import {
  plannedActions,
  plannedFiles,
  plannedHealthChecks,
  plannedInjections,
  plannedRepositories,
} from "./component_steps.ts";
import { type ImagesContext, ImagesPreview } from "./images.ts";
import { canonicalJson, type Json, valueAt } from "./json.ts";
import type { DeploymentPlan, PlannedComponent, PlannedStep, Refusal } from "./plan.ts";
import { ReleasesPreview } from "./releases.ts";
import { shownValues } from "./shown_values.ts";
import { Unknown } from "./unknown.ts";

/** What a plan is made with: what a deployment is made with, and what only a plan needs. */
export interface PreviewContext extends DeployContext, ImagesContext {
  readonly signal?: AbortSignal;
  /** Where the registry would be where there is none yet. @default 127.0.0.1:31999 */
  readonly registryAddress?: string;
  /** What is to be known of components, by name. @default nothing */
  readonly notes?: ReadonlyMap<string, string>;
}

/**
 * Says what `deployPackage` would do with the same package, context and cluster, and writes nothing:
 * the API server is only asked and given dry runs, the registry is only asked. What lies between two
 * steps of a deployment is not foreseen: what a command does to the cluster, what an action sets.
 *
 * @throws {KubeError} when the cluster cannot be asked.
 * @throws {ZarfError} when what is there of Zarf cannot be read.
 */
export async function previewPackage(
  pkg: DeployPackage,
  context: PreviewContext,
): Promise<DeploymentPlan> {
  const plan = await new Preview(pkg, context).plan();
  return { hash: digestOf(canonicalJson(plan)), ...plan };
}

const DEFAULT_REGISTRY = "127.0.0.1:31999";
const NO_ACTIONS: ActionRights = { policy: "never", trusted: false };

/** Makes one plan. */
class Preview {
  readonly #pkg: DeployPackage;
  readonly #context: PreviewContext;
  readonly #refused: Refusal[] = [];

  constructor(pkg: DeployPackage, context: PreviewContext) {
    this.#pkg = pkg;
    this.#context = context;
  }

  async plan(): Promise<Omit<DeploymentPlan, "hash">> {
    const { definition, digest } = this.#pkg;
    const { kube, registryAddress = DEFAULT_REGISTRY, actions, filesRoots } = this.#context;
    const { metadata: { name, version }, architecture } = definition;
    const found = await loadState(kube);
    const deployed = await deployedBefore(this.#context, name);
    const state = found ?? stateToCome(registryAddress);
    const chosen = await this.#allowed(() => choose(this.#pkg, this.#context));
    const images = new ImagesPreview(this.#pkg, this.#context);
    const missing = await images.missing(found === undefined);
    let components: PlannedComponent[] = [];
    if (chosen !== undefined) {
      await this.#allowed(() => checkActions(chosen.components, actions ?? NO_ACTIONS));
      await this.#allowed(() => checkFiles(chosen.components, filesRoots ?? []));
      components = await this.#components(chosen, state, images);
    }
    return {
      package: { name, version, architecture, digest },
      ...(deployed === undefined ? {} : { deployed }),
      bootstrap: found === undefined,
      variables: chosen === undefined ? {} : shownVariables(chosen.variables),
      values: await this.#values(chosen, state),
      refused: this.#refused,
      images: missing,
      components,
      warnings: images.warnings,
    };
  }

  /** They decide what actions do, which is in no object. */
  async #values(chosen: Chosen | undefined, state: ZarfState): Promise<Json> {
    if (chosen === undefined) return {};
    const scope = new Scope(this.#pkg.definition, chosen.variables, state);
    const { values: given = [] } = this.#context;
    const values = await this.#allowed(() => mergedValues(given, this.#context));
    return shownValues(values ?? {}, redactor(scope.secrets()));
  }

  async #allowed<T>(action: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof DeployError) || this.#context.signal?.aborted) throw error;
      this.#refused.push({ reason: error.reason, message: error.message });
      return undefined;
    }
  }

  async #components(
    chosen: Chosen,
    state: ZarfState,
    images: ImagesPreview,
  ): Promise<PlannedComponent[]> {
    const { definition } = this.#pkg;
    const scope = new Scope(definition, chosen.variables, state, chosen.values);
    const unknown = new Unknown();
    const fill = (component: ZarfComponent) =>
      fillingOf(this.#pkg, component, chosen.components, scope, state, this.#context);
    const releases = new ReleasesPreview({
      context: this.#context,
      packageName: definition.metadata.name,
      sourceOf: (component) =>
        sourceOf(this.#pkg, component, scope, fill(component), this.#context),
      ...{ state, scope, unknown },
    });
    const planned: PlannedComponent[] = [];
    for (const component of inOrder(definition.components, chosen.components)) {
      const deployed = chosen.components.includes(component);
      planned.push({
        name: component.name,
        deployed,
        why: whyChosen(component, deployed, this.#context.components),
        ...this.#note(component),
        ...(deployed
          ? await this.#steps(component, scope, unknown, releases)
          : { steps: [], onFailure: [] }),
      });
    }
    this.#refused.push(...releases.refused);
    await images.look(releases.images, state.registryInfo.address);
    return planned;
  }

  #note({ name }: ZarfComponent): { readonly note?: string } {
    const note = this.#context.notes?.get(name);
    return note === undefined ? {} : { note };
  }

  /** The order is that of the deployment (deploy.ts). */
  async #steps(
    component: ZarfComponent,
    scope: Scope,
    unknown: Unknown,
    releases: ReleasesPreview,
  ): Promise<Pick<PlannedComponent, "steps" | "onFailure">> {
    const before = plannedActions("before", component, scope);
    unknown.pass("before", component, scope);
    const steps: PlannedStep[] = [
      ...before,
      ...plannedFiles(component),
      ...plannedRepositories(component, this.#context.repositories),
      ...plannedInjections(component),
      ...await releases.of(component),
      ...plannedActions("after", component, scope),
    ];
    unknown.pass("after", component, scope);
    steps.push(...plannedHealthChecks(component), ...plannedActions("onSuccess", component, scope));
    unknown.pass("onSuccess", component, scope);
    return { steps, onFailure: plannedActions("onFailure", component, scope) };
  }
}

/** The deployed ones in the order of the deployment, the others where the package has them. */
function inOrder(
  all: readonly ZarfComponent[],
  chosen: readonly ZarfComponent[],
): ZarfComponent[] {
  const rest = chosen.values();
  return all.map((component) =>
    chosen.includes(component) ? rest.next().value ?? component : component
  );
}

async function deployedBefore(
  { kube }: PreviewContext,
  name: string,
): Promise<DeploymentPlan["deployed"]> {
  const record = await loadPackage(kube, name);
  if (record === undefined) return undefined;
  const version = valueAt(record.data, "metadata", "version");
  return { version: typeof version === "string" ? version : "", generation: record.generation };
}

/** A state with passwords that say nothing, the same in every plan. */
function stateToCome(registryAddress: string): ZarfState {
  const port = Number(registryAddress.slice(registryAddress.lastIndexOf(":") + 1));
  const random = (length: number) => new Uint8Array(length);
  return newState({ registryAddress, port, ipFamily: "ipv4", random });
}

function shownVariables(variables: ResolvedVariables): Record<string, string> {
  return Object.fromEntries(
    [...variables].map(([name, { value, given, sensitive }]) => [
      name,
      sensitive ? "***" : given ?? value,
    ]),
  );
}
