/**
 * `deno task demo`: one package file becomes a running application, on a real cluster that can reach
 * nothing. Ends with 0 only when everything that it showed worked.
 *
 * @module
 */
import { runTask } from "../../extension/build/task.ts";
import { type DemoArguments, parseArguments, USAGE } from "./arguments.ts";
import { clusterDemo } from "./cluster_demo.ts";
import { onInterrupt } from "./interrupt.ts";
import { nodeDemo } from "./node_demo.ts";
import { ownClusterDemo } from "./own_cluster_demo.ts";
import { Screen, standardOutput } from "./screen.ts";

/** The exit code of a program that was interrupted (128 + SIGINT). */
const INTERRUPTED = 130;

async function run(args: DemoArguments): Promise<number> {
  const screen = new Screen(standardOutput());
  using interrupt = onInterrupt();
  const { signal } = interrupt;
  try {
    await demoOf(args, screen)(args, screen, signal);
    if (!signal.aborted) screen.say("Everything worked, and nothing is left behind.");
    return 0;
  } catch (error) {
    if (signal.aborted) {
      screen.say("Interrupted. What was started is removed.");
      return INTERRUPTED;
    }
    throw error;
  }
}

type Demo = (args: DemoArguments, screen: Screen, signal: AbortSignal) => Promise<void>;

function demoOf({ mode }: DemoArguments, screen: Screen): Demo {
  if (mode === "own") return ownClusterDemo;
  if (mode === "node") return nodeDemo;
  const why = noClusterHere();
  if (why === undefined) return clusterDemo;
  screen.say(`${why}, so this shows what needs none (as --node-only does).\n`);
  return nodeDemo;
}

/** Why no cluster can be made here whatever is installed; undefined when one can. */
function noClusterHere(): string | undefined {
  if (Deno.build.os !== "linux") return "A cluster can be made only on Linux";
  if (Deno.uid() !== 0) return "A cluster can be made only by root";
  return undefined;
}

if (import.meta.main) {
  await runTask({ name: "demo", usage: USAGE, parse: parseArguments, run });
}
