/** The variable of the environment that every process of an action has. */
export const ACTION_MARK = "HOLDFAST_ACTION";

/**
 * Kills what an action has started and is still running, also what has left its process group: every
 * process whose environment has the action's mark.
 *
 * @returns how many were killed.
 */
export function endLeftovers(mark: string): number {
  const needle = `${ACTION_MARK}=${mark}\0`;
  let killed = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || !environmentOf(name).includes(needle)) continue;
    try {
      Deno.kill(Number(name), "SIGKILL");
      killed++;
    } catch {
      // It ended in between.
    }
  }
  return killed;
}

/** One character for each byte; empty for what is gone, or not ours to see. */
function environmentOf(pid: string): string {
  try {
    return `${new TextDecoder("latin1").decode(Deno.readFileSync(`/proc/${pid}/environ`))}\0`;
  } catch {
    return "";
  }
}
