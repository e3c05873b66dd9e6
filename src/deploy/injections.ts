import { basename } from "node:path";
import type { ZarfComponent, ZarfDataInjection } from "../package/mod.ts";
import {
  type Clock,
  dirname,
  ensureDir,
  exec as systemExec,
  isOwnDirectory,
  systemClock,
} from "../std/mod.ts";
import { unpackedAt } from "./choose.ts";
import { DEFAULT_TIMEOUT, type DeployContext, type DeployPackage } from "./context.ts";
import { DeployError } from "./errors.ts";
import { inject } from "./inject.ts";
import type { DeployJournal } from "./journal.ts";
import type { Scope } from "./scope.ts";
import { STEPS } from "./steps.ts";
import type { KubectlInput } from "./transfer.ts";
import { anyOf } from "./wait.ts";

/** How many transfers into pods there are at once; each is a process. */
const MAX_TRANSFERS = 4;

/** What the data injections of a component work with. */
export interface InjectionsOptions {
  readonly pkg: DeployPackage;
  readonly context: DeployContext;
  readonly scope: Scope;
  readonly journal: DeployJournal;
  readonly onProgress: (
    component: string,
    phase: "Deploying" | "Waiting",
    message: string,
  ) => void;
}

/** Throws what has failed by now beside what is waited for. */
export type Check = () => void;

/**
 * Does `work` while the data of a component goes into its pods, and waits for both (Zarf 0.84,
 * src/pkg/packager/deploy.go deployComponent). What fails first ends the other, if `work` asks with
 * what it is given.
 *
 * @throws {DeployError} what failed first; `PackageBroken` before `work` when there is no data.
 */
export async function withInjections(
  component: ZarfComponent,
  options: InjectionsOptions,
  work: (check: Check) => Promise<void>,
): Promise<void> {
  if (component.dataInjections.length === 0) return await work(() => {});
  const injections = new Injections(component, options);
  try {
    await work(() => injections.check());
    await injections.finish();
  } catch (error) {
    injections.check();
    throw error;
  } finally {
    await injections.stop();
  }
}

/** The data injections of one component, all at once. */
class Injections {
  readonly #options: InjectionsOptions;
  readonly #component: string;
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #all: Promise<unknown>;
  #running = 0;
  #free: PromiseWithResolvers<void> = Promise.withResolvers();
  #deadline = Infinity;
  #failure: { readonly error: unknown } | undefined;

  constructor(component: ZarfComponent, options: InjectionsOptions) {
    const { context } = options;
    this.#options = options;
    this.#component = component.name;
    this.#clock = context.clock ?? systemClock;
    this.#timeout = context.timeout ?? DEFAULT_TIMEOUT;
    this.#signal = anyOf(this.#stop.signal, context.signal);
    const sources = component.dataInjections.map((data, at) => this.#sourceOf(data, at));
    this.#all = Promise.all(
      component.dataInjections.map((data, at) => this.#run(data, at, sources)),
    );
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Everything is applied: what has not come by then has a time limit. */
  async finish(): Promise<void> {
    this.#deadline = this.#clock.monotonic() + this.#timeout;
    await this.#all;
    this.check();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#all;
  }

  async #run(data: ZarfDataInjection, at: number, sources: readonly string[]): Promise<void> {
    const { context: { kube, troubleGrace }, journal, onProgress } = this.#options;
    try {
      await inject(data, {
        kube,
        journal,
        kubectl: this.#kubectl(),
        step: STEPS.injection(this.#component, at),
        source: sources[at] ?? "",
        marker: this.#marker(),
        timeout: this.#timeout,
        ...(troubleGrace === undefined ? {} : { troubleGrace }),
        deadline: () => this.#deadline,
        clock: this.#clock,
        signal: this.#signal,
        onProgress: (phase, message) => onProgress(this.#component, phase, message),
      });
    } catch (error) {
      // What was stopped has not failed.
      if (this.#stop.signal.aborted) return;
      this.#failure = { error };
      this.#stop.abort();
    }
  }

  #marker(): string {
    const { marker } = this.#options.scope;
    if (marker === undefined) throw new TypeError("the deployment has not begun");
    return marker;
  }

  /**
   * Where the data is: `data/<index>/<last part of the target>`; older packages have no index (Zarf
   * 0.84, src/pkg/cluster/data.go).
   */
  #sourceOf({ target }: ZarfDataInjection, at: number): string {
    const { pkg, context } = this.#options;
    const data = `${unpackedAt(pkg, context)}/components/${this.#component}/data`;
    const name = basename(target.path);
    const found = [`${data}/${at}/${name}`, `${data}/${name}`].find(isOwnDirectory);
    if (found !== undefined) return found;
    throw new DeployError({
      reason: "PackageBroken",
      message: `the data for ${target.path} is not a directory of the package`,
      kept: "this part of the component was not touched",
      remedy: "give a directory as source and build the package again",
    });
  }

  /** With at most so many at once, whichever pods they are for. */
  #kubectl(): KubectlInput {
    const run = this.#start();
    return async (...call) => {
      while (this.#running >= MAX_TRANSFERS) await this.#free.promise;
      this.#running++;
      try {
        return await run(...call);
      } finally {
        this.#running--;
        this.#free.resolve();
        this.#free = Promise.withResolvers();
      }
    };
  }

  #start(): KubectlInput {
    const { exec = systemExec, kubeconfig, dataDir, tools } = this.#options.context;
    const home = `${dataDir}/helm`;
    ensureDir(home);
    return (args, timeout, input) =>
      exec(`${dirname(tools.helm)}/kubectl`, {
        args,
        env: { KUBECONFIG: kubeconfig, HOME: home },
        timeout,
        signal: this.#signal,
        ...(input === undefined ? {} : { stdin: input }),
      });
  }
}
