import { exec, type ExecResult } from "../../src/std/mod.ts";
import { ClusterError } from "./errors.ts";

/** Milliseconds that a system command may take. */
const COMMAND_TIMEOUT = 240_000;

/** The search path of every command; Debian keeps network tools in sbin. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Runs a system command to its end and gives its result, whatever the exit code. */
export function tryRun(
  command: string,
  args: readonly string[],
  options: { readonly stdin?: string; readonly timeout?: number } = {},
): Promise<ExecResult> {
  return exec(command, {
    args,
    env: { PATH: SYSTEM_PATH, LC_ALL: "C" },
    timeout: options.timeout ?? COMMAND_TIMEOUT,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  });
}

/**
 * Runs a system command and gives its standard output.
 *
 * @throws {ClusterError} `CommandFailed` with what it said on standard error.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: { readonly stdin?: string; readonly timeout?: number } = {},
): Promise<string> {
  const result = await tryRun(command, args, options);
  if (result.code === 0) return result.stdout;
  const said = (result.stderr.trim() || result.stdout.trim()).slice(-1_000);
  throw new ClusterError({
    reason: "CommandFailed",
    message: `${command} ${args.join(" ")} ended with ${result.code}: ${said}`,
  });
}
