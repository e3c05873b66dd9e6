import type { ZarfChart, ZarfComponent, ZarfPackage } from "../package/mod.ts";
import type { Helm } from "./helm.ts";
import { type ComponentSource, manifestTexts, planChart, type PlannedRelease } from "./plan.ts";
import { applyTemplates } from "./template.ts";
import { type ResolvedVariables, templatesFor } from "./variables.ts";

/** A part of a component as it would go to the cluster or to Helm. */
export interface RenderedPart {
  readonly component: string;
  /** Name of the chart or of the manifest entry. */
  readonly name: string;
  readonly namespace: string;
  /** The file in the package, or for what a chart's variables set `variables`. */
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
}

/** How long Helm may take over a hook; nothing runs where nothing is installed. */
const NO_TIMEOUT = 0;

/**
 * Shows what a component comes to without a cluster: variables and constants are filled in, what only
 * the cluster knows (`###ZARF_REGISTRY###` and the like) stays as it is written.
 */
export class ComponentRenderer {
  readonly #component: ZarfComponent;
  readonly #options: RenderOptions;
  readonly #source: ComponentSource;
  readonly #charts: readonly { readonly chart: ZarfChart; readonly planned: PlannedRelease }[];

  /** @throws {DeployError} `PackageBroken` when a values file cannot be read. */
  constructor(component: ZarfComponent, options: RenderOptions) {
    const { definition, directory, variables } = options;
    this.#component = component;
    this.#options = options;
    this.#source = {
      packageName: definition.metadata.name,
      component,
      directory: `${directory}/components/${component.name}`,
      templates: templatesFor(definition, variables, undefined),
      variables,
    };
    this.#charts = component.charts.map((chart) => ({ chart, planned: this.#plan(chart) }));
  }

  /** The raw manifests and built kustomizations. @throws {DeployError} `PackageBroken`. */
  manifests(): RenderedPart[] {
    return this.#component.manifests.flatMap((manifest) =>
      manifestTexts(manifest, this.#source).map(({ file, text }) => ({
        component: this.#component.name,
        name: manifest.name,
        namespace: manifest.namespace || "default",
        source: `manifests/${file}`,
        text,
      }))
    );
  }

  /** The values that Helm is given for each chart; of two the later one wins. */
  values(): RenderedPart[] {
    return this.#charts.flatMap(({ chart, planned }) =>
      planned.valuesFiles.map((file, index) => ({
        component: this.#component.name,
        name: chart.name,
        namespace: planned.namespace,
        source: chart.valuesFiles[index] ?? "variables",
        text: Deno.readTextFileSync(file),
      }))
    );
  }

  /**
   * The charts as Helm renders them for a first install, hooks and CRDs included.
   *
   * @throws {DeployError} `PackageBroken`, `ChartFailed`.
   */
  async charts(helm: Helm, kubeVersion?: string): Promise<RenderedPart[]> {
    const parts: RenderedPart[] = [];
    for (const { chart, planned } of this.#charts) {
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

  #plan(chart: ZarfChart): PlannedRelease {
    const directory = Deno.makeTempDirSync({ dir: this.#options.workDir });
    return planChart(chart, this.#source, directory);
  }
}
