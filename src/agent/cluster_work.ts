import type { RegistryAccess } from "../bootstrap/mod.ts";
import type { KubeClient } from "../kube/mod.ts";
import { mayDeploy } from "../rights/mod.ts";
import { type Elsewhere, elsewhere, type PackageActions } from "../reconcile/mod.ts";
import { describeError, type Logger } from "../std/mod.ts";
import type { PackageRecord, Store } from "../store/mod.ts";
import { type DeployedPackage, loadPackage } from "../zarf/mod.ts";
import { type ClusterConnection, ClusterError } from "./cluster.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import { deployedImages, deployRecord } from "./deployer.ts";
import type { GitSite } from "./git_site.ts";
import { lead, type LeadStage } from "./lead.ts";
import type { Part } from "./listeners.ts";
import type { NodeName } from "./node_name.ts";
import { lacksImages } from "./registry_check.ts";
import { fillRegistry, type RegistryFillOptions } from "./registry_fill.ts";
import { adoptInitPackage } from "./seed_import.ts";
import { actionPolicyOf, limitsOf, type Settings } from "./settings.ts";
import type { SiteSettingsBook } from "./site_settings.ts";
import { Throttle } from "./throttle.ts";
import type { RegistryTagBook } from "./tag_book.ts";
import { findTools } from "./tools.ts";

/** Milliseconds between two messages of the same stage: each is a durable write. */
const STAGE_INTERVAL = 1_000;

/** What {@linkcode ClusterWork} works with. */
export interface ClusterWorkOptions {
  readonly settings: Settings;
  readonly name: Pick<NodeName, "known" | "changed">;
  readonly store: Store;
  readonly cluster: ClusterConnection;
  /** Whether the agent has the rights of a node, which may not do for deploying. */
  readonly isNode: () => boolean;
  readonly facts: ClusterFacts;
  readonly siteSettings: SiteSettingsBook;
  readonly git: Pick<GitSite, "isAble" | "target">;
  /** What this node knows of tags. */
  readonly tags: Pick<RegistryTagBook, "forget">;
  readonly logger: Logger;
  readonly part: Part;
  /** Told after the record of a package has changed. */
  readonly onChange: () => void;
}

/** What the reconciler has done in the cluster: leading (registry, webhook) and deploying. */
export class ClusterWork implements PackageActions {
  readonly #options: ClusterWorkOptions;
  readonly #throttle = new Throttle(STAGE_INTERVAL);
  #stage: LeadStage | undefined;
  #leading: {
    readonly kube: KubeClient;
    readonly access: RegistryAccess;
    readonly nodeName: string;
  } | undefined;

  constructor(options: ClusterWorkOptions) {
    this.#options = options;
  }

  async lead(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { settings, name, store, logger, part } = this.#options;
    const { known: nodeName, changed } = name;
    try {
      const kube = this.#options.cluster.client();
      if (this.#options.isNode() && !await mayDeploy(kube, { signal })) throw mayNotDeploy();
      if (nodeName === undefined) throw noName();
      findTools(settings["tools-dir"]);
      this.#adoptInitPackages();
      await lead(
        {
          kube,
          store,
          logger,
          nodeName,
          registryAddress: settings["registry-address"],
          admissionAddress: settings["admission-address"],
          rewrite: settings["image-mode"] === "rewrite",
          exclusions: settings["mutation-exclusion"],
          onStage: (stage, detail) => this.#say(stage, detail),
        },
        async (access, leading) => {
          this.#leading = { kube, access, nodeName };
          await work(leading);
        },
        AbortSignal.any([signal, changed]),
      );
      part.set(true, "everything that was accepted is deployed or has its verdict");
    } catch (cause) {
      const error = changed.aborted && !signal.aborted
        ? otherName(cause)
        : noCluster(this.#options.cluster) ?? cause;
      part.set(false, describeError(error));
      throw error;
    } finally {
      this.#leading = undefined;
      this.#stage = undefined;
    }
  }

  async deploy(record: PackageRecord, signal: AbortSignal, newer?: AbortSignal): Promise<void> {
    const { settings, store, cluster, siteSettings, git, onChange } = this.#options;
    const { kubeconfig } = cluster;
    if (kubeconfig === undefined) throw new Error("there is no way to the cluster");
    const tools = findTools(settings["tools-dir"]);
    using _pin = store.collector.pin(record.digest);
    await deployRecord(
      {
        ...this.#filling(),
        ...{ kubeconfig, tools, siteSettings, git, onChange },
        registryAddress: settings["registry-address"],
        rewrite: settings["image-mode"] === "rewrite",
        policy: actionPolicyOf(settings),
        filesRoots: settings["files-root"],
        limits: limitsOf(settings),
      },
      record,
      signal,
      newer,
    );
  }

  #filling(): RegistryFillOptions {
    const { store, logger, tags } = this.#options;
    if (this.#leading === undefined) {
      throw new Error("the cluster is written to only while leading");
    }
    return { ...this.#leading, store, logger, tags };
  }

  /** The API server is asked, not a cache: what was recorded before is seen. */
  async elsewhere(record: PackageRecord, signal: AbortSignal): Promise<Elsewhere | undefined> {
    const { store, cluster, facts } = this.#options;
    // Without a state nothing is known to be gone; of an init package there is no record.
    if (facts.current.access === undefined || record.kind === "ZarfInitConfig") return undefined;
    let recorded: DeployedPackage | undefined;
    try {
      recorded = await loadPackage(cluster.client(), record.name, { signal });
    } catch {
      // Without an API server, or with a record that is none, nothing can be said.
      return undefined;
    }
    return elsewhere(record, store.records.listPackages(), recorded);
  }

  /** The registry may have started anew elsewhere, with nothing in it. */
  damaged(record: PackageRecord): Promise<boolean> {
    const { store, facts } = this.#options;
    const { registry } = facts.current;
    if (registry === undefined) return Promise.resolve(false);
    return lacksImages(registry, deployedImages(store, record));
  }

  async repair(record: PackageRecord, signal: AbortSignal): Promise<void> {
    const images = deployedImages(this.#options.store, record);
    await fillRegistry(this.#filling(), record, images, signal);
  }

  /** An init package that was dropped may bring the registry's image. */
  #adoptInitPackages(): void {
    const { store, logger } = this.#options;
    for (const { digest, kind, name } of store.records.listPackages()) {
      if (kind !== "ZarfInitConfig") continue;
      const images = store.records.images(digest);
      if (adoptInitPackage(store, { kind, images })) {
        logger.info("the registry's image is taken from an init package", { package: name });
      }
    }
  }

  /** Tells every package that waits what is being done for it. */
  #say(stage: LeadStage, detail: string): void {
    const fresh = stage !== this.#stage;
    if (!fresh && !this.#throttle.due()) return;
    const { store, logger, part, onChange } = this.#options;
    if (fresh) {
      this.#throttle.due();
      logger.info(`bootstrap: ${stage}`, { detail });
    }
    this.#stage = stage;
    const message = `${STAGES[stage]}: ${detail}`;
    part.set(true, message);
    for (const { digest, state } of store.records.listPackages()) {
      if (state !== "accepted" && state !== "deploying") continue;
      store.records.setPackageState(digest, state, { reason: "PreparingCluster", message });
    }
    onChange();
  }
}

/** What keeps the cluster from being made says more than that nobody answers. */
function noCluster({ reached, unmade }: ClusterConnection): ClusterError | undefined {
  if (reached || unmade === undefined) return undefined;
  return new ClusterError({
    reason: "NoCluster",
    message: unmade,
    kept: "packages are taken in and wait",
    disposition: "wait",
  });
}

function mayNotDeploy(): ClusterError {
  return new ClusterError({
    reason: "MayNotDeploy",
    message: "the agents of this cluster's workers serve and do not deploy",
    kept: "the package is taken in and waits",
    remedy: "drop it on a control plane node, or give the agents there --worker-rights deploy",
    disposition: "wait",
  });
}

function noName(): ClusterError {
  return new ClusterError({
    reason: "NodeNameUnknown",
    message: "this node's name in the cluster is not known yet",
    kept: "packages are taken in and wait",
    remedy: "Talos says it once its host name is decided; or give --node-name",
    disposition: "wait",
  });
}

/** What was begun under the old name, the lease above all, is begun anew. */
function otherName(cause: unknown): ClusterError {
  return new ClusterError({
    reason: "NodeNameChanged",
    message: "this node has another name now",
    kept: "what was done stays, and it goes on under the new name",
    disposition: "retry",
    cause,
  });
}

const STAGES: Readonly<Record<LeadStage, string>> = {
  Lease: "waiting for its turn in the cluster",
  State: "preparing the cluster",
  Payload: "sending the registry's image",
  Registry: "starting the registry",
  SeedPush: "filling the registry",
  CleanUp: "tidying up",
  Admission: "preparing the cluster",
  Done: "the cluster is prepared",
};
