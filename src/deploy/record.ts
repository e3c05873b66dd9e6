import type { KubeClient } from "../kube/mod.ts";
import type { JsonObject } from "../package/mod.ts";
import {
  CLI_VERSION,
  type ConnectStrings,
  type DeployedComponent,
  type InstalledChart,
  loadPackage,
  mergeInstalledCharts,
  savePackage,
} from "../zarf/mod.ts";

/** What a deployment is recorded as. */
export interface RecordedPackage {
  readonly name: string;
  readonly digest: string;
  /** The v1alpha1 definition. */
  readonly raw: JsonObject;
}

/**
 * Keeps Secret `zarf-package-<name>` in step with a deployment, as Zarf does before and after every
 * component (Zarf 0.84, src/pkg/packager/deploy.go): the generation grows by one with each
 * deployment, and a release that was ever installed stays listed with its component.
 *
 * Unlike Zarf's, a record keeps the components that this deployment has not come to yet: after a
 * crash it still says what is in the cluster.
 */
export class DeploymentRecord {
  readonly generation: number;
  readonly #kube: KubeClient;
  readonly #pkg: RecordedPackage;
  #components: DeployedComponent[];

  private constructor(
    kube: KubeClient,
    pkg: RecordedPackage,
    generation: number,
    components: readonly DeployedComponent[],
  ) {
    this.#kube = kube;
    this.#pkg = pkg;
    this.generation = generation;
    this.#components = [...components];
  }

  /**
   * Reads what an earlier deployment left; writes nothing.
   *
   * @param interrupted The generation of this deployment before an interruption. It goes on if nobody
   * has deployed the package since.
   */
  static async begin(
    kube: KubeClient,
    pkg: RecordedPackage,
    interrupted?: number,
  ): Promise<DeploymentRecord> {
    const earlier = await loadPackage(kube, pkg.name);
    const components = earlier?.deployedComponents ?? [];
    const goesOn = earlier?.generation === interrupted && earlier?.digest === pkg.digest;
    const generation = goesOn ? interrupted : undefined;
    return new DeploymentRecord(
      kube,
      pkg,
      generation ?? (earlier?.generation ?? 0) + 1,
      components,
    );
  }

  /** What `zarf connect` can offer of a component that was deployed before. */
  connectStrings(name: string): ConnectStrings {
    const charts = this.#components.find((component) => component.name === name)?.installedCharts;
    return Object.assign({}, ...(charts ?? []).map((chart) => chart.connectStrings ?? {}));
  }

  /** Says how a component stands, with the releases that this deployment has come to. */
  async component(
    name: string,
    status: "Deploying" | "Succeeded" | "Failed",
    charts: readonly InstalledChart[],
  ): Promise<void> {
    const earlier = this.#components.find((component) => component.name === name);
    const next: DeployedComponent = {
      name,
      installedCharts: mergeInstalledCharts(earlier?.installedCharts ?? [], charts),
      status,
      observedGeneration: this.generation,
    };
    this.#components = earlier === undefined
      ? [...this.#components, next]
      : this.#components.map((component) => component.name === name ? next : component);
    await this.#save();
  }

  /**
   * Ends a deployment of all components: those of an earlier version that the package no longer has
   * and that installed nothing are forgotten, the others stay listed until they are removed.
   */
  async finish(names: readonly string[]): Promise<void> {
    const kept = this.#components.filter((component) =>
      names.includes(component.name) || (component.installedCharts ?? []).length > 0
    );
    if (kept.length === this.#components.length) return;
    this.#components = kept;
    await this.#save();
  }

  async #save(): Promise<void> {
    await savePackage(this.#kube, {
      name: this.#pkg.name,
      digest: this.#pkg.digest,
      data: this.#pkg.raw,
      cliVersion: CLI_VERSION,
      generation: this.generation,
      deployedComponents: this.#components,
      packageConnectivity: "airgap",
    });
  }
}
