/**
 * What the programs behind the tasks of deno.json have in common: lines for people, arguments, and the
 * code that they end with.
 *
 * @module
 */
import { describeError } from "../../src/std/mod.ts";

/** Prints a line on standard output. */
export function printLine(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Prints a line on standard error. */
export function complain(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** A command line that cannot be understood; the message says why. */
export class UsageError extends Error {}

/**
 * What `parse` makes of arguments (`parseArgs` of node:util).
 *
 * @throws {UsageError} with the reason that it gives.
 */
export function readArguments<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** One task. */
export interface Task<A> {
  /** Stands before its errors. */
  readonly name: string;
  /** What `--help` prints. */
  readonly usage: string;
  /** @throws {UsageError} */
  readonly parse: (args: readonly string[]) => A;
  /** @returns the exit code */
  readonly run: (args: A) => Promise<number>;
}

/** Runs a task to the end of this process: 2 after arguments that it does not take, 1 after an error. */
export async function runTask<A>({ name, usage, parse, run }: Task<A>): Promise<never> {
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
    printLine(usage);
    Deno.exit(0);
  }
  try {
    Deno.exit(await run(parse(Deno.args)));
  } catch (error) {
    const isUsage = error instanceof UsageError;
    complain(isUsage ? `${error.message}\n\n${usage}` : `${name}: ${describeError(error)}`);
    Deno.exit(isUsage ? 2 : 1);
  }
}
