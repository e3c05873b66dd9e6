import type { ZarfChart, ZarfComponent, ZarfPackage } from "../package/mod.ts";
import { type ComponentSource, manifestTexts } from "./component_files.ts";
import type { GoTemplates, ValuesLayer } from "./go_template.ts";
import type { Helm } from "./helm.ts";
import { planChart, type PlannedRelease } from "./plan.ts";
import { applyTemplates } from "./template.ts";
import { type Filling, templateObjects, unknownState } from "./template_objects.ts";
import { type ResolvedVariables, templatesFor } from "./variables.ts";

/** A part of a component as it would go to the cluster or to Helm. */
export interface RenderedPart {
  readonly component: string;
  /** Name of the chart or of the manifest entry. */
  readonly name: string;
  readonly namespace: string;
  /** The file in the package, or `variables` for what a chart's variables and package values set. */
  readonly source: string;
  readonly text: string;
}

/** A package whose components are unpacked, and what to fill in. */
export interface RenderOptions {
  readonly definition: ZarfPackage;
  /** Holds `components/<name>/…`, as unpacked. */
  readonly directory: string;
  /** A private, empty directory. */
  readonly workDir: string;
  readonly variables: ResolvedVariables;
  /** Package values. @default none */
  readonly values?: readonly ValuesLayer[];
  /** The components that templates see. @default all */
  readonly components?: readonly ZarfComponent[];
  /** What fills in Go templates; a component that has any needs it. */
  readonly templates?: GoTemplates;
}

/** How long Helm may take over a hook; nothing runs where nothing is installed. */
const NO_TIMEOUT = 0;

/**
 * Shows what a component comes to without a cluster: variables, constants and values are filled in,
 * what only the cluster knows (`###ZARF_REGISTRY###` and the like) stays as it is written; in Go
 * templates `.State.Registry.Address` becomes `STATE_REGISTRY_ADDRESS`.
 */
export class ComponentRenderer {
  readonly #component: ZarfComponent;
  readonly #options: RenderOptions;
  readonly #source: ComponentSource;
  #planned: readonly PlannedChart[] | undefined;

  constructor(component: ZarfComponent, options: RenderOptions) {
    const { definition, directory, variables } = options;
    const filling = fillingOf(component, options);
    this.#component = component;
    this.#options = options;
    this.#source = {
      packageName: definition.metadata.name,
      component,
      directory: `${directory}/components/${component.name}`,
      templates: templatesFor(definition, variables, undefined),
      variables,
      ...(filling === undefined ? {} : { filling }),
    };
  }

  /**
   * The raw manifests and built kustomizations.
   *
   * @throws {DeployError} `PackageBroken`, `TemplateFailed`.
   */
  async manifests(): Promise<RenderedPart[]> {
    const parts: RenderedPart[] = [];
    for (const manifest of this.#component.manifests) {
      const texts = await manifestTexts(manifest, this.#source);
      parts.push(...texts.map(({ file, text }) => ({
        component: this.#component.name,
        name: manifest.name,
        namespace: manifest.namespace || "default",
        source: `manifests/${file}`,
        text,
      })));
    }
    return parts;
  }

  /**
   * The values that Helm is given for each chart; of two the later one wins.
   *
   * @throws {DeployError} `PackageBroken`, `TemplateFailed`, `ValuesInvalid`.
   */
  async values(): Promise<RenderedPart[]> {
    return (await this.#charts()).flatMap(({ chart, planned }) => {
      const names = [...chart.valuesFiles, ...chart.templatedValuesFiles];
      return planned.valuesFiles.map((file, index) => ({
        component: this.#component.name,
        name: chart.name,
        namespace: planned.namespace,
        source: names[index] ?? "variables",
        text: Deno.readTextFileSync(file),
      }));
    });
  }

  /**
   * The charts as Helm renders them for a first install, hooks and CRDs included.
   *
   * @throws {DeployError} `PackageBroken`, `TemplateFailed`, `ValuesInvalid`, `ChartFailed`.
   */
  async charts(helm: Helm, kubeVersion?: string): Promise<RenderedPart[]> {
    const parts: RenderedPart[] = [];
    for (const { chart, planned } of await this.#charts()) {
      const rendered = await helm.render({
        ...planned,
        settings: "",
        timeout: NO_TIMEOUT,
        includeCrds: true,
        ...(kubeVersion === undefined ? {} : { kubeVersion }),
      });
      parts.push({
        component: this.#component.name,
        name: chart.name,
        namespace: planned.namespace,
        source: planned.chart.slice(planned.chart.lastIndexOf("charts/")),
        text: applyTemplates(rendered, this.#source.templates),
      });
    }
    return parts;
  }

  async #charts(): Promise<readonly PlannedChart[]> {
    if (this.#planned !== undefined) return this.#planned;
    const planned: PlannedChart[] = [];
    for (const chart of this.#component.charts) {
      const directory = Deno.makeTempDirSync({ dir: this.#options.workDir });
      planned.push({ chart, planned: await planChart(chart, this.#source, directory) });
    }
    this.#planned = planned;
    return planned;
  }
}

interface PlannedChart {
  readonly chart: ZarfChart;
  readonly planned: PlannedRelease;
}

function fillingOf(component: ZarfComponent, options: RenderOptions): Filling | undefined {
  const { definition, variables, templates, values = [] } = options;
  if (templates === undefined) return undefined;
  const components = options.components ?? definition.components;
  const state = unknownState(component.stateAccess);
  return {
    templates,
    objects: templateObjects({ definition, components, variables, values, state }),
  };
}
