import { exec, type ExecResult } from "../../src/std/mod.ts";
import { answers } from "./api.ts";
import { createCgroups, removeCgroups } from "./cgroups.ts";
import { CONTROL_PLANE, daemonCommand, type DaemonName, WORKER } from "./daemons.ts";
import { ClusterError } from "./errors.ts";
import { type Forward, forward } from "./forward.ts";
import { nodeDir, nodeIp, pauseArchive } from "./layout.ts";
import { plugIn, unplug } from "./network.ts";
import { configPath, socketPath, writeNodeFiles } from "./node_files.ts";
import type { ClusterPlan } from "./plan.ts";
import {
  environment,
  type NodeExecOptions,
  type NodeProcess,
  type SpawnOptions,
  startProcess,
} from "./node_process.ts";
import { findNodes, hostPid, killNode, signalNumber } from "./processes.ts";
import { run, SYSTEM_PATH } from "./run.ts";
import { ask, type SupervisedProcess } from "./supervisor.ts";
import { waitUntil } from "./wait.ts";

/** Milliseconds that a command in a node may take unless its caller says otherwise. */
const EXEC_TIMEOUT = 60_000;
/** Milliseconds that a daemon may take over SIGTERM before SIGKILL. */
const STOP_GRACE = 10_000;
/** Milliseconds until containerd must answer. */
const CONTAINERD_TIMEOUT = 120_000;
/** Milliseconds until the API server must have made its roles. */
const API_TIMEOUT = 180_000;
const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

/** One node: a process tree in namespaces of its own. */
export class ClusterNode {
  readonly name: string;
  readonly ip: string;
  /** Host directory of the node: `var`, `tmp` and `etc` (what it changed there) are in it. */
  readonly dir: string;
  readonly isControlPlane: boolean;
  #pid: number | undefined;
  #spawned = 0;

  constructor(readonly plan: ClusterPlan, readonly number: number) {
    this.name = `node${number}`;
    this.ip = nodeIp(plan.subnet, number);
    this.dir = nodeDir(plan.layout, number);
    this.isControlPlane = number <= plan.controlPlanes;
    this.#pid = findNodes(plan.layout).get(number);
  }

  /** The daemons that the node runs, in the order of their start. */
  get daemons(): readonly DaemonName[] {
    return this.isControlPlane ? [...CONTROL_PLANE, ...WORKER] : WORKER;
  }

  /**
   * Host process id of the node's pid 1.
   *
   * @throws {ClusterError} `NotUp` when the node is off.
   */
  get pid(): number {
    if (this.#pid !== undefined) return this.#pid;
    throw new ClusterError({ reason: "NotUp", message: `${this.name} is off` });
  }

  /** Whether the node's pid 1 lives. */
  get isOn(): boolean {
    return this.#pid !== undefined;
  }

  /** Writes the node's files, the first time, and starts its pid 1 with its network; no daemons. */
  async boot(): Promise<void> {
    const { plan, number } = this;
    if (!exists(configPath(plan, number))) await writeNodeFiles(plan, number);
    createCgroups(plan.layout.cgroup, this.name);
    const answer = await run(plan.tools.node, ["boot", configPath(plan, number)]);
    this.#pid = Number(answer.trim());
    await plugIn(plan.subnet, number, plan.nodes, this.#pid);
  }

  /** Starts one daemon; it need not answer yet, except containerd. */
  async start(name: DaemonName): Promise<void> {
    const { layout, subnet, tools, controlPlanes, fsync, audit } = this.plan;
    const node = this.number;
    const context = { layout, subnet, tools, node, controlPlanes, fsync, audit };
    const { argv, restart } = daemonCommand(name, context);
    await this.#ask({
      op: "start",
      name,
      argv,
      restart,
      env: environment({}),
      log: this.logPath(name),
    });
    if (name === "containerd") await this.#containerdAnswers();
  }

  /** Ends one daemon: `signal`, and SIGKILL when it has not ended after ten seconds. */
  async stop(name: string, signal: Deno.Signal = "SIGTERM"): Promise<void> {
    await this.#ask({ op: "signal", name, signal: signalNumber(signal) });
    const ended = this.#ask({ op: "wait", name });
    const force = setTimeout(() => {
      this.#ask({ op: "signal", name, signal: signalNumber("SIGKILL") }).catch(() => {});
    }, STOP_GRACE);
    try {
      await ended;
    } finally {
      clearTimeout(force);
    }
  }

  /** Everything that runs, or ran, by name. */
  processes(): Promise<readonly SupervisedProcess[]> {
    return this.#ask({ op: "list" });
  }

  /** Host process id of a running daemon or spawned process. */
  async pidOf(name: string): Promise<number | undefined> {
    const process = (await this.processes()).find((candidate) => candidate.name === name);
    return process?.running ? hostPid(this.pid, process.pid) : undefined;
  }

  /** Where a daemon's output goes, on the host. */
  logPath(name: string): string {
    return `${this.plan.logsDir}/${this.name}-${name}.log`;
  }

  /** Runs a command in the node to its end. The exit code is 124 when its time was up. */
  exec(
    command: string,
    args: readonly string[] = [],
    options: NodeExecOptions = {},
  ): Promise<ExecResult> {
    const timeout = options.timeout ?? EXEC_TIMEOUT;
    // Killing nsenter would leave the command running: the limit is kept inside.
    const limit = ["timeout", "-k", "1", String(timeout / 1_000)];
    return exec("nsenter", {
      args: [
        "-t",
        String(this.pid),
        "-m",
        "-n",
        "-p",
        "-u",
        "-i",
        "--",
        ...limit,
        command,
        ...args,
      ],
      env: { PATH: SYSTEM_PATH, HOME: "/root", LC_ALL: "C", ...options.env },
      timeout: timeout + STOP_GRACE,
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    });
  }

  /** Starts a program (absolute path) in the node; it lives until it ends, is killed or the node is. */
  async spawn(
    command: string,
    args: readonly string[] = [],
    options: SpawnOptions = {},
  ): Promise<NodeProcess> {
    const name = options.name ?? `${command.replace(/^.*\//, "")}-${++this.#spawned}`;
    return await startProcess({
      socket: socketPath(this.plan, this.number),
      nodePid: this.pid,
      name,
      argv: [command, ...args],
      env: options.env ?? {},
      logPath: options.log ?? this.logPath(name),
    });
  }

  /**
   * A port on the host's loopback that leads to `address` as the node sees it, such as its own
   * `127.0.0.1:31999`; it works with fetch and any other client, and is to be closed.
   */
  forward(address: string): Forward {
    return forward(socketPath(this.plan, this.number), address);
  }

  /** The host's path of a path in the node; /var and /tmp also while the node is off. */
  hostPath(path: string): string {
    if (/^\/(var|tmp)(\/|$)/.test(path)) return `${this.dir}${path}`;
    return `/proc/${this.pid}/root${path}`;
  }

  readFile(path: string): Promise<string> {
    return Deno.readTextFile(this.hostPath(path));
  }

  /** Makes the images of an OCI archive (host path) known to the node's containerd. */
  async importImages(archive: string): Promise<void> {
    const inNode = `/var/tmp/import-${crypto.randomUUID()}.tar`;
    await Deno.copyFile(archive, this.hostPath(inNode));
    const args = ["--address", CONTAINERD_SOCKET, "-n", "k8s.io", "images", "import", "--local"];
    const result = await this.exec(this.plan.tools.ctr, [...args, inNode]);
    await Deno.remove(this.hostPath(inNode));
    if (result.code === 0) return;
    throw new ClusterError({
      reason: "ProcessFailed",
      message: `${this.name} cannot import ${archive}: ${result.stderr.trim().slice(-500)}`,
    });
  }

  /** Boots the node and starts its daemons; they may still be coming up when this returns. */
  async powerOn(signal?: AbortSignal): Promise<void> {
    await this.boot();
    await this.startBase();
    await this.startRest(signal);
  }

  /** Starts what needs no API server: containerd with the pause image, etcd, the API server. */
  async startBase(): Promise<void> {
    if (this.isControlPlane) {
      await this.start("etcd");
      await this.start("apiserver");
    }
    await this.start("containerd");
    await this.importImages(pauseArchive(this.plan.layout));
  }

  /** Starts what needs an API server, once it is of use. */
  async startRest(signal?: AbortSignal): Promise<void> {
    if (this.isControlPlane) {
      // Earlier the controller manager would end: it may not read its own configuration yet.
      const roles = "/readyz/poststarthook/rbac/bootstrap-roles";
      await waitUntil(`the API server of ${this.name}`, () => answers(this.plan, this.ip, roles), {
        timeout: API_TIMEOUT,
        ...(signal === undefined ? {} : { signal }),
      });
      await this.start("controller-manager");
      await this.start("scheduler");
    }
    await this.start("kubelet");
    await this.start("proxy");
  }

  /** Cuts the power: every process ends at once; the files stay as the processes left them. */
  async powerOff(): Promise<void> {
    const pid = this.#pid ?? findNodes(this.plan.layout).get(this.number);
    this.#pid = undefined;
    if (pid !== undefined) await killNode(pid);
    await unplug(this.plan.subnet, this.number);
    // Left behind, the next kubelet would look at each dead container for seconds.
    await removeCgroups(`${this.plan.layout.cgroup}/${this.name}`);
  }

  async #containerdAnswers(): Promise<void> {
    const args = ["--address", CONTAINERD_SOCKET, "version"];
    await waitUntil(`containerd on ${this.name}`, async () => {
      if (!exists(this.hostPath(CONTAINERD_SOCKET))) return false;
      return (await this.exec(this.plan.tools.ctr, args)).code === 0;
    }, { timeout: CONTAINERD_TIMEOUT });
  }

  #ask(request: Parameters<typeof ask>[1]): Promise<readonly SupervisedProcess[]> {
    return ask(socketPath(this.plan, this.number), request);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
