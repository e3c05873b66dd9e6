import type { KubeClient } from "../kube/mod.ts";
import type { ZarfComponent } from "../package/mod.ts";
import {
  type ConnectStrings,
  type InstalledChart,
  loadState,
  pushImages,
  type ZarfState,
} from "../zarf/mod.ts";
import { type ActionRights, checkActions } from "./action_policy.ts";
import { endInterruptedActions } from "./actions.ts";
import { beginDeployment } from "./begin.ts";
import { choose, type Chosen, fillingOf, unpackedAt } from "./choose.ts";
import { ComponentReleases } from "./component_releases.ts";
import { ComponentFailures } from "./component_failures.ts";
import type { DeployContext, DeployOutcome, DeployPackage, DeployProgress } from "./context.ts";
import { DeployError } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import { checkFiles } from "./file_target.ts";
import type { HeldRecord } from "./held_record.ts";
import { imagesToPush } from "./images.ts";
import { withInjections } from "./injections.ts";
import { DeployJournal } from "./journal.ts";
import { LimitWatch } from "./limits.ts";
import type { LocalWork, LocalWorkOptions } from "./local_work.ts";
import { publishRepositories } from "./repositories.ts";
import { redactedError, redactor } from "./redact.ts";
import { Scope } from "./scope.ts";
import { Secrets } from "./secrets.ts";
import { STEPS } from "./steps.ts";
import { anyOf, cancelled, outdated } from "./wait.ts";

/**
 * Deploys a package: images into the registry, then component by component, each chart and manifest
 * entry as one Helm release under Zarf's name, until everything is ready. It is safe to call again
 * after any interruption, with the same package or another version of it: what is done already is
 * seen and not done twice.
 *
 * @throws {DeployError} with the component in its message, or `Cancelled`. The package's record then
 * says which component failed; components before it stay deployed.
 */
export async function deployPackage(
  pkg: DeployPackage,
  context: DeployContext,
): Promise<DeployOutcome> {
  const secrets = new Secrets(pkg, context);
  const onProgress = (progress: DeployProgress) =>
    context.onProgress?.({ ...progress, message: secrets.redact(progress.message) });
  using limit = new LimitWatch(context.limits);
  try {
    return await deploy(pkg, { ...context, onProgress }, secrets, limit);
  } catch (error) {
    // A Helm that is ended, a call that is given up: whatever it looks like, it was the signal.
    if (context.signal?.aborted) throw cancelled(context.signal);
    if (context.newer?.aborted) throw outdated();
    throw redactedError(limit.instead(error), (text) => secrets.redact(text));
  }
}

async function deploy(
  pkg: DeployPackage,
  context: DeployContext,
  secrets: Secrets,
  limit: LimitWatch,
): Promise<DeployOutcome> {
  limit.signal.throwIfAborted();
  const chosen = await choose(pkg, context);
  checkActions(chosen.components, context.actions ?? NO_ACTIONS);
  checkFiles(chosen.components, context.filesRoots ?? []);
  const state = await requireState(context.kube);
  const journal = new DeployJournal(context.journal);
  await endInterruptedActions(journal);
  const scope = new Scope(pkg.definition, chosen.variables, state, chosen.values);
  secrets.known = () => scope.secrets();
  const deployment = new Deployment(pkg, context, state, chosen, scope, journal, limit);
  await deployment.endLeftovers();
  await deployment.pushImages();
  const record = await deployment.begin(chosen.components);
  const connectStrings: ConnectStrings = {};
  for (const component of chosen.components) {
    const deployed = await limit.component(() => deployment.component(component, record));
    Object.assign(connectStrings, deployed);
  }
  const components = chosen.components.map(({ name }) => name);
  await record.finish(components);
  await deployment.end();
  return { generation: record.latest, components, connectStrings };
}

const NO_ACTIONS: ActionRights = { policy: "never", trusted: false };

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
  readonly #scope: Scope;
  readonly #journal: DeployJournal;
  readonly #common: Pick<LocalWorkOptions, "fillingOf" | "onProgress">;
  readonly #releases: ComponentReleases;
  readonly #failures: ComponentFailures;
  /** Ends when the deployment is to stop or its time is up. */
  readonly #working: AbortSignal;
  #local: LocalWork | undefined;
  #record: HeldRecord | undefined;

  constructor(
    pkg: DeployPackage,
    context: DeployContext,
    state: ZarfState,
    chosen: Chosen,
    scope: Scope,
    journal: DeployJournal,
    limit: LimitWatch,
  ) {
    this.#pkg = pkg;
    this.#context = context;
    this.#scope = scope;
    this.#working = anyOf(context.signal, limit.signal);
    this.#journal = journal;
    this.#failures = new ComponentFailures({
      names: chosen.components.map(({ name }) => name),
      ...{ journal, limit },
      isEnded: () => context.signal?.aborted === true || context.newer?.aborted === true,
      local: () => this.#local,
      redact: (text) => redactor(scope.secrets())(text),
      onFailed: (component, message) => this.#say(component, "Failed", message),
    });
    this.#common = {
      fillingOf: (component) => fillingOf(pkg, component, chosen.components, scope, state, context),
      onProgress: (component, phase, message) => this.#say(component, phase, message),
    };
    this.#releases = new ComponentReleases({
      pkg,
      context,
      state,
      journal,
      scope,
      limit: limit.signal,
      ...this.#common,
      onChange: async () => await this.#record?.release(),
    });
  }

  /** Ends what an interrupted deployment has left running. */
  async endLeftovers(): Promise<void> {
    await this.#releases.endLeftovers();
  }

  async pushImages(): Promise<void> {
    const { registry } = this.#context;
    if (registry === undefined || this.#pkg.images.length === 0) return;
    await this.#journal.step(STEPS.images, async () => {
      this.#say(undefined, "Images", "images go into the registry");
      await pushImages(imagesToPush(this.#pkg.images), {
        ...registry,
        registryUrl: registry.url,
        signal: this.#working,
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

  /** Begins it, or finds where it was before an interruption. */
  async begin(components: readonly ZarfComponent[]): Promise<HeldRecord> {
    const { record, local } = await beginDeployment(
      this.#pkg,
      this.#context,
      components,
      this.#scope,
      this.#journal,
      {
        ...this.#common,
        signal: this.#working,
        ...(this.#context.signal === undefined ? {} : { stop: this.#context.signal }),
      },
    );
    this.#local = local;
    this.#record = record;
    return record;
  }

  /** All components are deployed: the next deployment begins anew. */
  async end(): Promise<void> {
    await this.#journal.endDeployment();
    this.#local?.remove();
  }

  /** Deploys one component and keeps the record of it. */
  async component(component: ZarfComponent, record: HeldRecord): Promise<ConnectStrings> {
    const { name } = component;
    const step = STEPS.component(name);
    if (this.#context.newer?.aborted) throw outdated();
    if (this.#journal.isDone(step)) {
      this.#local?.restore(component);
      record.wasDone(name);
      this.#say(name, "Succeeded", "ready");
      return record.connectStrings(name);
    }
    const failure = this.#failures.interrupted(component);
    if (failure !== undefined) throw await this.#failures.goOn(component, failure, record);
    const charts: InstalledChart[] = [];
    deployFailpoint("deploy.component.begin");
    await record.component(name, "Deploying", charts);
    await this.#journal.begin(step);
    try {
      await this.#parts(component, charts, record);
      await record.component(name, "Succeeded", charts);
      deployFailpoint("deploy.component.recorded");
    } catch (error) {
      throw await this.#failures.note(component, error, record, charts);
    }
    try {
      await this.#local?.run("onSuccess", component);
    } catch (error) {
      // The record keeps saying that it succeeded, as Zarf's does (deploy.go deployComponents).
      throw await this.#failures.note(component, error, record);
    }
    await this.#journal.done(step);
    this.#say(name, "Succeeded", "ready");
    deployFailpoint("deploy.component.done");
    return Object.assign({}, ...charts.map((chart) => chart.connectStrings ?? {}));
  }

  async #parts(
    component: ZarfComponent,
    charts: InstalledChart[],
    record: HeldRecord,
  ): Promise<void> {
    this.#say(component.name, "Deploying", "started");
    const { around } = this.#context;
    await around?.before(component.name, (text) => this.#say(component.name, "Deploying", text));
    await this.#local?.run("before", component);
    await this.#local?.files(component);
    await this.#repositories(component);
    const injections = {
      ...{ pkg: this.#pkg, scope: this.#scope, journal: this.#journal },
      context: { ...this.#context, signal: this.#working },
      onProgress: this.#common.onProgress,
    };
    await withInjections(component, injections, async (check) => {
      await this.#releases.install(component, charts, record, check);
      await this.#local?.run("after", component);
      await this.#releases.healthChecks(component, check);
      deployFailpoint("deploy.health.ready");
    });
    await around?.after(component.name);
  }

  async #repositories(component: ZarfComponent): Promise<void> {
    const { repositories: target } = this.#context;
    const { definition, digest } = this.#pkg;
    if (component.repos.length === 0) return;
    await publishRepositories(component, {
      target,
      digest,
      directory: `${unpackedAt(this.#pkg, this.#context)}/components/${component.name}/repos`,
      packageName: definition.metadata.name,
      step: async (name, action) => {
        const step = STEPS.repository(component.name, name);
        if (this.#journal.isDone(step)) return;
        this.#say(component.name, "Deploying", `git repository ${name} is published`);
        await this.#journal.step(step, () => {
          deployFailpoint("deploy.repository.begin");
          return action();
        });
      },
      signal: this.#working,
    });
    deployFailpoint("deploy.repositories.published");
  }

  #say(component: string | undefined, phase: DeployProgress["phase"], message: string): void {
    this.#context.onProgress?.({ component, phase, message });
  }
}
