import type { ClusterNode } from "../cluster/mod.ts";
import { freeAddress } from "../fakes/free_address.ts";
import { describeError, HoldfastError } from "../../src/std/mod.ts";

/** Why an agent that the demo started is of no use. */
export class AgentError extends HoldfastError<"AgentEnded" | "AgentSilent"> {}

/** The program that is shown: the compiled binary, or its source. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** As it is told to the person: `dist/holdfast`. */
  readonly label: string;
}

/** An agent that runs; disposing of it ends it. */
export interface RunningAgent extends AsyncDisposable {
  readonly node: string;
  /** Host process id. */
  readonly pid: number;
  /** Where the host reaches its status page: `http://127.0.0.1:7472`. */
  readonly statusUrl: string;
  /** Where the host reaches its node registry. */
  readonly registryUrl: string;
  /** Host path of its drop directory. */
  readonly dropDir: string;
  /** Host path of its data directory. */
  readonly dataDir: string;
  readonly logPath: string;
  /** How it ended, when it has. */
  readonly ended: Promise<string>;
}

/** Milliseconds until the status page must answer: Deno starts, the store is checked. */
const START_TIMEOUT = 90_000;
const POLL_INTERVAL = 50;
/** Milliseconds that an agent may take to end. */
const STOP_TIMEOUT = 10_000;
/** How many lines of its log an error shows. */
const LOG_TAIL_LINES = 8;

/** What an agent on this machine is started with. */
export interface LocalAgentOptions {
  readonly program: Program;
  /** Holds everything of it: `drop`, `data`, `agent.log`. */
  readonly directory: string;
  readonly nodeName: string;
  /** With a cluster it listens where the cluster's pods and API server look for it. */
  readonly kubeconfig?: string;
  readonly signal: AbortSignal;
}

/**
 * Starts an agent on this machine; without a cluster, on free ports of the loopback.
 *
 * @throws {AgentError} with the end of its log.
 */
export async function startLocalAgent(options: LocalAgentOptions): Promise<RunningAgent> {
  const { program, directory, nodeName, kubeconfig, signal } = options;
  const dropDir = `${directory}/drop`;
  const dataDir = `${directory}/data`;
  const logPath = `${directory}/agent.log`;
  await Deno.mkdir(dropDir, { recursive: true });
  const registry = kubeconfig === undefined ? freeAddress() : "127.0.0.1:31999";
  const status = kubeconfig === undefined ? freeAddress() : "127.0.0.1:7472";
  const child = spawnLogged(program, [
    ...agentFlags(nodeName, dropDir, dataDir),
    ...["--registry-address", registry, "--status-address", status],
    ...(kubeconfig === undefined
      ? ["--admission-address", freeAddress()]
      : ["--kubeconfig", kubeconfig]),
  ], logPath);
  const agent: RunningAgent = {
    node: nodeName,
    pid: child.pid,
    statusUrl: `http://${status}`,
    registryUrl: `http://${registry}`,
    dropDir,
    dataDir,
    logPath,
    ended: child.status.then(({ code, signal }) => signal ?? `exit code ${code}`),
    [Symbol.asyncDispose]: () => stopChild(child),
  };
  return await answering(agent, signal);
}

/**
 * Starts an agent inside a node of the test cluster.
 *
 * @throws {AgentError} with the end of its log.
 */
export async function startNodeAgent(
  node: ClusterNode,
  program: Program,
  kubeconfig: string,
  signal: AbortSignal,
): Promise<RunningAgent> {
  const dropDir = "/var/lib/holdfast-drop";
  const dataDir = "/var/lib/holdfast";
  await Deno.mkdir(node.hostPath(dropDir), { recursive: true });
  const process = await node.spawn(program.command, [
    ...program.args,
    ...agentFlags(node.name, dropDir, dataDir),
    ...["--kubeconfig", kubeconfig],
  ], { name: "holdfast" });
  const status = node.forward("127.0.0.1:7472");
  const registry = node.forward("127.0.0.1:31999");
  const agent: RunningAgent = {
    node: node.name,
    pid: process.pid,
    statusUrl: `http://${status.address}`,
    registryUrl: `http://${registry.address}`,
    dropDir: node.hostPath(dropDir),
    dataDir: node.hostPath(dataDir),
    logPath: process.logPath,
    ended: process.status.then(({ code, signal }) =>
      signal === 0 ? `exit code ${code}` : `signal ${signal}`
    ),
    async [Symbol.asyncDispose]() {
      await Promise.all([status.close(), registry.close()]);
      await process.kill().catch(() => {});
    },
  };
  return await answering(agent, signal);
}

function agentFlags(nodeName: string, dropDir: string, dataDir: string): string[] {
  return [
    ...["agent", "--node-name", nodeName, "--drop-dir", dropDir, "--data-dir", dataDir],
    ...["--log-format", "text"],
  ];
}

function spawnLogged(program: Program, args: readonly string[], log: string): Deno.ChildProcess {
  // The shell gives way to the agent: the process id and signals are the agent's own.
  const script = 'log=$1; shift; exec "$@" >>"$log" 2>&1';
  return new Deno.Command("/bin/sh", {
    args: ["-c", script, "agent", log, program.command, ...program.args, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function stopChild(child: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  kill("SIGTERM");
  const force = setTimeout(() => kill("SIGKILL"), STOP_TIMEOUT);
  await child.status;
  clearTimeout(force);
}

/** Waits until the agent's status page answers; if it does not, ends the agent. */
async function answering(agent: RunningAgent, signal: AbortSignal): Promise<RunningAgent> {
  try {
    await untilAnswer(agent, signal);
    return agent;
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    throw error;
  }
}

async function untilAnswer(agent: RunningAgent, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT;
  let end: string | undefined;
  agent.ended.then((how) => end = how);
  let last: unknown;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    if (end !== undefined) throw agentEnded(agent, end);
    try {
      const response = await fetch(`${agent.statusUrl}/livez`, {
        signal: AbortSignal.timeout(1_000),
      });
      await response.body?.cancel();
      if (response.ok) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
  throw new AgentError({
    reason: "AgentSilent",
    message: `the status page of ${agent.node} does not answer: ${describeError(last)}; ` +
      `its log ends:\n${logTail(agent.logPath)}`,
  });
}

/** That an agent ended by itself, with the end of its log. */
export function agentEnded({ node, logPath }: RunningAgent, how: string): AgentError {
  return new AgentError({
    reason: "AgentEnded",
    message: `the agent of ${node} ended (${how}); its log ends:\n${logTail(logPath)}`,
  });
}

/** The last lines of a log; empty when there is none. */
export function logTail(path: string): string {
  try {
    return Deno.readTextFileSync(path).trimEnd().split("\n").slice(-LOG_TAIL_LINES).join("\n");
  } catch {
    return "";
  }
}
