import { build } from "../../extension/build/main.ts";
import { cacheDir, REPOSITORY_ROOT, TOOLS, type ToolSpec } from "../../extension/build/go_tools.ts";
import type { Program } from "./agent.ts";
import type { Tell } from "./screen.ts";
import { isFile } from "../../src/std/mod.ts";

/** The binary that `deno task build` leaves. */
export const BINARY = `${REPOSITORY_ROOT}/dist/holdfast`;
/** The example that the demo drops, made by the real `zarf package create`. */
export const EXAMPLE =
  `${REPOSITORY_ROOT}/test/fixtures/packages/zarf-package-hello-amd64-0.1.0.tar.zst`;

/** What the cluster, the agent and the seed image are built from. */
const NEEDED: readonly ToolSpec[] = [
  ...[TOOLS.node, TOOLS.etcd, TOOLS.containerd, TOOLS.shim, TOOLS.ctr, TOOLS.kube],
  ...[TOOLS.helm, TOOLS.registry],
];

/** The tools that were never built on this machine, and the processor minutes that they take. */
export function missingTools(
  tools: readonly ToolSpec[] = NEEDED,
  built: (name: string) => boolean = wasBuilt,
): { readonly names: string[]; readonly minutes: number } {
  const missing = tools.filter(({ name }) => !built(name));
  return {
    names: missing.map(({ name }) => name),
    minutes: missing.reduce((sum, { cpuMinutes }) => sum + cpuMinutes, 0),
  };
}

function wasBuilt(name: string): boolean {
  try {
    return [...Deno.readDirSync(`${cacheDir()}/tools/${name}`)].some((entry) => entry.isDirectory);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Builds what is missing of `dist/`: binary, tools and seed image. */
export async function buildProgram(tell: Tell): Promise<Program> {
  await build(undefined, tell);
  return { command: BINARY, args: [], label: "dist/holdfast" };
}

/**
 * The program for a demo without a cluster: the compiled binary where there is one, brought up to
 * date, else the source, which needs nothing that is not there yet.
 */
export async function nodeProgram(tell: Tell): Promise<Program> {
  if (isFile(BINARY)) {
    await build(["binary"], tell);
    return { command: BINARY, args: [], label: "dist/holdfast" };
  }
  return {
    command: Deno.execPath(),
    args: ["run", "-A", `${REPOSITORY_ROOT}/main.ts`],
    label: "main.ts, from source (deno task build makes a binary of it)",
  };
}
