import type { RepositoryTarget } from "../deploy/mod.ts";
import {
  createGitHandler,
  type GitAccess,
  GitError,
  type GitPushTarget,
  pushRepository,
  Repositories,
  serveGit,
} from "../git/mod.ts";
import type { KubeClient } from "../kube/mod.ts";
import { gitRepositoryName } from "../refs/mod.ts";
import { Complaints, describeError, type Logger, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import {
  ensureGitServer,
  isGitea,
  isOwnGitServer,
  serviceAt,
  serviceUrl,
  type ZarfState,
} from "../zarf/mod.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import { GitNodes } from "./git_nodes.ts";
import { keepListening, type Part } from "./listeners.ts";
import type { NodeName } from "./node_name.ts";
import { type Settings, splitAddress } from "./settings.ts";
import { Occasion, whenAborted } from "./signals.ts";
import { findGit } from "./tools.ts";

/** Milliseconds between two looks whether there is anything to serve, and with what. */
const LOOK_INTERVAL = 15_000;
/** Milliseconds between two looks at what packages are gone. */
const ORDER_INTERVAL = 60_000;
/** How long the webhook of this node may take to know of the git server, in milliseconds. */
const FACTS_TIMEOUT = 10_000;

/** What {@linkcode GitSite} works with. */
export interface GitSiteOptions {
  readonly settings: Pick<Settings, "git-address" | "tools-dir">;
  readonly name: Pick<NodeName, "known">;
  readonly store: Store;
  readonly facts: Pick<ClusterFacts, "current" | "changed">;
  readonly part: Part;
  readonly logger: Logger;
}

/**
 * The git repositories of this node's packages: served at Service `holdfast-git`, or pushed where the
 * site has a git server of its own.
 */
export class GitSite {
  readonly #options: GitSiteOptions;
  readonly #nodes: GitNodes | undefined;
  readonly #published = new Occasion();
  #repositories: Repositories | undefined;

  constructor(options: GitSiteOptions) {
    this.#options = options;
    const address = options.settings["git-address"];
    if (address === undefined) return;
    const nodeName = () => options.name.known;
    this.#nodes = new GitNodes({ nodeName, port: splitAddress(address).port });
  }

  /** Whether packages with repositories can be deployed: there is git, and a place to listen. */
  get isAble(): boolean {
    return this.#nodes !== undefined && this.#open() !== undefined;
  }

  /**
   * Where repositories go: the site's git server, which is the agents' own where there was none. Its
   * address stands in the state when this returns, so that what is deployed is sent there.
   *
   * @throws {ZarfError} what keeps the state from being read or written.
   * @throws {GitError} `GitFailed` without git.
   */
  async target(kube: KubeClient, signal: AbortSignal): Promise<RepositoryTarget> {
    const [repositories, nodes] = [this.#open(), this.#nodes];
    if (repositories === undefined || nodes === undefined) throw noGit();
    const { gitServer } = await ensureGitServer(kube);
    const nameOf = gitRepositoryName;
    if (!isOwnGitServer(gitServer.address)) {
      const to = await pushTarget(kube, gitServer);
      return { nameOf, publish: (repository) => pushRepository(repositories, repository, to) };
    }
    await nodes.ensureService(kube);
    await this.#factsKnow(signal);
    return {
      nameOf,
      publish: async (repository) => {
        await repositories.publish(repository);
        await nodes.announce(kube, repositories.names(), nameOf(repository.url));
        this.#published.happen();
      },
    };
  }

  /** Listens as soon as there is a repository, until the signal aborts. */
  async serve(signal: AbortSignal): Promise<void> {
    const { settings, part, logger } = this.#options;
    const address = settings["git-address"];
    if (address === undefined) return;
    let repositories = this.#open();
    while (repositories === undefined || repositories.names().length === 0) {
      const published = whenAborted(this.#published.next);
      await Promise.race([systemClock.sleep(LOOK_INTERVAL, signal), published]);
      if (signal.aborted) return;
      repositories = this.#open();
    }
    const { git } = repositories;
    const handler = createGitHandler({
      ...{ git, logger, access: () => this.#access() },
      directoryOf: (name) => this.#open()?.directoryOf(name),
      holderOf: (name) => this.#nodes?.holderOf(name),
    });
    const open = (signal: AbortSignal) => serveGit(handler, { ...splitAddress(address), signal });
    await keepListening(part, open, { logger, signal });
  }

  /** Keeps the cluster and this node in agreement about who serves what, until the signal aborts. */
  async follow(kube: KubeClient, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#nodes?.follow(kube, signal), this.#keepOrder(kube, signal)]);
  }

  async #keepOrder(kube: KubeClient, signal: AbortSignal): Promise<void> {
    const complaints = new Complaints((text) =>
      this.#options.logger.warn(`git repositories cannot be kept in order: ${text}`)
    );
    while (!signal.aborted) {
      try {
        await this.#round(kube, signal);
        complaints.settle();
      } catch (error) {
        if (!signal.aborted) complaints.say(describeError(error));
      }
      await systemClock.sleep(ORDER_INTERVAL, signal);
    }
  }

  /** What packages brought that are gone is no longer served. */
  async #round(kube: KubeClient, signal: AbortSignal): Promise<void> {
    const repositories = this.#open();
    if (repositories === undefined || repositories.names().length === 0) return;
    const { records } = this.#options.store;
    const removed = await repositories.retain((digest) => {
      const state = records.getPackage(digest)?.state;
      return state !== undefined && state !== "superseded";
    }, signal);
    if (removed.length > 0) {
      this.#options.logger.info("git repositories of packages that are gone were removed", {
        repositories: removed.join(" "),
      });
    }
    if (this.#access() !== undefined) {
      await this.#nodes?.announce(kube, repositories.names());
    }
  }

  #open(): Repositories | undefined {
    const program = this.#repositories === undefined
      ? findGit(this.#options.settings["tools-dir"])
      : undefined;
    if (program !== undefined) {
      this.#repositories = new Repositories(program, this.#options.store.dir);
    }
    return this.#repositories;
  }

  /**
   * Nobody may read where the site's repositories are elsewhere now; but what was sent here before an
   * init package brought a Gitea is still asked for here.
   */
  #access(): GitAccess | undefined {
    const server = this.#options.facts.current.access?.gitServer;
    if (server === undefined) return undefined;
    if (!isOwnGitServer(server.address) && !isGitea(server.address)) return undefined;
    const { pushUsername: owner, pullUsername: username, pullPassword: password } = server;
    return { owner, reader: { username, password } };
  }

  /** What is applied before the webhook knows of the git server would keep its URLs. */
  async #factsKnow(signal: AbortSignal): Promise<void> {
    const { facts } = this.#options;
    const limit = AbortSignal.timeout(FACTS_TIMEOUT);
    while (facts.current.access?.gitServer === undefined) {
      if (signal.aborted || limit.aborted) return;
      await whenAborted(signal, limit, facts.changed);
    }
  }
}

async function pushTarget(
  kube: KubeClient,
  { address, pushUsername: username, pushPassword: password, pullUsername }: ZarfState["gitServer"],
): Promise<GitPushTarget> {
  const base = await serviceUrl(kube, address);
  const isInCluster = serviceAt(address) !== undefined;
  return { base, username, password, ...(isInCluster ? { reader: pullUsername } : {}) };
}

function noGit(): GitError {
  return new GitError({
    reason: "GitFailed",
    message: "there is no git",
    remedy: "put git into the directory of --tools-dir, or into the PATH",
    disposition: "wait",
  });
}
