import { Cluster } from "../cluster/mod.ts";
import { stateRoot } from "../cluster/layout.ts";

const STATE_VARIABLE = "HOLDFAST_STATE";

/**
 * Gives the clusters of this run, and of the processes that it starts, a state directory of their
 * own, so that another run or a cluster that somebody uses is never touched. What runs that died
 * left is removed first.
 *
 * @returns the directory.
 */
export async function claimClusters(): Promise<string> {
  const base = stateRoot();
  for (const root of abandonedRoots(base)) {
    Deno.env.set(STATE_VARIABLE, root);
    await removeClusters();
  }
  const own = `${base}-${Deno.pid}`;
  Deno.env.set(STATE_VARIABLE, own);
  return own;
}

/** Removes every cluster of this run and gives the names of those that were there. */
export async function removeClusters(): Promise<string[]> {
  const names = clusterNames(stateRoot());
  for (const name of names) await Cluster.down(name);
  return names;
}

/** The names of the clusters that have state in `root`, running or not. */
export function clusterNames(root: string): string[] {
  return directoriesIn(root).sort();
}

/** State directories of runs whose process is gone. */
export function abandonedRoots(base: string): string[] {
  const at = base.lastIndexOf("/");
  const prefix = `${base.slice(at + 1)}-`;
  return directoriesIn(base.slice(0, at) || "/")
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .filter((name) => !isAlive(name.slice(prefix.length)))
    .map((name) => `${base.slice(0, at)}/${name}`);
}

function isAlive(pid: string): boolean {
  try {
    return Deno.statSync(`/proc/${pid}`).isDirectory;
  } catch {
    return false;
  }
}

function directoriesIn(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].filter((entry) => entry.isDirectory).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
