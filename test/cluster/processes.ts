import { constants } from "node:os";
import { systemClock } from "../../src/std/mod.ts";
import { ClusterError } from "./errors.ts";
import type { Layout } from "./layout.ts";

/**
 * Milliseconds that the kernel may take to end all processes of a killed node: one that waits for a
 * disk with much to write ends when the disk has answered.
 */
const KILL_TIMEOUT = 60_000;
const KILL_PAUSE = 10;
/** Processes that an error names. */
const MAX_NAMED = 10;

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
  using namespace = holdNamespace(pid);
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const deadline = performance.now() + KILL_TIMEOUT;
  while (isAlive(pid) || membersOf(namespace?.name).length > 0) {
    if (performance.now() > deadline) {
      const left = new Set([pid, ...membersOf(namespace?.name)]);
      throw new ClusterError({
        reason: "LeftBehind",
        message: `of the node whose first process was ${pid} there is still: ${
          [...left].slice(0, MAX_NAMED).map(describeProcess).join("; ")
        }`,
      });
    }
    await systemClock.sleep(KILL_PAUSE);
  }
}

/**
 * Whether a process still does something. The first one of a namespace is a zombie only when the
 * kernel has ended all others of it, also those in containers (kernel/exit.c, exit_notify).
 */
function isAlive(pid: number): boolean {
  const [, state] = /^State:\s*(\S)/m.exec(readQuietly(`/proc/${pid}/status`)) ?? [];
  return state !== undefined && state !== "Z" && state !== "X";
}

/**
 * The mount namespace of a process. While it is held the kernel gives its number to no other one,
 * which it otherwise does at once: a container of another cluster would then count as of this node.
 */
function holdNamespace(pid: number): { readonly name: string } & Disposable | undefined {
  try {
    const file = Deno.openSync(`/proc/${pid}/ns/mnt`);
    return {
      name: `mnt:[${file.statSync().ino}]`,
      [Symbol.dispose]: () => file.close(),
    };
  } catch {
    return undefined;
  }
}

/** Name, state and, for root, what of the kernel a process is in. */
function describeProcess(pid: number): string {
  const status = readQuietly(`/proc/${pid}/status`);
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "?";
  const stack = readQuietly(`/proc/${pid}/stack`).replace(/^\[<0>\] /gm, "").trim();
  return `${field("Name")} (${pid}, ${field("State")}) in ${stack.replaceAll("\n", " < ")}`;
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
