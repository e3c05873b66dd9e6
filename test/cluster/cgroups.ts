import { systemClock } from "../../src/std/mod.ts";
import { ClusterError } from "./errors.ts";

/** Milliseconds that the kernel may take to let go of an empty group. */
const REMOVE_TIMEOUT = 30_000;
const REMOVE_PAUSE = 20;

/** One mounted cgroup hierarchy. */
export interface Hierarchy {
  readonly path: string;
  /** 2 only where no version 1 controller is mounted beside it. */
  readonly version: 1 | 2;
  /** Version 1: the options it is mounted with, among them its controllers. */
  readonly controllers: readonly string[];
}

/** The hierarchies in the text of /proc/self/mounts. */
export function hierarchiesIn(mounts: string): Hierarchy[] {
  return mounts.split("\n").flatMap((line): Hierarchy[] => {
    const [, path = "", kind, options = ""] = line.split(" ");
    if (!path.startsWith("/sys/fs/cgroup")) return [];
    if (kind === "cgroup2") return [{ path, version: 2, controllers: [] }];
    return kind === "cgroup" ? [{ path, version: 1, controllers: options.split(",") }] : [];
  });
}

function hierarchies(): Hierarchy[] {
  return hierarchiesIn(Deno.readTextFileSync("/proc/self/mounts"));
}

/** Creates `<cluster>/<node>` in every hierarchy, ready to hold pods. */
export function createCgroups(cluster: string, node: string): void {
  const all = hierarchies();
  const pure = all.every((hierarchy) => hierarchy.version === 2);
  for (const { path, version, controllers } of all) {
    let parent = path;
    for (const name of [cluster, node]) {
      if (version === 2 && pure) delegate(parent);
      const group = `${parent}/${name}`;
      Deno.mkdirSync(group, { recursive: true });
      if (version === 1 && controllers.includes("cpuset")) inherit(parent, group);
      parent = group;
    }
    if (version === 2 && pure) delegate(parent);
  }
}

/**
 * Creates `<cluster>/<node>` in the version 2 hierarchy alone, ready to hold processes.
 *
 * @returns its whole path.
 * @throws {ClusterError} `PrerequisiteMissing` when no such hierarchy is mounted.
 */
export function createUnifiedGroup(cluster: string, node: string): string {
  const all = hierarchies();
  const unified = all.find(({ version }) => version === 2);
  if (unified === undefined) {
    throw new ClusterError({
      reason: "PrerequisiteMissing",
      message: "no cgroup2 hierarchy is mounted below /sys/fs/cgroup",
    });
  }
  const parent = `${unified.path}/${cluster}`;
  Deno.mkdirSync(`${parent}/${node}`, { recursive: true });
  // Not below the node: what holds processes hands no controllers on.
  if (all.every(({ version }) => version === 2)) [unified.path, parent].forEach(delegate);
  return `${parent}/${node}`;
}

/** Version 2: children get every controller that the parent has. */
function delegate(parent: string): void {
  const available = Deno.readTextFileSync(`${parent}/cgroup.controllers`).trim().split(/\s+/);
  for (const controller of available.filter((name) => name !== "")) {
    Deno.writeTextFileSync(`${parent}/cgroup.subtree_control`, `+${controller}`);
  }
}

/** Version 1: a new cpuset is empty and takes no process until it has processors and memory. */
function inherit(parent: string, group: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    Deno.writeTextFileSync(`${group}/${file}`, Deno.readTextFileSync(`${parent}/${file}`).trim());
  }
}

/**
 * Removes a group and those in it from every hierarchy. Their processes must be dead; the kernel may
 * need a moment to notice.
 *
 * @param group path below the hierarchy's root.
 * @throws {ClusterError} `LeftBehind` when processes stay in it.
 */
export async function removeCgroups(group: string): Promise<void> {
  for (const { path } of hierarchies()) {
    const deadline = performance.now() + REMOVE_TIMEOUT;
    while (!removeTree(`${path}/${group}`)) {
      if (performance.now() > deadline) {
        throw new ClusterError({
          reason: "LeftBehind",
          message: `the cgroup ${path}/${group} cannot be removed`,
        });
      }
      await systemClock.sleep(REMOVE_PAUSE);
    }
  }
}

/** Whether the group is gone. */
function removeTree(group: string): boolean {
  try {
    for (const entry of Deno.readDirSync(group)) {
      if (entry.isDirectory) removeTree(`${group}/${entry.name}`);
    }
    Deno.removeSync(group);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    // Busy: a process in it is still dying.
    return false;
  }
}

/** Whether any hierarchy has the group. */
export function hasCgroups(group: string): boolean {
  return hierarchies().some(({ path }) => {
    try {
      return Deno.statSync(`${path}/${group}`).isDirectory;
    } catch {
      return false;
    }
  });
}
