import { KubeClient } from "../kube/mod.ts";
import {
  type Clock,
  describeError,
  HoldfastError,
  isFile,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import type { Part } from "./listeners.ts";

/** Why the cluster cannot be used now. */
export type ClusterReason =
  | "NoKubeconfig"
  | "NoCluster"
  | "KubeconfigUnusable"
  | "MayNotDeploy"
  | "NodeNameUnknown"
  | "NodeNameChanged";

/** There is no way to the cluster yet; packages are taken in and wait. */
export class ClusterError extends HoldfastError<ClusterReason> {}

/** Milliseconds between two looks at a kubeconfig that cannot be used. */
const RETRY_INTERVAL = 5_000;

/** What {@linkcode ClusterConnection} works with. */
export interface ClusterConnectionOptions {
  readonly logger: Logger;
  readonly part: Part;
  /** Where the agent makes the kubeconfig itself: what it waits for. */
  readonly awaited?: () => string;
  /**
   * And looks whether it should lead elsewhere, after the API server did not answer: whether it does
   * now. Never throws.
   */
  readonly lookAnew?: () => Promise<boolean>;
  readonly clock?: Clock;
}

/** The way to the cluster, once there is one. */
export class ClusterConnection {
  readonly #path: string | undefined;
  readonly #logger: Logger;
  readonly #part: Part;
  readonly #clock: Clock;
  readonly #awaited: (() => string) | undefined;
  readonly #lookAnew: (() => Promise<boolean>) | undefined;
  #client: KubeClient | undefined;
  #said = "";
  #reached = false;

  constructor(
    path: string | undefined,
    options: ClusterConnectionOptions,
  ) {
    this.#path = path;
    this.#logger = options.logger;
    this.#part = options.part;
    this.#clock = options.clock ?? systemClock;
    this.#awaited = options.awaited;
    this.#lookAnew = options.lookAnew;
  }

  /** What keeps the site's first cluster from being made, as long as something does. */
  unmade: string | undefined;

  /** Path of the kubeconfig, for child processes. */
  get kubeconfig(): string | undefined {
    return this.#path;
  }

  /** Whether the API server has ever answered, since the start. */
  get reached(): boolean {
    return this.#reached;
  }

  /** Writing requests sent so far. */
  get writes(): number {
    return this.#client?.writes ?? 0;
  }

  /** The client; it is made once and follows the file by itself, whatever the server said before. */
  client(): KubeClient {
    if (this.#path === undefined) throw noKubeconfig();
    try {
      return this.#client ??= KubeClient.fromKubeconfig(this.#path, {
        logger: this.#logger,
        clock: this.#clock,
      });
    } catch (cause) {
      if (this.#awaited !== undefined && !isFile(this.#path)) throw noWay(this.#awaited());
      throw new ClusterError({
        reason: "KubeconfigUnusable",
        message: `the kubeconfig ${this.#path} cannot be used`,
        kept: "packages are taken in and wait",
        remedy: "put a kubeconfig there; the agent looks again by itself",
        disposition: "wait",
        cause,
      });
    }
  }

  /**
   * Resolves with the client once the API server answers; `undefined` when the signal aborts. Each
   * reason why it does not is logged once and shown as the part's message.
   */
  async connected(signal: AbortSignal): Promise<KubeClient | undefined> {
    if (this.#path === undefined) {
      this.#part.set(true, "no kubeconfig is set; packages are taken in and wait");
      return undefined;
    }
    while (!signal.aborted) {
      try {
        const client = this.client();
        await client.version({ signal });
        this.#reached = true;
        this.#part.set(true, `the API server ${client.server} answers`);
        return client;
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#say(describeError(error));
        if (await this.#lookAnew?.() === true) {
          this.#client?.lookAgain();
          continue;
        }
      }
      await this.#clock.sleep(RETRY_INTERVAL, signal);
    }
    return undefined;
  }

  /** Looks again and again whether the API server answers, for the status page. */
  async watchHealth(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.connected(signal);
      if (this.#path === undefined) return;
      await this.#clock.sleep(HEALTH_INTERVAL, signal);
    }
  }

  #say(text: string): void {
    this.#part.set(false, text);
    if (this.#said !== text) this.#logger.warn(`no cluster: ${text}`);
    this.#said = text;
  }
}

/** Milliseconds between two looks at an API server that answered. */
const HEALTH_INTERVAL = 15_000;

function noWay(why: string): ClusterError {
  return new ClusterError({
    reason: "NoKubeconfig",
    message: `there is no way to the cluster yet: ${why}`,
    kept: "packages are taken in and wait",
    disposition: "wait",
  });
}

function noKubeconfig(): ClusterError {
  return new ClusterError({
    reason: "NoKubeconfig",
    message: "there is no kubeconfig",
    kept: "packages are taken in and wait",
    remedy: "give --kubeconfig",
    disposition: "wait",
  });
}
