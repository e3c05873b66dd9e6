import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../kube/mod.ts";
import type { JsonObject, ZarfComponent } from "../package/mod.ts";
import {
  CLI_VERSION,
  type ConnectStrings,
  type DeployedComponent,
  type DeployedPackage,
  type InstalledChart,
  loadPackage,
  mergeInstalledCharts,
  savePackage,
} from "../zarf/mod.ts";

/** A component as far as its generation depends on it. */
export type RecordedComponent = Pick<
  ZarfComponent,
  | "name"
  | "charts"
  | "dataInjections"
  | "healthChecks"
  | "imageArchives"
  | "images"
  | "manifests"
  | "repos"
>;

/** What a deployment is recorded as. */
export interface RecordedPackage {
  readonly name: string;
  readonly digest: string;
  /** The v1alpha1 definition. */
  readonly raw: JsonObject;
  /** Those that are deployed, in order. */
  readonly components: readonly RecordedComponent[];
}

/** What the journal knows of the record of a deployment that was interrupted. */
export interface InterruptedRecord {
  /** Of its first component in the cluster. */
  readonly generation: number;
  /** Whether it has written the record; `perhaps` when it was interrupted in the first write. */
  readonly wrote: "no" | "perhaps" | "yes";
}

/**
 * Keeps Secret `zarf-package-<name>` in step with a deployment, as Zarf does before and after every
 * component (Zarf 0.84, src/pkg/packager/deploy.go): the generation grows with each component
 * ({@linkcode generationsOf}), and a release that was ever installed stays listed with its component.
 *
 * Unlike Zarf's, a record keeps the components that this deployment has not come to yet, and after
 * all of its own those that it does not deploy: after a crash, and where a site chooses others than
 * before, it still says what is in the cluster.
 */
export class DeploymentRecord {
  /** What the deployment is known by: the generation of its first component in the cluster. */
  readonly generation: number;
  /** Whether what was found is a successful deployment of the same package. */
  readonly isSettled: boolean;
  readonly #kube: KubeClient;
  readonly #pkg: RecordedPackage;
  readonly #generations: ReadonlyMap<string, number>;
  #components: DeployedComponent[];

  private constructor(
    kube: KubeClient,
    pkg: RecordedPackage,
    generation: number,
    earlier: DeployedPackage | undefined,
  ) {
    this.#kube = kube;
    this.#pkg = pkg;
    this.generation = generation;
    this.#generations = generationsOf(pkg.components, generation);
    this.#components = [...earlier?.deployedComponents ?? []];
    this.isSettled = earlier !== undefined && isOf(earlier, pkg) &&
      this.#components.every(({ status }) => status === "Succeeded");
  }

  /** What the record says when all components are deployed. */
  get latest(): number {
    return [...this.#generations.values()].at(-1) ?? this.generation;
  }

  /**
   * Reads what an earlier deployment left; writes nothing.
   *
   * @param interrupted This deployment as its journal has it. It goes on if nobody has deployed the
   * package since.
   */
  static async begin(
    kube: KubeClient,
    pkg: RecordedPackage,
    interrupted?: InterruptedRecord,
  ): Promise<DeploymentRecord> {
    const earlier = await loadPackage(kube, pkg.name);
    const found = earlier?.generation ?? 0;
    const goesOn = interrupted !== undefined && earlier?.digest === pkg.digest &&
      isFrom(interrupted, found, pkg.components);
    return new DeploymentRecord(kube, pkg, goesOn ? interrupted.generation : found + 1, earlier);
  }

  /** The components as they are recorded, or will be at the next write. */
  get components(): readonly DeployedComponent[] {
    return this.#components;
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
    const generation = this.#generations.get(name) ?? this.generation;
    const next: DeployedComponent = {
      name,
      installedCharts: mergeInstalledCharts(earlier?.installedCharts ?? [], charts),
      status,
      observedGeneration: generation,
    };
    this.#components = this.#inOrder([
      ...this.#components.filter((component) => component.name !== name),
      next,
    ]);
    await this.#save(generation);
  }

  /** This deployment's components in its order, then what is left of earlier ones. */
  #inOrder(components: readonly DeployedComponent[]): DeployedComponent[] {
    const place = ({ name }: DeployedComponent) => {
      const at = this.#pkg.components.findIndex((component) => component.name === name);
      return at < 0 ? Infinity : at;
    };
    return components.toSorted((a, b) => place(a) === place(b) ? 0 : place(a) - place(b));
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
    await this.#save(this.latest);
  }

  async #save(generation: number): Promise<void> {
    await savePackage(this.#kube, {
      name: this.#pkg.name,
      digest: this.#pkg.digest,
      data: this.#pkg.raw,
      cliVersion: CLI_VERSION,
      generation,
      deployedComponents: this.#components,
      packageConnectivity: "airgap",
    });
  }
}

/**
 * The generation that each component is recorded with. Zarf counts on from what the record says at
 * the time, so that it grows by one with each component, and begins again at 1 with one that does
 * nothing in the cluster (Zarf 0.84, deploy.go deployComponents).
 *
 * @param first of the first component that does something in the cluster
 */
export function generationsOf(
  components: readonly RecordedComponent[],
  first: number,
): Map<string, number> {
  let next = first;
  let isRecorded = false;
  return new Map(components.map((component) => {
    const needsCluster = requiresCluster(component);
    const generation = needsCluster ? next : 1;
    isRecorded ||= needsCluster;
    if (isRecorded) next = generation + 1;
    return [component.name, generation];
  }));
}

/** Zarf 0.84, src/api/v1alpha1/component.go RequiresCluster. */
function requiresCluster(component: RecordedComponent): boolean {
  const { charts, dataInjections, healthChecks, imageArchives, images, manifests, repos } =
    component;
  return [charts, dataInjections, healthChecks, imageArchives, images, manifests, repos]
    .some((list) => list.length > 0);
}

/** Whether the record still is what an interrupted deployment found, or wrote. */
function isFrom(
  { generation, wrote }: InterruptedRecord,
  found: number,
  components: readonly RecordedComponent[],
): boolean {
  return wrote !== "yes" && found === generation - 1 ||
    wrote !== "no" && [...generationsOf(components, generation).values()].includes(found);
}

/** Whether a record was written for this very package. */
function isOf({ digest, data, cliVersion }: DeployedPackage, pkg: RecordedPackage): boolean {
  return digest === pkg.digest && cliVersion === CLI_VERSION &&
    isDeepStrictEqual(data, JSON.parse(JSON.stringify(pkg.raw)));
}
