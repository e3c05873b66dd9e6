import { HoldfastError } from "../src/std/mod.ts";

/** Why a program that a benchmark needs was of no use. */
export class ProgramError extends HoldfastError<"ProgramMissing" | "ProgramFailed"> {}

/** How much of what a program said an error shows, in characters. */
const MAX_SAID = 2_000;

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
  const { code, stdout, stderr } = await startProgram(command, args, signal, env).output();
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

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
