import { GitError } from "../git/mod.ts";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { GIT_SERVICE, ZARF_NAMESPACE } from "../zarf/mod.ts";
import {
  endpointsName,
  gitEndpoints,
  type GitNode,
  gitNodeOf,
  gitService,
  nodeAddress,
  type RepositoryCounts,
  SERVICE_LABEL,
} from "./git_objects.ts";

const SLICES = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  namespace: ZARF_NAMESPACE,
} as const;
const SELECTOR = { labelSelector: `${SERVICE_LABEL}=${GIT_SERVICE}` };
const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  namespace: ZARF_NAMESPACE,
  name: GIT_SERVICE,
} as const;

/** This node, as one of those that serve git repositories. */
export interface OwnGitNode {
  /** In the cluster; undefined until it is known. */
  readonly nodeName: () => string | undefined;
  /** Of its listener. */
  readonly port: number;
}

/** Which nodes serve git repositories, as the cluster knows it. */
export class GitNodes {
  readonly #own: OwnGitNode;
  #nodes: readonly GitNode[] = [];

  constructor(own: OwnGitNode) {
    this.#own = own;
  }

  /** Follows the other nodes until the signal aborts. */
  async follow(kube: KubeClient, signal: AbortSignal): Promise<void> {
    for await (const slices of kube.reflect(SLICES, { ...SELECTOR, signal })) {
      this.#nodes = nodesOf(slices.values());
    }
  }

  /** Where the newest of a repository is, `http://host:port`, unless it is here or nobody has it. */
  holderOf(name: string): string | undefined {
    const holder = newestOf(this.#nodes, name);
    if (holder === undefined || holder.nodeName === this.#own.nodeName()) return undefined;
    const host = holder.address.includes(":") ? `[${holder.address}]` : holder.address;
    return `http://${host}:${holder.port}`;
  }

  /** Makes the Service be there; writes only what is missing. */
  async ensureService(kube: KubeClient): Promise<void> {
    if (await kube.get(SERVICE) === undefined) await kube.apply(gitService(), { force: true });
  }

  /**
   * Tells the cluster what this node serves; writes only what is different, nothing where the node has
   * never served anything.
   *
   * @param names all repositories that are here.
   * @param fresh one that was published just now.
   * @throws {GitError} `GitFailed` when pods cannot reach the node, or it has no name yet.
   */
  async announce(kube: KubeClient, names: readonly string[], fresh?: string): Promise<void> {
    const { port } = this.#own;
    const nodeName = this.#own.nodeName();
    if (nodeName === undefined) throw noName();
    const { items } = await kube.list(SLICES, SELECTOR);
    const nodes = nodesOf(items);
    const known = nodes.find((node) => node.nodeName === nodeName);
    if (names.length === 0) {
      if (known !== undefined) await kube.delete({ ...SLICES, name: endpointsName(nodeName) });
      return;
    }
    const address = await addressOf(kube, nodeName);
    if (address === undefined) throw noAddress(nodeName);
    const former = nodes.filter((node) =>
      node.address === address && node.port === port && node.nodeName !== nodeName
    );
    const others = nodes.filter((node) => node !== known && !former.includes(node));
    const own = known ?? former.map((node) => ({ ...node, nodeName }))[0];
    const all = own === undefined ? others : [...others, own];
    const repositories = countsOf(all, nodeName, names, fresh);
    const wanted = { nodeName, address, port, repositories };
    if (JSON.stringify(known) !== JSON.stringify(wanted)) {
      await kube.apply(gitEndpoints(wanted), { force: true });
    }
    // This node had another name: under that it would be taken for somebody else.
    for (const { nodeName: name } of former) {
      await kube.delete({ ...SLICES, name: endpointsName(name) });
    }
    this.#nodes = [...others, wanted];
  }
}

async function addressOf(kube: KubeClient, nodeName: string): Promise<string | undefined> {
  const node = { apiVersion: "v1", kind: "Node", name: nodeName };
  return nodeAddress(await kube.get(node), await kube.get(SERVICE));
}

function noName(): GitError {
  return new GitError({
    reason: "GitFailed",
    message: "this node's name in the cluster is not known yet",
    disposition: "wait",
  });
}

function noAddress(nodeName: string): GitError {
  return new GitError({
    reason: "GitFailed",
    message: `node ${nodeName} has no internal address at which pods could read git repositories`,
    remedy: "see the addresses in the status of the Node",
    disposition: "wait",
  });
}

function nodesOf(slices: Iterable<KubeObject>): GitNode[] {
  return [...slices].map(gitNodeOf).filter((node) => node !== undefined);
}

function newestOf(nodes: readonly GitNode[], name: string): GitNode | undefined {
  const count = (node: GitNode) => node.repositories[name] ?? 0;
  return nodes.filter((node) => count(node) > 0)
    .reduce<GitNode | undefined>(
      (best, node) => best === undefined || count(node) > count(best) ? node : best,
      undefined,
    );
}

/** A repository that was published just now, and is not the newest already, counts one more. */
function countsOf(
  nodes: readonly GitNode[],
  nodeName: string,
  names: readonly string[],
  fresh: string | undefined,
): RepositoryCounts {
  const own = nodes.find((node) => node.nodeName === nodeName);
  return Object.fromEntries(names.map((name) => {
    const newest = newestOf(nodes, name);
    const before = own?.repositories[name];
    if (name !== fresh) return [name, before ?? 1];
    const isNewest = newest === undefined || newest.nodeName === nodeName;
    return [name, isNewest ? before ?? 1 : (newest.repositories[name] ?? 0) + 1];
  }));
}
