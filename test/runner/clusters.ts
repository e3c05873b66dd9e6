import { Cluster } from "../cluster/mod.ts";
import { stateRoot } from "../cluster/layout.ts";

/** Where a process finds the directory that has the state of its clusters. */
export const STATE_VARIABLE = "HOLDFAST_STATE";

/**
 * Gives each lane of this run a state directory of its own, so that neither another lane nor another
 * run nor a cluster that somebody uses is ever touched. What runs that died left is removed first.
 *
 * @returns the directory of a lane.
 */
export async function claimClusters(base = stateRoot()): Promise<(lane: number) => string> {
  for (const root of abandonedRoots(base)) await removeClusters(root);
  return (lane) => `${base}-${Deno.pid}-${lane + 1}`;
}

/** Removes every cluster that has state in `root` and gives the names of those that were there. */
export async function removeClusters(root: string): Promise<string[]> {
  const names = clusterNames(root);
  for (const name of names) await Cluster.down(name, root);
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
    .filter((name) => name.startsWith(prefix))
    .filter((name) => {
      const pid = /^(\d+)(-\d+)?$/.exec(name.slice(prefix.length))?.[1];
      return pid !== undefined && !isAlive(pid);
    })
    .map((name) => `${base.slice(0, at)}/${name}`)
    .sort();
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
