import { resolve } from "node:path";

/** The variable of the environment that every process of an action, and every Helm, has. */
export const ACTION_MARK = "HOLDFAST_ACTION";
/** How long what was killed may take to be gone, in milliseconds. */
const GONE_TIMEOUT = 5_000;
/** Milliseconds between two looks whether it is. */
const GONE_POLL = 10;

/** The mark of every Helm that works in a directory of its own. */
export function helmMark(home: string): string {
  return `helm:${encodeURIComponent(resolve(home))}`;
}

/**
 * Kills what has a mark and is still running, also what has left its process group: every process
 * whose environment has the mark. None of it does anything any more when this returns.
 *
 * @returns how many were killed.
 */
export async function endLeftovers(mark: string): Promise<number> {
  const found = marked(mark);
  for (const pid of found) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // It ended in between.
    }
  }
  const deadline = performance.now() + GONE_TIMEOUT;
  while (found.length > 0 && marked(mark).length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, GONE_POLL));
  }
  return found.length;
}

/** One that has ended and waits for its parent has no environment any more. */
function marked(mark: string): number[] {
  const needle = `${ACTION_MARK}=${mark}\0`;
  return [...Deno.readDirSync("/proc")].map(({ name }) => name)
    .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(needle))
    .map(Number);
}

/** One character for each byte; empty for what is gone, or not ours to see. */
function environmentOf(pid: string): string {
  try {
    return `${new TextDecoder("latin1").decode(Deno.readFileSync(`/proc/${pid}/environ`))}\0`;
  } catch {
    return "";
  }
}
