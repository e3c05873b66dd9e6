import { constants } from "node:os";
import { systemClock } from "../../src/std/mod.ts";
import { ClusterError } from "./errors.ts";
import type { Layout } from "./layout.ts";

/** Milliseconds that the kernel may take to end all processes of a killed node. */
const KILL_TIMEOUT = 15_000;
const KILL_PAUSE = 10;

/** The number of a signal. */
export function signalNumber(signal: Deno.Signal): number {
  const numbers: Partial<Record<string, number>> = constants.signals;
  return numbers[signal] ?? 0;
}

/** Host process ids of the first processes of a cluster's nodes, by node number. */
export function findNodes(layout: Layout): Map<number, number> {
  const found = new Map<number, number>();
  const pattern = new RegExp(`^${RegExp.escape(layout.state)}/nodes/node(\\d+)/node\\.json$`);
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const [, command, config = ""] = commandLine(Number(name));
    const node = pattern.exec(config)?.[1];
    // Only pid 1 itself: `boot` has the same file in its arguments.
    if (command === "init" && node !== undefined) found.set(Number(node), Number(name));
  }
  return found;
}

/** The arguments of a process, empty when it is gone or a zombie. */
export function commandLine(pid: number): string[] {
  return readQuietly(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
}

/** The host's process id of the child of `parent` that has the id `inner` in the node. */
export function hostPid(parent: number, inner: number): number | undefined {
  let threads: string[];
  try {
    threads = [...Deno.readDirSync(`/proc/${parent}/task`)].map((entry) => entry.name);
  } catch {
    return undefined;
  }
  const children = threads.flatMap((thread) =>
    readQuietly(`/proc/${parent}/task/${thread}/children`).split(" ").filter((pid) => pid !== "")
  );
  const found = children.find((pid) => {
    const ids = /^NSpid:\s*(.*)$/m.exec(readQuietly(`/proc/${pid}/status`))?.[1]?.split(/\s+/);
    return ids?.at(-1) === String(inner);
  });
  return found === undefined ? undefined : Number(found);
}

/**
 * Ends a node's first process and with it, by the kernel, every process of the node: a power cut.
 *
 * @throws {ClusterError} `LeftBehind` when it is still there after a while.
 */
export async function killNode(pid: number): Promise<void> {
  // Its namespaces are gone only when all its processes are.
  const namespace = namespaceOf(pid);
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const deadline = performance.now() + KILL_TIMEOUT;
  while (commandLine(pid).length > 0 || membersOf(namespace).length > 0) {
    if (performance.now() > deadline) {
      throw new ClusterError({
        reason: "LeftBehind",
        message: `process ${pid} or one of its node does not end`,
      });
    }
    await systemClock.sleep(KILL_PAUSE);
  }
}

function namespaceOf(pid: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

/** Processes in a mount namespace. */
function membersOf(namespace: string | undefined): number[] {
  if (namespace === undefined) return [];
  return [...Deno.readDirSync("/proc")]
    .filter(({ name }) => /^\d+$/.test(name) && namespaceOf(Number(name)) === namespace)
    .map(({ name }) => Number(name));
}

function readQuietly(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
