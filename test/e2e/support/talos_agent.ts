import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import { exec } from "../../../src/std/mod.ts";
import type { PackageStatus } from "../../../src/status/mod.ts";
import type { Forward } from "../../cluster/mod.ts";
import type { TalosNode } from "../../talos/mod.ts";
import { eventually } from "./agent.ts";

/** Where the examples of machine configurations have packages dropped. */
const DROP_DIR = "/var/mnt/holdfast";
const SERVICE = "ext-holdfast";
const REGISTRY = "127.0.0.1:31999";
/** Clock ticks of a second in /proc (getconf CLK_TCK). */
const TICKS = 100;
const MILLISECONDS = 1_000;
const KUBECTL_TIMEOUT = 30_000;

/** A patch of examples/talos. */
export function talosExample(name: string): string {
  const url = new URL(`../../../examples/talos/${name}.yaml`, import.meta.url);
  return Deno.readTextFileSync(url);
}

/** What the agent of a site is told beside the examples: it brings up everything. */
const SITE_SETTINGS = agentPatch("IMAGE_MODE=mirror", "BOOTSTRAP_ETCD=first-control-plane");

/** A patch with settings for the agent, by the names of their variables without `HOLDFAST_`. */
export function agentPatch(...settings: readonly string[]): string {
  return `apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: holdfast
environment:
${settings.map((setting) => `  - HOLDFAST_${setting}\n`).join("")}`;
}

/** The patches of a node of a site that reaches nothing outside and comes up by itself. */
export function sitePatches(node: "single-node" | "controlplane" | "worker"): string[] {
  return [...[node, "disconnected", "mirror"].map(talosExample), SITE_SETTINGS];
}

/** The agent in a Talos node, as its service. */
export class TalosAgent {
  constructor(readonly node: TalosNode) {}

  /** Host process id; undefined while it is not there. */
  get pid(): number | undefined {
    return this.node.pidsOf("holdfast")[0];
  }

  /** Waits until the service runs; gives its process. */
  async runs(timeout: number, other?: number): Promise<number> {
    return await eventually(
      `${SERVICE} to run`,
      () => this.pid === other ? undefined : this.pid,
      timeout,
      () => Promise.resolve(this.node.console().slice(-3_000)),
    );
  }

  /** The node's registry; to be closed. */
  registry(): Forward {
    return this.node.forward(REGISTRY);
  }

  /** Waits until the registry answers. */
  async serves(timeout: number): Promise<void> {
    await using registry = this.registry();
    await eventually(
      "the node registry",
      async () => {
        const response = await fetch(`http://${registry.address}/v2/`).catch(() => undefined);
        await response?.body?.cancel();
        return response?.ok;
      },
      timeout,
      () => Promise.resolve(this.tail()),
    );
  }

  /** Its lines, of all starts. */
  lines(): { readonly time: string; readonly msg: string }[] {
    return this.node.log(SERVICE).split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
  }

  /** The last lines. */
  tail(): string {
    return this.node.log(SERVICE).slice(-3_000);
  }

  /** Waits for a line. */
  async says(pattern: RegExp, timeout: number): Promise<void> {
    const found = () => this.lines().some(({ msg }) => pattern.test(msg)) || undefined;
    await eventually(String(pattern), found, timeout, () => Promise.resolve(this.tail()));
  }

  /** Copies a file of this machine into the drop directory under its own name. */
  async drop(file: string): Promise<string> {
    const path = `${DROP_DIR}/${file.slice(file.lastIndexOf("/") + 1)}`;
    const target = this.node.hostPath(path);
    const hidden = target.replace(/[^/]*$/, ".$&");
    await Deno.copyFile(file, hidden);
    await Deno.rename(hidden, target);
    return path;
  }

  /** What stands beside a dropped file. */
  verdict(path: string): PackageStatus | undefined {
    try {
      return JSON.parse(Deno.readTextFileSync(this.node.hostPath(`${path}.status.json`)));
    } catch {
      return undefined;
    }
  }

  /** Waits for a verdict. */
  async verdictIs(path: string, phase: string, timeout: number): Promise<PackageStatus> {
    return await eventually(
      `${path} to be ${phase}`,
      () => this.verdict(path)?.phase === phase ? this.verdict(path) : undefined,
      timeout,
      () => Promise.resolve(`${this.verdict(path)?.message}\n${this.tail()}`),
    );
  }

  /** When its process was started, in milliseconds since 1970, exact to the tick. */
  startedAt(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.pid}/stat`);
    const started = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) / TICKS;
    const uptime = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
    return Date.now() - (uptime - started) * MILLISECONDS;
  }

  /**
   * Milliseconds from `time` to the first line of a pattern after it. machined writes lines down some
   * seconds after they were said, and a power cut loses those that it has not written.
   */
  async fromTo(time: number, pattern: RegExp, timeout: number): Promise<number> {
    const at = () =>
      this.lines().find((line) => pattern.test(line.msg) && Date.parse(line.time) > time)?.time;
    const said = await eventually(String(pattern), at, timeout, () => Promise.resolve(this.tail()));
    return Date.parse(said) - time;
  }

  /** The kubeconfig that it keeps in the memory of its container, an administrator's; if any yet. */
  kubeconfig(): string | undefined {
    const tmp = `/proc/${this.pid}/root/tmp`;
    try {
      const access = [...Deno.readDirSync(tmp)].find(({ name }) => /^holdfast-access-/.test(name));
      return Deno.readTextFileSync(`${tmp}/${access?.name}/kubeconfig`);
    } catch {
      return undefined;
    }
  }

  /** Asks the node's API server with what the agent may do, by the real kubectl. */
  async kubectl(...args: readonly string[]): Promise<string> {
    const config = `${this.node.dir}/admin.kubeconfig`;
    const text = this.kubeconfig() ?? assert.fail(this.tail());
    await Deno.writeTextFile(
      config,
      text.replace(/server: .*/, `server: https://${this.node.ip}:6443`),
    );
    const { code, stdout, stderr } = await exec(await ensureTool(TOOLS.kube), {
      args: ["kubectl", "--kubeconfig", config, "--request-timeout=10s", ...args],
      env: { HOME: this.node.dir },
      timeout: KUBECTL_TIMEOUT,
    });
    assert.equal(code, 0, stderr);
    return stdout;
  }

  /** Names of the nodes of the cluster that are Ready, by its own API server. */
  async readyNodes(): Promise<string[]> {
    const { items }: NodeList = JSON.parse(await this.kubectl("get", "nodes", "-o", "json"));
    return items
      .filter(({ status }) =>
        status.conditions.some((c) => c.type === "Ready" && c.status === "True")
      )
      .map(({ metadata }) => metadata.name);
  }

  /** Waits for the example application, by the port that every node has for it. */
  async helloAnswers(timeout: number): Promise<void> {
    const text = await eventually("an answer of the application", async () => {
      const signal = AbortSignal.timeout(MILLISECONDS);
      const asked = fetch(`http://${this.node.ip}:30080/`, { signal });
      const response = await asked.catch(() => undefined);
      return response?.ok ? await response.text() : undefined;
    }, timeout);
    assert.match(text, /^hello 0\.1\.0 from pod /);
  }

  /** Bytes of resident memory. */
  resident(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? assert.fail(status)) * 1_024;
  }

  /** Milliseconds of processor time that it has taken. */
  processorTime(): number {
    const stat = Deno.readTextFileSync(`/proc/${this.pid}/stat`);
    const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
    return (Number(user) + Number(system)) / TICKS * MILLISECONDS;
  }
}

interface NodeList {
  items: {
    metadata: { name: string };
    status: { conditions: { type: string; status: string }[] };
  }[];
}
