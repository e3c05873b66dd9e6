import { SeedFollower } from "../bootstrap/mod.ts";
import { KubeClient } from "../kube/mod.ts";
import { CsrApprover, mayDeploy, NODE_STATE_SECRET, NodeRights } from "../rights/mod.ts";
import type { Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import type { ClusterConnection } from "./cluster.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import type { GitSite } from "./git_site.ts";
import { withGrantedRights } from "./granted_rights.ts";
import type { Part } from "./listeners.ts";
import type { NodeName } from "./node_name.ts";
import type { OwnAccess } from "./own_access.ts";
import { PullSecretKeeper } from "./pull_secret_keeper.ts";
import { Rewriting } from "./rewriting.ts";
import { seedNames } from "./seed_import.ts";
import { type Settings, workerRightsOf } from "./settings.ts";
import { siteSource } from "./site.ts";
import { clusterUpstream, seedRegistry } from "./upstreams.ts";

/** What {@linkcode ClusterLife} works with. */
export interface ClusterLifeOptions {
  readonly settings: Settings;
  readonly name: NodeName;
  readonly store: Store;
  readonly logger: Logger;
  readonly parts: Readonly<Record<"admission" | "rewriting" | "pullSecrets", Part>>;
  readonly access: OwnAccess;
  readonly cluster: ClusterConnection;
  readonly facts: ClusterFacts;
  readonly git: GitSite;
  /** Has the packages looked at again. */
  readonly wake: () => void;
}

/** What an agent does once there is a cluster: as much as its rights there allow. */
export class ClusterLife {
  readonly #options: ClusterLifeOptions;
  #follower: SeedFollower | undefined;
  #rewriting: Rewriting | undefined;

  constructor(options: ClusterLifeOptions) {
    this.#options = options;
  }

  /** What assembles the registry's image, once there is a cluster. */
  get follower(): SeedFollower | undefined {
    return this.#follower;
  }

  /** Objects that were mended, by kind. */
  get mended(): Readonly<Record<string, number>> {
    return this.#rewriting?.mended ?? {};
  }

  /** Does it from when the API server answers and the node has a name until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const kube = await this.#options.cluster.connected(signal);
    if (kube === undefined) return;
    this.#options.wake();
    const living = this.#options.name.follow(
      (nodeName, named) => this.#live(kube, nodeName, named),
      signal,
    );
    await Promise.all([living, this.#options.cluster.watchHealth(signal)]);
  }

  async #live(kube: KubeClient, nodeName: string, signal: AbortSignal): Promise<void> {
    if (!this.#options.access.isNode) {
      await Promise.all([
        this.#asDeployer(kube, nodeName, signal),
        this.#approveNodes(kube, signal),
      ]);
      return;
    }
    await withGrantedRights({
      ask: () => mayDeploy(kube, { signal }),
      work: (mayDeploy, granted) => {
        this.#options.wake();
        return mayDeploy
          ? this.#asDeployer(kube, nodeName, granted)
          : this.#asServer(kube, nodeName, granted);
      },
      logger: this.#options.logger,
    }, signal);
  }

  /** What an agent does in the cluster that may do everything. */
  async #asDeployer(kube: KubeClient, nodeName: string, signal: AbortSignal): Promise<void> {
    this.#rewriting = new Rewriting({
      kube,
      nodeName,
      settings: this.#options.settings,
      facts: this.#options.facts,
      site: siteSource(this.#options.settings, this.#options.facts, this.#options.store),
      listener: this.#options.parts.admission,
      part: this.#options.parts.rewriting,
      logger: this.#options.logger,
    });
    await Promise.all([
      this.#options.facts.run(kube, signal),
      this.#followSeed({ kube, nodeKube: () => kube, nodeName }, signal),
      this.#keepPullSecrets(kube, signal),
      this.#rewriting.run(signal),
      this.#options.git.follow(kube, signal),
    ]);
  }

  /** What it does that may only read how to serve; its Node it writes to as the kubelet. */
  async #asServer(kube: KubeClient, nodeName: string, signal: AbortSignal): Promise<void> {
    for (
      const part of [
        this.#options.parts.rewriting,
        this.#options.parts.pullSecrets,
        this.#options.parts.admission,
      ]
    ) {
      part.set(true, "the agents of control planes do this");
    }
    let kubelet: KubeClient | undefined;
    // Its kubeconfig may not be readable now.
    const asKubelet = () =>
      kubelet ??= KubeClient.fromKubeconfig(this.#options.access.kubelet, {
        logger: this.#options.logger,
      });
    await Promise.all([
      this.#options.facts.run(kube, signal, NODE_STATE_SECRET),
      this.#followSeed({ kube, nodeKube: asKubelet, nodeName }, signal),
    ]);
    kubelet?.close();
  }

  async #followSeed(
    node: { kube: KubeClient; nodeKube: () => KubeClient; nodeName: string },
    signal: AbortSignal,
  ): Promise<void> {
    const upstream = clusterUpstream(this.#options.facts);
    this.#follower = new SeedFollower({
      ...node,
      store: this.#options.store,
      logger: this.#options.logger,
      registry: () => seedRegistry(upstream, this.#options.facts),
      nameImage: (repository, tag) => seedNames(`docker.io/${repository}:${tag}`),
    });
    await this.#follower.run(signal);
  }

  /** Gives the agents on workers their rights. */
  async #approveNodes(kube: KubeClient, signal: AbortSignal): Promise<void> {
    await new CsrApprover({
      kube,
      rights: new NodeRights(kube, workerRightsOf(this.#options.settings)),
      logger: this.#options.logger,
      changed: () => this.#options.facts.changed,
    }).run(signal);
  }

  async #keepPullSecrets(kube: KubeClient, signal: AbortSignal): Promise<void> {
    const part = this.#options.parts.pullSecrets;
    if (this.#options.settings["image-mode"] !== "rewrite") {
      part.set(true, "none are made in this mode");
      return;
    }
    await new PullSecretKeeper({
      kube,
      facts: this.#options.facts,
      part,
      logger: this.#options.logger,
    }).run(
      signal,
    );
  }
}
