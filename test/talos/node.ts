import { run } from "../cluster/run.ts";
import { createUnifiedGroup, removeCgroups } from "../cluster/cgroups.ts";
import { ClusterError } from "../cluster/errors.ts";
import { type Forward, forward } from "../cluster/forward.ts";
import { type Layout, nodeDir, nodeIp, type Subnet } from "../cluster/layout.ts";
import { plugIn, unplug } from "../cluster/network.ts";
import { findNodes, killNode } from "../cluster/processes.ts";
import { CNI_PLUGINS, pluginPath } from "../cluster/prerequisites.ts";
import { cniConfig, KUBELET_TUNABLES } from "../cluster/settings.ts";
import type { MachineConfig } from "./machine_config.ts";

/** machined's environment; PLATFORM says where it finds its configuration. */
const ENVIRONMENT = ["PATH=/usr/bin", "PLATFORM=container", "TALOSSKU=2CPU-4096RAM"];
/** Settings of the whole machine that machined and the kubelet write to, below /proc/sys. */
export const PRIVATE: readonly string[] = [
  ...["kernel/pid_max", "fs/inotify/max_user_instances", "fs/aio-max-nr"],
  ...Object.keys(KUBELET_TUNABLES),
];
/** What lies where on the host, by where it is in the node; all of it survives a power cut. */
const KEPT: Readonly<Record<string, string>> = {
  "/var": "var",
  "/system/state": "state",
  "/opt": "opt",
  "/etc/cni": "etc_cni",
  "/etc/kubernetes": "etc_kubernetes",
  "/usr/libexec/kubernetes": "usr_libexec_kubernetes",
};

/** What the nodes of a site share. */
export interface SitePlan {
  readonly layout: Layout;
  readonly subnet: Subnet;
  /** The program of test/cluster/tools/node. */
  readonly tool: string;
  /** The root file system. */
  readonly root: string;
  readonly nodes: number;
}

/** A Talos node: machined and all that it starts, in namespaces of this machine. */
export class TalosNode {
  readonly name: string;
  readonly ip: string;
  /** Everything of it that survives a power cut, and `console.log`. */
  readonly dir: string;
  #pid: number | undefined;

  /** @param number from 1. */
  constructor(
    readonly plan: SitePlan,
    readonly number: number,
    readonly config: MachineConfig,
  ) {
    this.name = `node${number}`;
    this.ip = nodeIp(plan.subnet, number);
    this.dir = nodeDir(plan.layout, number);
    this.#pid = findNodes(plan.layout).get(number);
  }

  /** Host process id of machined. @throws {ClusterError} `NotUp` when the node is off. */
  get pid(): number {
    if (this.#pid !== undefined) return this.#pid;
    throw new ClusterError({ reason: "NotUp", message: `${this.name} is off` });
  }

  /**
   * Starts machined, on what is there of an earlier start. Its services come later.
   *
   * @throws {ClusterError} `AlreadyUp` when the node is on.
   */
  async boot(): Promise<void> {
    const { plan, number } = this;
    if (this.#pid !== undefined) {
      throw new ClusterError({ reason: "AlreadyUp", message: `${this.name} is on` });
    }
    await Deno.mkdir(this.dir, { recursive: true });
    await this.#layPodNetwork();
    const cgroup = createUnifiedGroup(plan.layout.cgroup, this.name);
    await Deno.writeTextFile(this.#configPath, JSON.stringify(this.#bootConfig(cgroup)));
    const answer = await run(plan.tool, ["boot", this.#configPath]);
    this.#pid = Number(answer.trim());
    await plugIn(plan.subnet, number, plan.nodes, this.#pid);
  }

  /** Ends every process at once; the files stay as the processes left them. */
  async powerCut(): Promise<void> {
    const pid = this.#pid ?? findNodes(this.plan.layout).get(this.number);
    this.#pid = undefined;
    if (pid !== undefined) await killNode(pid);
    await unplug(this.plan.subnet, this.number);
    await removeCgroups(`${this.plan.layout.cgroup}/${this.name}`);
  }

  /**
   * Host process ids of the node's processes that are called `command`, those in containers too.
   *
   * @param command at most 15 characters (proc_pid_comm(5)).
   */
  pidsOf(command: string): number[] {
    const group = `/${this.plan.layout.cgroup}/${this.name}/`;
    return [...Deno.readDirSync("/proc")]
      .filter(({ name }) =>
        /^\d+$/.test(name) && readOrNothing(`/proc/${name}/comm`) === `${command}\n`
      )
      .filter(({ name }) => `${readOrNothing(`/proc/${name}/cgroup`).trim()}/`.includes(group))
      .map(({ name }) => Number(name));
  }

  /** The host's path of a path in the node; what survives a power cut also while the node is off. */
  hostPath(path: string): string {
    const kept = Object.entries(KEPT).find(([inside]) => `${path}/`.startsWith(`${inside}/`));
    if (kept === undefined) return `/proc/${this.pid}/root${path}`;
    return `${this.dir}/${kept[1]}${path.slice(kept[0].length)}`;
  }

  /** Port of the host's loopback that leads to `address` as the node sees it; to be closed. */
  forward(address: string): Forward {
    return forward(this.#socket, address);
  }

  /** What machined has said since the first boot. */
  console(): string {
    return readOrNothing(`${this.dir}/console.log`);
  }

  /** What a service has said, `ext-holdfast` for one. */
  log(service: string): string {
    return readOrNothing(this.hostPath(`/var/log/${service}.log`));
  }

  get #configPath(): string {
    return `${this.dir}/node.json`;
  }

  get #socket(): string {
    return `${this.dir}/node.sock`;
  }

  /**
   * Lays the plugins of test/cluster and their configuration where Talos has containerd look: flannel
   * would do that, and its program is not here.
   */
  async #layPodNetwork(): Promise<void> {
    const network = this.hostPath("/etc/cni/net.d");
    await Deno.mkdir(network, { recursive: true });
    await Deno.writeTextFile(`${network}/10-pods.conflist`, cniConfig(this.number));
    const plugins = this.hostPath("/opt/cni/bin");
    await Deno.mkdir(plugins, { recursive: true });
    for (const name of CNI_PLUGINS) await Deno.copyFile(pluginPath(name), `${plugins}/${name}`);
  }

  /** What tools/node/boot.go reads. */
  #bootConfig(cgroup: string) {
    const { root } = this.plan;
    const { text, files } = this.config;
    const environment = [...ENVIRONMENT, `USERDATA=${new TextEncoder().encode(text).toBase64()}`];
    return {
      hostname: this.name,
      dir: this.dir,
      socket: this.#socket,
      talos: { root, cgroup, environment, files, private: PRIVATE },
    };
  }
}

/** A process may end while its files are read. */
function readOrNothing(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
