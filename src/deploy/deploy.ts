import type { KubeClient } from "../kube/mod.ts";
import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";
import {
  type Clock,
  type Digest,
  digestHex,
  type Exec,
  exec as systemExec,
  HoldfastError,
  systemClock,
} from "../std/mod.ts";
import {
  type ConnectStrings,
  type Credentials,
  type InstalledChart,
  loadState,
  pushImages,
  type PushSource,
  type ZarfState,
} from "../zarf/mod.ts";
import { DeployError } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import { Helm, type PostRendererCommand, withPrivateDirectory } from "./helm.ts";
import { imagesToPush, type NamedImage } from "./images.ts";
import { type InstallContext, installRelease, partsOf } from "./install.ts";
import { type ComponentSource, planChart, planManifest, type PlannedRelease } from "./plan.ts";
import { DeploymentRecord } from "./record.ts";
import { selectComponents } from "./select.ts";
import { unsupported } from "./unsupported.ts";
import { type ResolvedVariables, resolveVariables, templatesFor } from "./variables.ts";
import { waitReady } from "./wait.ts";

/** How long one release may take until it is ready (Zarf 0.84, src/config: 15 min). */
export const DEFAULT_TIMEOUT = 15 * 60_000;

/** The package to deploy, as the store holds it. */
export interface DeployPackage {
  readonly definition: ZarfPackage;
  /** Of the package. */
  readonly digest: Digest;
  /** Its images, from the store's records. */
  readonly images: readonly NamedImage[];
}

/** How far a deployment is. */
export interface DeployProgress {
  /** Undefined while the package as a whole is worked on. */
  readonly component: string | undefined;
  readonly phase: "Images" | "Deploying" | "Waiting" | "Succeeded" | "Failed";
  readonly message: string;
  /** While images go into the registry. */
  readonly bytes?: number;
  readonly totalBytes?: number;
}

/** What a deployment works with. */
export interface DeployContext {
  readonly kube: KubeClient;
  /** The data directory; packages are at `packages/<digest>`, temporary files go to `tmp`. */
  readonly dataDir: string;
  /** Path of the kubeconfig for Helm. */
  readonly kubeconfig: string;
  readonly tools: {
    /** Path of Helm 4. */
    readonly helm: string;
    /** What Helm calls as post-renderer: Holdfast's own executable with `post-render`. */
    readonly postRenderer: PostRendererCommand;
  };
  /** The in-cluster registry. Undefined when the images are there already. */
  readonly registry?: {
    /** `http://<clusterIP>:5000` */
    readonly url: string;
    readonly credentials: Credentials;
    readonly source: PushSource;
    /** Uploads at once. */
    readonly concurrency?: number;
  };
  /** Of Service `zarf-docker-registry`. */
  readonly clusterIP?: string;
  /** Of the API server (`v1.36.1`). */
  readonly kubeVersion?: string;
  /** The site's values of variables, by name. @default none */
  readonly variables?: Readonly<Record<string, string>>;
  /** Milliseconds for each release. @default DEFAULT_TIMEOUT */
  readonly timeout?: number;
  /** How long an image may be missing and the like, in milliseconds. @default 90 s */
  readonly troubleGrace?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly exec?: Exec;
  readonly onProgress?: (progress: DeployProgress) => void;
  /** Called before and after every step, so that it can be journalled. */
  readonly journal?: (step: string, state: "begin" | "done") => void | Promise<void>;
}

/** What a deployment came to. */
export interface DeployOutcome {
  /** Zarf's count of the deployments of this package. */
  readonly generation: number;
  /** Names of the components that were deployed, in order. */
  readonly components: readonly string[];
  readonly connectStrings: ConnectStrings;
}

/**
 * What would be refused before anything is touched: features that this version does not have, values
 * that are missing or wrong.
 *
 * @throws {DeployError} `Unsupported`, `VariableMissing` or `VariableInvalid`.
 */
export function preflight(
  definition: ZarfPackage,
  variables: Readonly<Record<string, string>> = {},
): { components: ZarfComponent[]; variables: ResolvedVariables } {
  const components = selectComponents(definition);
  const features = unsupported(definition, components);
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
    variables: resolveVariables(definition, { given: variables, readTextFile }),
  };
}

/**
 * Deploys a package: images into the registry, then component by component, each chart and manifest
 * entry as one Helm release under Zarf's name, until everything is ready. It is safe to call again
 * after any interruption, with the same package or another version of it: what is done already is
 * seen and not done twice.
 *
 * @throws {DeployError} with the component in its message. The package's record then says which
 * component failed; components before it stay deployed.
 */
export async function deployPackage(
  pkg: DeployPackage,
  context: DeployContext,
): Promise<DeployOutcome> {
  const { definition } = pkg;
  const checked = preflight(definition, context.variables);
  const state = await requireState(context.kube);
  const deployment = new Deployment(pkg, context, state, checked.variables);
  await deployment.pushImages();
  const record = await DeploymentRecord.begin(context.kube, {
    name: definition.metadata.name,
    digest: pkg.digest,
    raw: definition.raw,
  });
  const connectStrings: ConnectStrings = {};
  for (const component of checked.components) {
    Object.assign(connectStrings, await deployment.component(component, record));
  }
  const components = checked.components.map(({ name }) => name);
  await record.finish(components);
  return { generation: record.generation, components, connectStrings };
}

async function requireState(kube: KubeClient): Promise<ZarfState> {
  const state = await loadState(kube);
  if (state !== undefined) return state;
  throw new DeployError({
    reason: "NotBootstrapped",
    message: "the cluster has no Zarf state yet",
    kept: "the cluster was not touched",
    disposition: "wait",
  });
}

/** One run over one package. */
class Deployment {
  readonly #pkg: DeployPackage;
  readonly #context: DeployContext;
  readonly #clock: Clock;
  readonly #install: Omit<InstallContext, "onProgress">;
  readonly #variables: ResolvedVariables;
  readonly #tmp: string;

  constructor(
    pkg: DeployPackage,
    context: DeployContext,
    state: ZarfState,
    variables: ResolvedVariables,
  ) {
    this.#pkg = pkg;
    this.#context = context;
    this.#clock = context.clock ?? systemClock;
    this.#variables = variables;
    this.#tmp = `${context.dataDir}/tmp`;
    const { kubeVersion, troubleGrace, clusterIP, signal } = context;
    this.#install = {
      kube: context.kube,
      helm: new Helm({
        exec: context.exec ?? systemExec,
        helm: context.tools.helm,
        home: `${context.dataDir}/helm`,
        kubeconfig: context.kubeconfig,
        postRenderer: context.tools.postRenderer,
        ...(signal === undefined ? {} : { signal }),
      }),
      clock: this.#clock,
      state,
      packageName: pkg.definition.metadata.name,
      templates: templatesFor(pkg.definition, variables, state),
      timeout: context.timeout ?? DEFAULT_TIMEOUT,
      ...(clusterIP === undefined ? {} : { clusterIP }),
      ...(kubeVersion === undefined ? {} : { kubeVersion }),
      ...(troubleGrace === undefined ? {} : { troubleGrace }),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  async pushImages(): Promise<void> {
    const { registry, signal } = this.#context;
    if (registry === undefined || this.#pkg.images.length === 0) return;
    await this.#step("images", async () => {
      this.#say(undefined, "Images", "images go into the registry");
      await pushImages(imagesToPush(this.#pkg.images), {
        source: registry.source,
        registryUrl: registry.url,
        credentials: registry.credentials,
        ...(registry.concurrency === undefined ? {} : { concurrency: registry.concurrency }),
        ...(signal === undefined ? {} : { signal }),
        onProgress: (progress) =>
          this.#context.onProgress?.({
            component: undefined,
            phase: "Images",
            message: "images go into the registry",
            ...progress,
          }),
      });
    });
    deployFailpoint("deploy.images.pushed");
  }

  /** Deploys one component and keeps the record of it. */
  async component(component: ZarfComponent, record: DeploymentRecord): Promise<ConnectStrings> {
    const { name } = component;
    const charts: InstalledChart[] = [];
    deployFailpoint("deploy.component.begin");
    await record.component(name, "Deploying", charts);
    try {
      await this.#step(`component/${name}`, async () => {
        this.#say(name, "Deploying", "started");
        await this.#releases(component, charts, record);
        await this.#healthChecks(component);
      });
    } catch (error) {
      await this.#recordFailure(name, charts, record);
      throw this.#failed(name, error);
    }
    await record.component(name, "Succeeded", charts);
    this.#say(name, "Succeeded", "ready");
    deployFailpoint("deploy.component.done");
    return Object.assign({}, ...charts.map((chart) => chart.connectStrings ?? {}));
  }

  async #releases(
    component: ZarfComponent,
    charts: InstalledChart[],
    record: DeploymentRecord,
  ): Promise<void> {
    const source: ComponentSource = {
      packageName: this.#pkg.definition.metadata.name,
      component,
      directory: `${this.#context.dataDir}/packages/${digestHex(this.#pkg.digest)}/components/` +
        component.name,
      templates: this.#install.templates,
      variables: this.#variables,
    };
    const version = `0.1.${Math.floor(this.#clock.now().getTime() / 1000)}`;
    const plans = [
      ...component.charts.map((chart) => (dir: string) => planChart(chart, source, dir)),
      ...component.manifests.map((manifest) => (dir: string) =>
        planManifest(manifest, source, dir, version)
      ),
    ];
    for (const plan of plans) {
      await withPrivateDirectory(this.#tmp, async (directory) => {
        await this.#release(component.name, plan(directory), directory, charts);
      });
      await record.component(component.name, "Deploying", charts);
      deployFailpoint("deploy.chart.recorded");
    }
  }

  async #release(
    component: string,
    planned: PlannedRelease,
    directory: string,
    charts: InstalledChart[],
  ): Promise<void> {
    const { namespace, release: chartName } = planned;
    this.#say(component, "Deploying", `"${planned.title}" is applied`);
    try {
      await this.#step(`release/${namespace}/${chartName}`, async () => {
        const connectStrings = await installRelease(planned, directory, {
          ...this.#install,
          onProgress: (message) => this.#say(component, "Waiting", message),
        });
        const connect = Object.keys(connectStrings).length === 0 ? {} : { connectStrings };
        charts.push({ namespace, chartName, status: "Succeeded", ...connect });
      });
    } catch (error) {
      charts.push({ namespace, chartName, status: "Failed" });
      throw error;
    }
  }

  async #healthChecks(component: ZarfComponent): Promise<void> {
    const { clock, kube, timeout, signal, troubleGrace } = this.#install;
    const refs = component.healthChecks.map(({ apiVersion, kind, name, namespace }) => ({
      apiVersion,
      kind,
      name,
      ...(namespace === "" ? {} : { namespace }),
    }));
    await waitReady(kube, refs, {
      timeout,
      clock,
      onProgress: (message) => this.#say(component.name, "Waiting", message),
      ...(signal === undefined ? {} : { signal }),
      ...(troubleGrace === undefined ? {} : { troubleGrace }),
    });
  }

  /** A deployment that was stopped has not failed; and the first error is the one to report. */
  async #recordFailure(
    component: string,
    charts: readonly InstalledChart[],
    record: DeploymentRecord,
  ): Promise<void> {
    if (this.#context.signal?.aborted) return;
    try {
      await record.component(component, "Failed", charts);
    } catch {
      // Without an API server the record stays at "Deploying", and the next attempt writes it.
    }
  }

  #failed(component: string, error: unknown): unknown {
    if (!(error instanceof HoldfastError)) return error;
    const message = `component "${component}": ${error.message}`;
    this.#say(component, "Failed", error.message);
    const reason = error instanceof DeployError ? error.reason : "ClusterCallFailed";
    return new DeployError({ ...partsOf(error), reason, message });
  }

  async #step(step: string, action: () => Promise<void>): Promise<void> {
    await this.#context.journal?.(step, "begin");
    await action();
    await this.#context.journal?.(step, "done");
  }

  #say(component: string | undefined, phase: DeployProgress["phase"], message: string): void {
    this.#context.onProgress?.({ component, phase, message });
  }
}

/** The longest file that a variable may name, in bytes. */
const MAX_VARIABLE_FILE = 1 << 20;

function readTextFile(path: string): string | undefined {
  try {
    if (Deno.statSync(path).size > MAX_VARIABLE_FILE) return undefined;
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch {
    return undefined;
  }
}
