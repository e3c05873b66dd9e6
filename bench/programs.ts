import { HoldfastError, isFile } from "../src/std/mod.ts";
import { memoryOf } from "../test/demo/memory.ts";

/** Why a program that a benchmark needs was of no use. */
export class ProgramError extends HoldfastError<"ProgramMissing" | "ProgramFailed"> {}

/** How much of what a program said an error shows, in characters. */
const MAX_SAID = 2_000;
/** Milliseconds between two looks at a program's memory. */
const MEMORY_INTERVAL = 50;

/**
 * Runs a program to its end and gives what it printed; aborting the signal ends it.
 *
 * @throws {ProgramError} when it is not there or fails, with what it said.
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  signal.throwIfAborted();
  return await outputOf(command, startProgram(command, args, signal, env), signal);
}

/**
 * Runs a program to its end and gives the most resident memory that it had, in bytes, but for what it
 * needed in the last moments. What it starts itself does not count.
 *
 * @throws {ProgramError} as {@linkcode runProgram}.
 */
export async function peakOf(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  signal.throwIfAborted();
  const child = startProgram(command, args, signal, env);
  let peak = 0;
  const look = () => {
    try {
      peak = Math.max(peak, memoryOf(child.pid).peakBytes);
    } catch {
      // It has ended.
    }
  };
  const timer = setInterval(look, MEMORY_INTERVAL);
  try {
    await outputOf(command, child, signal);
    return peak;
  } finally {
    clearInterval(timer);
  }
}

async function outputOf(
  command: string,
  child: Deno.ChildProcess,
  signal: AbortSignal,
): Promise<string> {
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  if (code === 0) return text.decode(stdout);
  signal.throwIfAborted();
  throw new ProgramError({
    reason: "ProgramFailed",
    message: `${command} ended with ${code}: ${text.decode(stderr).trim().slice(-MAX_SAID)}`,
  });
}

/** Starts a program with its output kept. @throws {ProgramError} when it is not there. */
export function startProgram(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  env: Readonly<Record<string, string>> = {},
): Deno.ChildProcess {
  const options = { args: [...args], env, signal, stdin: "null" as const };
  try {
    return new Deno.Command(command, { ...options, stdout: "piped", stderr: "piped" }).spawn();
  } catch (cause) {
    throw new ProgramError({
      reason: "ProgramMissing",
      message: `${command} cannot be started`,
      remedy: `install ${command}`,
      cause,
    });
  }
}

/** Where a program is, by the PATH and the directories for administrators; undefined if nowhere. */
export function findProgram(name: string): string | undefined {
  const path = `${Deno.env.get("PATH") ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
  return path.split(":").map((directory) => `${directory}/${name}`).find(isFile);
}
