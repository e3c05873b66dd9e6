import { build } from "../../extension/build/main.ts";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import {
  BUSYBOX_PREREQUISITES,
  CLOCK_PREREQUISITES,
  CLUSTER_PREREQUISITES,
  DISK_PREREQUISITES,
  EXTENSION_PREREQUISITES,
  IMAGER_PREREQUISITES,
  installSystemPackages,
  SYSTEMD_PREREQUISITES,
} from "../cluster/mod.ts";
import { sourceCrds } from "../e2e/support/crds.ts";

/**
 * Why the end-to-end tests cannot run on this machine at all, in one line. What can be installed is
 * no reason: see {@linkcode prepareE2e}.
 */
export function e2eObstacle(
  os: string = Deno.build.os,
  uid: number | null = Deno.uid(),
): string | undefined {
  if (os !== "linux") return "the test cluster needs Linux";
  if (uid !== 0) return "the test cluster needs root (network namespaces, mounts, cgroups)";
  return undefined;
}

/**
 * Builds what unit tests start: the tools that the agent calls, the seed's registry and the first
 * process of a test cluster's node.
 */
export async function prepareUnit(say: (line: string) => void): Promise<void> {
  await build(["tools", "seed"], say);
  await ensureTool(TOOLS.node, say);
}

/** Installs and builds whatever the end-to-end tests start and the machine does not have yet. */
export async function prepareE2e(say: (line: string) => void): Promise<void> {
  const prerequisites = [
    ...CLUSTER_PREREQUISITES,
    ...DISK_PREREQUISITES,
    ...BUSYBOX_PREREQUISITES,
    ...EXTENSION_PREREQUISITES,
    ...SYSTEMD_PREREQUISITES,
    ...IMAGER_PREREQUISITES,
    ...CLOCK_PREREQUISITES,
  ];
  const installed = await installSystemPackages(prerequisites);
  if (installed.length > 0) say(`installed ${installed.join(" ")}`);
  await build(undefined, say);
  // All of them: a test that built one would do so within its own time limit.
  for (const spec of Object.values(TOOLS)) await ensureTool(spec, say);
  await sourceCrds();
}
