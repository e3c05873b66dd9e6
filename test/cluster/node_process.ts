import { ClusterError } from "./errors.ts";
import { hostPid, signalNumber } from "./processes.ts";
import { SYSTEM_PATH } from "./run.ts";
import { ask } from "./supervisor.ts";

/** How a command is run in a node. */
export interface NodeExecOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  /** Milliseconds. @default one minute */
  readonly timeout?: number;
}

/** How a process is started in a node. */
export interface SpawnOptions {
  /** What `status` calls it. @default the command's file name and a number */
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Host path of its output. @default `<logs>/<node>-<name>.log` */
  readonly log?: string;
}

/** How a process ended. */
export interface ExitStatus {
  readonly code: number;
  /** The number of the signal that ended it, or 0; 9 when the node went off. */
  readonly signal: number;
}

/** A process that a test started in a node. */
export interface NodeProcess {
  /** Process id on the host, of the process itself. */
  readonly pid: number;
  readonly name: string;
  readonly logPath: string;
  /** Resolves when it has ended; asked for only when read. */
  readonly status: Promise<ExitStatus>;
  /** @default "SIGTERM" */
  kill(signal?: Deno.Signal): Promise<void>;
}

/** Where and how a process is started. */
export interface StartRequest {
  /** The socket of the node's pid 1. */
  readonly socket: string;
  /** Host process id of the node's pid 1. */
  readonly nodePid: number;
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logPath: string;
}

/** Starts a process under a node's pid 1. */
export async function startProcess(request: StartRequest): Promise<NodeProcess> {
  const { socket, name, argv, logPath } = request;
  const env = environment(request.env);
  const [process] = await ask(socket, { op: "start", name, argv, env, log: logPath });
  let status: Promise<ExitStatus> | undefined;
  return {
    // Zero when it ended before it could be looked up.
    pid: hostPid(request.nodePid, process?.pid ?? 0) ?? 0,
    name,
    logPath,
    get status() {
      return status ??= exitOf(socket, name);
    },
    kill: async (signal = "SIGTERM") => {
      await ask(socket, { op: "signal", name, signal: signalNumber(signal) });
    },
  };
}

async function exitOf(socket: string, name: string): Promise<ExitStatus> {
  try {
    const [process] = await ask(socket, { op: "wait", name });
    return { code: process?.code ?? -1, signal: process?.signal ?? 0 };
  } catch (error) {
    if (!(error instanceof ClusterError) || error.reason !== "NotUp") throw error;
    return { code: -1, signal: signalNumber("SIGKILL") };
  }
}

/** The whole environment of a node's process. */
export function environment(variables: Readonly<Record<string, string>>): string[] {
  const all = { PATH: SYSTEM_PATH, HOME: "/root", LC_ALL: "C", ...variables };
  return Object.entries(all).map(([name, value]) => `${name}=${value}`);
}
