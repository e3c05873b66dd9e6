import * as v from "valibot";
import type { ZarfComponent } from "../package/mod.ts";
import { type Clock, exec as systemExec, systemClock } from "../std/mod.ts";
import type { ConnectStrings, InstalledChart, ZarfState } from "../zarf/mod.ts";
import { sourceOf } from "./choose.ts";
import { DEFAULT_TIMEOUT, type DeployContext, type DeployPackage } from "./context.ts";
import { deployFailpoint } from "./failpoints.ts";
import { Helm, withPrivateDirectory } from "./helm.ts";
import type { Check } from "./injections.ts";
import { type InstallContext, installRelease } from "./install.ts";
import type { DeployJournal } from "./journal.ts";
import { type PlannedRelease, releaseParts } from "./plan.ts";
import { ProofBook } from "./proof.ts";
import type { HeldRecord } from "./held_record.ts";
import type { Scope } from "./scope.ts";
import { STEPS } from "./steps.ts";
import type { Filling } from "./template_objects.ts";
import { anyOf, outdated, waitReady } from "./wait.ts";

/** What {@linkcode ComponentReleases} works with. */
export interface ComponentReleasesOptions {
  readonly pkg: DeployPackage;
  readonly context: DeployContext;
  readonly state: ZarfState;
  readonly scope: Scope;
  readonly journal: DeployJournal;
  /** Time is up. */
  readonly limit: AbortSignal;
  /** What fills in a component's Go templates, with what is set by now. */
  readonly fillingOf: (component: ZarfComponent) => Filling;
  readonly onProgress: (
    component: string,
    phase: "Deploying" | "Waiting",
    message: string,
  ) => void;
  /** Told before Helm changes anything. */
  readonly onChange: () => Promise<void>;
}

/** What the journal says of a release that is done: what `zarf connect` can offer. */
const DoneSchema = v.object({
  connect: v.record(v.string(), v.object({ description: v.string(), url: v.string() })),
});

/** The real Helm, with the directories and the access of a deployment. */
export function helmOf(context: DeployContext): Helm {
  const { dataDir, tools, kubeconfig, signal } = context;
  return new Helm({
    exec: context.exec ?? systemExec,
    helm: tools.helm,
    home: `${dataDir}/helm`,
    kubeconfig,
    postRenderer: tools.postRenderer,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** What of a package's components goes into the cluster: charts and manifests, one release each. */
export class ComponentReleases {
  readonly #options: ComponentReleasesOptions;
  readonly #clock: Clock;
  readonly #install: Omit<InstallContext, "onProgress" | "templates" | "check">;

  constructor(options: ComponentReleasesOptions) {
    const { context, state, pkg } = options;
    const { kubeVersion, troubleGrace, registryService, pullSecrets = true, signal, newer } =
      context;
    this.#options = options;
    this.#clock = context.clock ?? systemClock;
    this.#install = {
      kube: context.kube,
      helm: helmOf(context),
      clock: this.#clock,
      proofs: new ProofBook(`${context.dataDir}/releases`),
      state,
      packageName: pkg.definition.metadata.name,
      timeout: context.timeout ?? DEFAULT_TIMEOUT,
      pullSecrets,
      limit: options.limit,
      ...(newer === undefined ? {} : { newer }),
      ...(registryService === undefined ? {} : { registryService }),
      ...(kubeVersion === undefined ? {} : { kubeVersion }),
      ...(troubleGrace === undefined ? {} : { troubleGrace }),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  /**
   * Installs the charts and manifests of a component, one after the other.
   *
   * @param charts takes each release that was come to, one that failed included.
   * @param check throws what has failed beside; it ends a wait.
   * @throws {DeployError} see {@linkcode installRelease}.
   */
  async install(
    component: ZarfComponent,
    charts: InstalledChart[],
    record: HeldRecord,
    check: Check,
  ): Promise<void> {
    const { pkg, context, scope, fillingOf } = this.#options;
    const source = sourceOf(pkg, component, scope, fillingOf(component), context);
    const version = `0.1.${Math.floor(this.#clock.now().getTime() / 1000)}`;
    for (const { plan } of releaseParts(source, version)) {
      if (context.newer?.aborted) throw outdated();
      await withPrivateDirectory(`${context.dataDir}/tmp`, async (directory) => {
        await this.#release(component.name, await plan(directory), directory, charts, check);
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
    check: Check,
  ): Promise<void> {
    const { journal, scope, onProgress, onChange } = this.#options;
    const { namespace, release: chartName } = planned;
    const step = STEPS.release(component, namespace, chartName);
    const installed = (connect: ConnectStrings) => {
      const connectStrings = Object.keys(connect).length === 0 ? {} : { connectStrings: connect };
      charts.push({ namespace, chartName, status: "Succeeded", ...connectStrings });
    };
    if (journal.isDone(step)) return installed(v.parse(DoneSchema, journal.detail(step)).connect);
    onProgress(component, "Deploying", `"${planned.title}" is applied`);
    try {
      await journal.begin(step);
      deployFailpoint("deploy.chart.begin");
      const connect = await installRelease(planned, directory, {
        ...this.#install,
        templates: scope.templates,
        check,
        onProgress: (message) => onProgress(component, "Waiting", message),
        onChange,
      });
      await journal.done(step, { connect });
      installed(connect);
    } catch (error) {
      charts.push({ namespace, chartName, status: "Failed" });
      throw error;
    }
  }

  /** Ends what an interrupted deployment has left running. */
  async endLeftovers(): Promise<void> {
    await this.#install.helm.endLeftovers();
  }

  /** Waits until what the component's `healthChecks` name is ready. @throws {DeployError} */
  async healthChecks(component: ZarfComponent, check: Check): Promise<void> {
    const { clock, kube, timeout, troubleGrace, signal, limit, newer } = this.#install;
    const refs = component.healthChecks.map(({ apiVersion, kind, name, namespace }) => ({
      apiVersion,
      kind,
      name,
      ...(namespace === "" ? {} : { namespace }),
    }));
    await waitReady(kube, refs, {
      timeout,
      clock,
      check,
      onProgress: (message) => this.#options.onProgress(component.name, "Waiting", message),
      signal: anyOf(signal, limit, newer),
      ...(troubleGrace === undefined ? {} : { troubleGrace }),
    });
  }
}
