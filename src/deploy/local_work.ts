import { resolve } from "node:path";
import type { ZarfComponent } from "../package/mod.ts";
import { describeError, dirname } from "../std/mod.ts";
import { applyOutcome } from "./action_outcome.ts";
import { actionsOf, type ActionStage } from "./action_text.ts";
import { type ActionContext, runActions } from "./actions.ts";
import { deployFailpoint } from "./failpoints.ts";
import { placeFiles } from "./files.ts";
import type { PostRendererCommand } from "./helm.ts";
import { STEPS } from "./steps.ts";
import type { Filling } from "./template_objects.ts";
import { Workspace } from "./workspace.ts";

/** What {@linkcode LocalWork} works with. */
export interface LocalWorkOptions
  extends Omit<ActionContext, "workspace" | "kubectl" | "fillTemplates" | "onProgress"> {
  /** `DATA/deploy/<package name>` */
  readonly root: string;
  /** Says which deployment it is. */
  readonly deployment: string;
  readonly tools: { readonly helm: string; readonly holdfast?: PostRendererCommand };
  readonly filesRoots: readonly string[];
  /** The deployment is to stop; what follows a failure runs on when only time is up. */
  readonly stop?: AbortSignal;
  /** Where the package is unpacked. */
  readonly package: string;
  /** What fills in a component's Go templates, with what is set by now. */
  readonly fillingOf: (component: ZarfComponent) => Filling;
  readonly onProgress: (
    component: string,
    phase: "Deploying" | "Waiting",
    message: string,
  ) => void;
}

/** Whether a component does anything beside what goes into the cluster. */
export function hasLocalWork(component: ZarfComponent): boolean {
  return component.files.length > 0 || actionsOf(component).length > 0;
}

/** What the components of a deployment do on this node: actions and files, in its private directory. */
export class LocalWork {
  readonly #options: LocalWorkOptions;
  readonly #workspace: Workspace;
  readonly #kubectl: string;

  /** @throws {DeployError} `ActionFailed` when there is no shell. */
  constructor(options: LocalWorkOptions) {
    const { root, deployment, tools } = options;
    const directory = resolve(dirname(tools.helm));
    this.#options = options;
    this.#kubectl = `${directory}/kubectl`;
    this.#workspace = Workspace.open({
      root: resolve(root),
      deployment,
      tools: directory,
      ...(tools.holdfast === undefined ? {} : { holdfast: tools.holdfast }),
    });
  }

  /** Runs the actions of one stage. @throws {DeployError} see {@linkcode runActions}. */
  async run(stage: ActionStage, component: ZarfComponent): Promise<void> {
    await this.#run(stage, component, this.#options);
  }

  async #run(
    stage: ActionStage,
    component: ZarfComponent,
    options: LocalWorkOptions,
  ): Promise<void> {
    await runActions(stage, component, {
      ...options,
      kubeconfig: resolve(options.kubeconfig),
      kubectl: this.#kubectl,
      workspace: this.#workspace,
      fillTemplates: async (texts) => {
        const { templates, objects } = this.#options.fillingOf(component);
        // Actions do not see the package (Zarf 0.84, actions.go runAction).
        const { package: _, ...seen } = objects;
        return await templates.render(texts, seen);
      },
      onProgress: (phase, message) => this.#options.onProgress(component.name, phase, message),
    });
  }

  /** Runs what a component has for its failure; that this fails, too, changes nothing. */
  async onFailure(component: ZarfComponent): Promise<void> {
    const { signal: _, stop, ...options } = this.#options;
    try {
      const signal = stop === undefined ? {} : { signal: stop };
      await this.#run("onFailure", component, { ...options, ...signal });
    } catch (error) {
      const { logger } = this.#options;
      logger.warn(`what follows a failure failed: ${describeError(error)}`, {
        component: component.name,
      });
    }
  }

  /** Puts the component's files in their places. @throws {DeployError} see {@linkcode placeFiles}. */
  async files(component: ZarfComponent): Promise<void> {
    const { journal, scope, filesRoots, fillingOf } = this.#options;
    const step = STEPS.files(component.name);
    if (component.files.length === 0 || journal.isDone(step)) return;
    this.#options.onProgress(component.name, "Deploying", "files are put in their places");
    const { work, home, temp } = this.#workspace;
    await journal.step(step, () => {
      deployFailpoint("deploy.files.begin");
      return placeFiles(component, {
        work,
        home,
        temp,
        roots: filesRoots,
        directory: `${this.#options.package}/components/${component.name}`,
        templates: scope.templates,
        fillTemplates: (texts) => {
          const { templates, objects } = fillingOf(component);
          return templates.render(texts, objects);
        },
      });
    });
  }

  /** Lets what follows see what the actions of a component have set that is not run again. */
  restore({ name }: ZarfComponent): void {
    for (const outcome of this.#workspace.outcomes(`component/${name}/`)) {
      applyOutcome(outcome, this.#options.scope);
    }
  }

  /** Takes the private directory away. */
  remove(): void {
    Workspace.remove(this.#workspace.root);
  }
}
