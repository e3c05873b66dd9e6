import * as v from "valibot";
import { answers, apiGet } from "./api.ts";
import type { DaemonName } from "./daemons.ts";
import { ClusterError } from "./errors.ts";
import { type Layout, layoutOf, MAX_NODES, pauseArchive } from "./layout.ts";
import { countOutside, createBridge } from "./network.ts";
import { ClusterNode } from "./node.ts";
import { createPki, kubeconfig } from "./pki.ts";
import { type ClusterPlan, loadPlan, savePlan } from "./plan.ts";
import { checkPrerequisites } from "./prerequisites.ts";
import { findNodes } from "./processes.ts";
import { run } from "./run.ts";
import { type ProxyMode, type RegistryMode } from "./settings.ts";
import { tearDown } from "./teardown.ts";
import { ensureClusterTools, writePauseImage } from "./tools.ts";
import { waitUntil } from "./wait.ts";

/** Milliseconds until every node must be Ready. */
const READY_TIMEOUT = 300_000;
/** How many lines of a daemon's log an error shows. */
const LOG_TAIL_LINES = 5;

/** What cluster to start. */
export interface ClusterOptions {
  /** Lower-case letters, digits, inner hyphens; at most 20. @default "holdfast" */
  readonly name?: string;
  /** @default 1 */
  readonly nodes?: number;
  /** The first so many nodes carry the control plane. @default 1 */
  readonly controlPlanes?: number;
  /** Host directory of all logs; it stays after `down`. @default a part of the state, removed */
  readonly logsDir?: string;
  /**
   * `plain`: an image is pulled from the registry that its name says, and only
   * `127.0.0.1:31999/…` can be reached. `mirror`: every pull goes to 127.0.0.1:31999 instead.
   *
   * @default "plain"
   */
  readonly registryMode?: RegistryMode;
  /** @default "nftables" */
  readonly proxyMode?: ProxyMode;
  /** Whether etcd flushes every write, which a power cut on a real disk would need. @default false */
  readonly fsync?: boolean;
  /** Whether the API server notes each writing request in {@linkcode AUDIT_LOG}. @default false */
  readonly audit?: boolean;
  /** Ends the start; what was made is removed. */
  readonly signal?: AbortSignal;
  /** Takes a line per stage. */
  readonly say?: (line: string) => void;
}

/** A real Kubernetes cluster in namespaces of this machine. */
export class Cluster implements AsyncDisposable {
  readonly nodes: readonly ClusterNode[];

  private constructor(readonly plan: ClusterPlan) {
    this.nodes = Array.from(
      { length: plan.nodes },
      (_, at) => new ClusterNode(plan, at + 1),
    );
  }

  /**
   * Starts a cluster and waits until every node is Ready. If it cannot, it removes what it made.
   *
   * @throws {ClusterError} with the reason; `PrerequisiteMissing` says what to install.
   */
  static async up(options: ClusterOptions = {}): Promise<Cluster> {
    const layout = layoutOf(options.name ?? "holdfast");
    checkPrerequisites();
    const tools = await ensureClusterTools(options.say);
    options.signal?.throwIfAborted();
    if (findNodes(layout).size > 0) {
      throw new ClusterError({
        reason: "AlreadyUp",
        message: `a cluster called ${layout.name} is already up`,
        remedy: `take another name, or: deno task cluster down --name ${layout.name}`,
      });
    }
    // What a crashed run may have left.
    await tearDown(layout);
    try {
      return await Cluster.#start(layout, tools, options);
    } catch (error) {
      await tearDown(layout);
      throw error;
    }
  }

  static async #start(
    layout: Layout,
    tools: ClusterPlan["tools"],
    options: ClusterOptions,
  ): Promise<Cluster> {
    const { nodes = 1, controlPlanes = 1, fsync = false, audit = false } = options;
    const { registryMode = "plain", proxyMode = "nftables" } = options;
    if (!(controlPlanes >= 1 && controlPlanes <= nodes && nodes <= MAX_NODES)) {
      throw new ClusterError({
        reason: "InvalidName",
        message: `${nodes} nodes with ${controlPlanes} control planes cannot be`,
        remedy: `use 1 to ${MAX_NODES} nodes and at most as many control planes`,
      });
    }
    await Deno.mkdir(layout.state, { recursive: true, mode: 0o755 });
    const logsDir = options.logsDir ?? `${layout.state}/logs`;
    await Deno.mkdir(logsDir, { recursive: true });
    const subnet = await createBridge(layout);
    await Promise.all([
      createPki(layout, subnet, nodes),
      writePauseImage(tools, pauseArchive(layout)),
    ]);
    const what = { nodes, controlPlanes, fsync, audit, registryMode, proxyMode, logsDir };
    const plan = { layout, subnet, tools, ...what };
    await savePlan(plan);
    const cluster = new Cluster(plan);
    try {
      await cluster.#startNodes(options);
    } catch (error) {
      throw await cluster.#explain(error);
    }
    return cluster;
  }

  /** Joins a cluster that another process started. @throws {ClusterError} `NotUp`. */
  static async attach(name = "holdfast"): Promise<Cluster> {
    return new Cluster(await loadPlan(layoutOf(name)));
  }

  /**
   * Removes a cluster and everything that it left, also after a crash; fine when there is none.
   *
   * @param root the directory of its state. @default `$HOLDFAST_STATE`, else under /var/lib
   */
  static async down(name = "holdfast", root?: string): Promise<void> {
    await tearDown(layoutOf(name, root));
  }

  async #startNodes({ signal, say = () => {} }: ClusterOptions): Promise<void> {
    const started = performance.now();
    const stage = (what: string) => {
      signal?.throwIfAborted();
      say(`${((performance.now() - started) / 1_000).toFixed(1).padStart(6)} s  ${what}`);
    };
    await Deno.writeTextFile(
      this.kubeconfig(),
      kubeconfig(this.plan.layout, "admin", `https://${this.#first.ip}:6443`),
      { mode: 0o600 },
    );
    const all = (action: (node: ClusterNode) => Promise<void>) =>
      Promise.all(this.nodes.map(action));
    await all((node) => node.boot());
    stage("nodes booted");
    await all((node) => node.startBase());
    stage("containerd, etcd and API server started");
    await all((node) => node.startRest(signal));
    stage("all daemons started");
    await this.waitReady(signal);
    stage("all nodes Ready");
  }

  get #first(): ClusterNode {
    const [first] = this.nodes;
    if (first !== undefined) return first;
    throw new ClusterError({ reason: "NotUp", message: "the cluster has no node" });
  }

  /** Waits until every node is Ready, the API server is, and pods can be made in `default`. */
  async waitReady(signal?: AbortSignal): Promise<void> {
    const options = { timeout: READY_TIMEOUT, ...(signal === undefined ? {} : { signal }) };
    const { ip } = this.#first;
    await waitUntil("all nodes to be Ready", async () => {
      return (await this.readyNodes()).length === this.nodes.length;
    }, options);
    await waitUntil("the API server", () => answers(this.plan, ip, "/readyz"), options);
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    await waitUntil("the service account", () => answers(this.plan, ip, account), options);
  }

  /** Names of the nodes that the API server holds for Ready. */
  async readyNodes(): Promise<string[]> {
    const list = v.parse(NodeList, await apiGet(this.plan, this.#first.ip, "/api/v1/nodes"));
    return list.items
      .filter((node) =>
        node.status.conditions?.some((c) => c.type === "Ready" && c.status === "True")
      )
      .map((node) => node.metadata.name);
  }

  /**
   * Path of the administrator's kubeconfig: for the host without an argument, else the path inside
   * that node, which leads to its own API server or, on a worker, to the first node's.
   */
  kubeconfig(node?: ClusterNode): string {
    return node === undefined
      ? `${this.plan.layout.state}/admin.kubeconfig`
      : "/etc/kubernetes/admin.conf";
  }

  /** Runs the real kubectl as administrator and gives its output. @throws {ClusterError} */
  kubectl(args: readonly string[], options: { readonly stdin?: string } = {}): Promise<string> {
    const own = [
      "--kubeconfig",
      this.kubeconfig(),
      "--cache-dir",
      `${this.plan.layout.state}/cache`,
    ];
    return run(this.plan.tools.kube, ["kubectl", ...own, ...args], options);
  }

  /** Ends a daemon. @param node @default the first */
  stop(name: DaemonName, node: ClusterNode = this.#first, signal?: Deno.Signal): Promise<void> {
    return node.stop(name, signal);
  }

  /** Starts a daemon that was stopped or crashed. @param node @default the first */
  start(name: DaemonName, node: ClusterNode = this.#first): Promise<void> {
    return node.start(name);
  }

  /** How many packets the nodes sent to an address outside the cluster's own networks. */
  outsidePackets(): Promise<number> {
    return countOutside(this.plan.subnet);
  }

  /** Ends everything and leaves nothing. */
  async down(): Promise<void> {
    await tearDown(this.plan.layout);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }

  /** Adds what the daemons that are not running said last. */
  async #explain(error: unknown): Promise<unknown> {
    const notes: string[] = [];
    for (const node of this.nodes) {
      const processes = await node.processes().catch(() => []);
      for (const process of processes.filter((candidate) => !candidate.running)) {
        notes.push(`${node.name} ${process.name} ended with ${process.code}:`);
        notes.push(...tailOf(node.logPath(process.name)));
      }
    }
    if (notes.length === 0) return error;
    return new ClusterError({ reason: "NodeFailed", message: notes.join("\n"), cause: error });
  }
}

const NodeList = v.object({
  items: v.array(v.object({
    metadata: v.object({ name: v.string() }),
    status: v.object({
      conditions: v.optional(v.array(v.object({ type: v.string(), status: v.string() }))),
    }),
  })),
});

function tailOf(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).trimEnd().split("\n").slice(-LOG_TAIL_LINES);
  } catch {
    return [];
  }
}
