import { dirname, isThere, removeQuietly, systemClock } from "../../src/std/mod.ts";
import { hasCgroups, removeCgroups } from "./cgroups.ts";
import { ClusterError } from "./errors.ts";
import type { Layout } from "./layout.ts";
import { findSubnet, removeBridge } from "./network.ts";
import { findNodes, killNode } from "./processes.ts";

/** How often the removal of the state directory is tried; the kernel lets go of it late. */
const REMOVE_ATTEMPTS = 600;
const REMOVE_PAUSE = 50;

/**
 * Removes everything of a cluster, however it ended. It goes by what the kernel shows, not by
 * records, and may be called again.
 *
 * @throws {ClusterError} `LeftBehind` when something resists.
 */
export async function tearDown(layout: Layout): Promise<void> {
  await Promise.all([...findNodes(layout).values()].map(killNode));
  const subnet = await findSubnet(layout);
  if (subnet !== undefined) await removeBridge(subnet);
  await removeCgroups(layout.cgroup);
  await removeState(layout.state);
  const left = await leftovers(layout);
  if (left.length === 0) return;
  throw new ClusterError({ reason: "LeftBehind", message: `left behind: ${left.join(", ")}` });
}

async function removeState(state: string): Promise<void> {
  for (let attempt = 0; attempt < REMOVE_ATTEMPTS && isThere(state); attempt++) {
    removeQuietly(state);
    if (isThere(state)) await systemClock.sleep(REMOVE_PAUSE);
  }
  try {
    // Only when no other cluster is in it.
    Deno.removeSync(dirname(state));
  } catch {
    // In use, or gone.
  }
}

/** What there is of a cluster on the machine, one phrase each; empty after `down`. */
export async function leftovers(layout: Layout): Promise<string[]> {
  const subnet = await findSubnet(layout);
  const mounts = Deno.readTextFileSync("/proc/self/mounts").split("\n")
    .filter((line) => line.includes(layout.state));
  return [
    ...[...findNodes(layout)].map(([node, pid]) => `process ${pid} of node${node}`),
    ...(subnet === undefined ? [] : [`link ${subnet.bridge}`]),
    ...mounts.map((line) => `mount ${line}`),
    ...(hasCgroups(layout.cgroup) ? [`cgroup ${layout.cgroup}`] : []),
    ...(isThere(layout.state) ? [`files in ${layout.state}`] : []),
  ];
}
