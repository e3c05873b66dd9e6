import { build } from "../extension/build/main.ts";
import { startLocalAgent } from "../test/demo/agent.ts";
import { diskUsage, memoryOf } from "../test/demo/memory.ts";
import { BINARY } from "../test/demo/program.ts";
import { followVerdict } from "../test/demo/verdict.ts";
import { DiskWatch } from "./disk_watch.ts";
import type { BenchPackage } from "./package_file.ts";
import type { Figure, Preparation } from "./types.ts";

const MIB = 2 ** 20;
/** design.md §7. */
const TARGETS = { memory: "<= 200 MiB", disk: "<= 1.1" };

/** What an agent needed while it took a package in. */
export interface AgentImport {
  /** The most resident memory of the whole process since its start, in bytes. */
  readonly peakBytes: number;
  /** The most that its data directory grew to at any moment, in bytes. */
  readonly diskBytes: number;
}

/**
 * Has the compiled agent take a package in, and looks at it meanwhile. The file is moved away.
 *
 * @param directory an empty one on the disk of the file; nothing is left in it.
 */
export async function importByAgent(
  { file }: BenchPackage,
  directory: string,
  { signal, say }: Pick<Preparation, "signal" | "say">,
): Promise<AgentImport> {
  await build(["binary"], say);
  await Deno.mkdir(directory);
  try {
    // Beside a program with another place there is no seed image, which would be taken in as well.
    const command = `${directory}/holdfast`;
    await Deno.link(BINARY, command);
    const program = { command, args: [], label: "dist/holdfast" };
    await using agent = await startLocalAgent({ program, directory, nodeName: "bench", signal });
    const before = await diskUsage(agent.dataDir);
    const disk = new DiskWatch(agent.dataDir);
    try {
      const dropped = `${agent.dropDir}${file.slice(file.lastIndexOf("/"))}`;
      await Deno.rename(file, dropped);
      await followVerdict(agent, dropped, { until: "Accepted", tell() {}, signal });
    } finally {
      // Before it is read: a small package is taken in between two looks.
      await disk[Symbol.asyncDispose]();
    }
    return { peakBytes: memoryOf(agent.pid).peakBytes, diskBytes: disk.mostBytes - before };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** What is told of it. */
export function importFigures(
  { label, bytes }: BenchPackage,
  { peakBytes, diskBytes }: AgentImport,
): Figure[] {
  return [
    {
      name: `${label}: peak resident memory of the agent`,
      value: `${Math.round(peakBytes / MIB)} MiB`,
      target: TARGETS.memory,
    },
    {
      name: `${label}: most disk at any moment per byte of content`,
      value: (diskBytes / bytes).toFixed(3),
      target: TARGETS.disk,
    },
  ];
}
