/**
 * `deno task powercut`: cuts the power of a disk on which packages are taken in, again and again, and
 * says what was lost. Ends with 0 only when nothing was; see docs/power-cuts.md.
 *
 * @module
 */
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { build } from "../../extension/build/main.ts";
import { complain, printLine, runTask } from "../../extension/build/task.ts";
import { DISK_PREREQUISITES, installSystemPackages } from "../cluster/mod.ts";
import { onInterrupt } from "../demo/interrupt.ts";
import { parseArguments, type PowerCutArguments, USAGE } from "./arguments.ts";
import { runCycle, type World } from "./cycle.ts";
import { diskObstacle } from "./disk.ts";
import { makePool } from "./packages.ts";
import { planCycle } from "./plan.ts";
import { cycleLines, runSeries, summaryLine } from "./series.ts";

/** The exit code of a program that was interrupted (128 + SIGINT). */
const INTERRUPTED = 130;

/** @returns the exit code: 0 nothing was lost, 1 something was. */
async function run(args: PowerCutArguments): Promise<number> {
  using interrupt = onInterrupt();
  try {
    await prepare();
    printLine(`seed ${args.seed}`);
    return await cutAll(args, interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) return INTERRUPTED;
    throw error;
  }
}

async function prepare(): Promise<void> {
  if (Deno.build.os === "linux" && Deno.uid() === 0) {
    await installSystemPackages(DISK_PREREQUISITES);
  }
  const obstacle = diskObstacle();
  if (obstacle !== undefined) throw new Error(obstacle);
  await build(undefined, complain);
  await ensureTool(TOOLS.registry, complain);
}

async function cutAll(args: PowerCutArguments, signal: AbortSignal): Promise<number> {
  const { cuts, fileSystems, seed, cycle, lies } = args;
  const directory = await Deno.makeTempDir({ prefix: "holdfast-powercut-" });
  try {
    const world: World = { pool: await makePool(directory, seed), lies, signal };
    if (cycle !== undefined) {
      const fileSystem = fileSystems[cycle % fileSystems.length] ?? "ext4";
      const report = await runCycle(planCycle(seed, cycle, fileSystem, world.pool), world);
      for (const line of cycleLines(cycle, report)) printLine(line);
      return report.findings.length === 0 ? 0 : 1;
    }
    const summary = await runSeries({
      world,
      seed,
      cuts,
      fileSystems,
      onCycle: (index, report) => {
        for (const line of cycleLines(index, report)) printLine(line);
      },
    });
    printLine(summaryLine(summary));
    return summary.findings.length === 0 ? 0 : 1;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) {
  await runTask({ name: "powercut", usage: USAGE, parse: parseArguments, run });
}
