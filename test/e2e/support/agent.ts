import assert from "node:assert/strict";
import type { NodeStatus, PackageStatus } from "../../../src/status/mod.ts";
import type { ClusterNode, Forward, NodeProcess } from "../../cluster/mod.ts";

/** The root of the checkout. */
export const ROOT = new URL("../../../", import.meta.url).pathname.replace(/\/$/, "");
/** The compiled program; `deno task test` builds it first. */
export const HOLDFAST = `${ROOT}/dist/holdfast`;
/** Packages that tests drop. */
export const PACKAGES = `${ROOT}/test/fixtures/packages`;
/** The example package. */
export const HELLO = `${PACKAGES}/zarf-package-hello-amd64-0.1.0.tar.zst`;

/** Where the agent of every test node finds and keeps things, as paths in the node. */
export const DROP_DIR = "/var/drop";
export const DATA_DIR = "/var/lib/holdfast";

/** The package phases that the agent does not leave by itself. */
const FINAL = new Set(["Rejected", "Ready", "Failed", "RolledBack", "Superseded"]);

/** How the agent is started. */
export interface AgentOptions {
  /** In place of or beside the usual flags. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Path in the node; `undefined` for an agent without a cluster. @default the administrator's */
  readonly kubeconfig?: string | undefined;
}

/** A compiled agent in a node of a test cluster. */
export class TestAgent {
  readonly node: ClusterNode;
  #process: NodeProcess | undefined;
  #starts = 0;

  constructor(node: ClusterNode) {
    this.node = node;
  }

  /** Starts it; what it had before is still there. */
  async start(options: AgentOptions = {}): Promise<NodeProcess> {
    await Deno.mkdir(this.hostPath(DROP_DIR), { recursive: true });
    await Deno.mkdir(this.hostPath("/var/agent-tmp"), { recursive: true });
    const kubeconfig = "kubeconfig" in options ? options.kubeconfig : "/etc/kubernetes/admin.conf";
    const name = `holdfast-${++this.#starts}`;
    this.#process = await this.node.spawn(HOLDFAST, [
      "agent",
      `--drop-dir=${DROP_DIR}`,
      `--data-dir=${DATA_DIR}`,
      `--node-name=${this.node.name}`,
      "--log-format=text",
      ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
      ...options.flags ?? [],
    ], { name, env: { TMPDIR: "/var/agent-tmp", HOME: "/var/agent-tmp", ...options.env } });
    return this.#process;
  }

  get process(): NodeProcess {
    assert(this.#process, "the agent was not started");
    return this.#process;
  }

  /** The host's path of a path in the node. */
  hostPath(path: string): string {
    return this.node.hostPath(path);
  }

  /** Ends it and waits for its end. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    await this.process.kill(signal);
    await this.process.status;
  }

  /** Copies a file (host path) into the drop directory under its own or another name. */
  async drop(file: string, name = file.slice(file.lastIndexOf("/") + 1)): Promise<string> {
    const path = `${DROP_DIR}/${name}`;
    const hidden = this.hostPath(`${DROP_DIR}/.${name}`);
    await Deno.copyFile(file, hidden);
    await Deno.rename(hidden, this.hostPath(path));
    return path;
  }

  /** What stands beside a dropped file, if anything yet. */
  async verdict(path: string): Promise<PackageStatus | undefined> {
    try {
      return JSON.parse(await Deno.readTextFile(this.hostPath(`${path}.status.json`)));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** Waits until the verdict is final, or is one of `phases`, and gives it. */
  async settled(
    path: string,
    options: { readonly timeout?: number; readonly phases?: readonly string[] } = {},
  ): Promise<PackageStatus> {
    const { timeout = 240_000, phases } = options;
    const reached = (phase: string) =>
      phases === undefined ? FINAL.has(phase) : phases.includes(phase);
    const verdict = await eventually(
      `a verdict on ${path}`,
      async () => {
        const found = await this.verdict(path);
        return found !== undefined && reached(found.phase) ? found : undefined;
      },
      timeout,
      async () => `${JSON.stringify(await this.verdict(path))}\n${await this.logTail()}`,
    );
    return verdict;
  }

  /** A URL on the host that leads to an address as the node sees it. The caller closes it. */
  forward(address: string): Forward {
    return this.node.forward(address);
  }

  /** GETs from the agent's status listener and gives the text. */
  async status(path: string): Promise<string> {
    await using forward = this.forward("127.0.0.1:7472");
    const response = await fetch(`http://${forward.address}${path}`);
    return await response.text();
  }

  /** What a part of it says on the status page. */
  async part(name: string): Promise<NodeStatus["parts"][number]> {
    const { parts }: NodeStatus = JSON.parse(await this.status("/api/v1/status"));
    const part = parts.find((one) => one.name === name);
    assert(part, `part ${name}`);
    return part;
  }

  /** The value of a metric without labels. */
  async metric(name: string): Promise<number> {
    const line = (await this.status("/metrics")).split("\n").find((one) =>
      one.startsWith(`${name} `)
    );
    assert(line, `metric ${name}`);
    return Number(line.split(" ")[1]);
  }

  /** The last lines of its log, for the text of a failure. */
  async logTail(lines = 15): Promise<string> {
    const text = await Deno.readTextFile(this.process.logPath).catch(() => "");
    return text.trimEnd().split("\n").slice(-lines).join("\n");
  }
}

/** Milliseconds after which kube-proxy has a node port's rules; it collects changes for a second. */
const PROXY_LIMIT = 60_000;

/** Asks the example application on a node, and fails unless it answers as itself. */
export async function assertHelloAnswers(node: ClusterNode): Promise<void> {
  const response = await eventually(
    "answer of the application",
    () => fetch(`http://${node.ip}:30080/`).catch(() => undefined),
    PROXY_LIMIT,
  );
  assert.match(await response.text(), /^hello 0\.1\.0 from pod /);
  assert.equal(response.status, 200);
}

/** Asks again and again until there is an answer. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  timeout = 120_000,
  explain: () => Promise<string> = () => Promise.resolve(""),
): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) {
      assert.fail(`there was no ${what} within ${timeout / 1000} s\n${await explain()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
