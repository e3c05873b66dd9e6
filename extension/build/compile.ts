import { digestOf, exec, type ExecResult, HoldfastError } from "../../src/std/mod.ts";
import type { Bundle } from "./bundle.ts";
import { whenChanged } from "./stamp.ts";

/** What is compiled and where to. */
export interface CompileOptions {
  readonly bundle: Bundle;
  /** The executable. */
  readonly output: string;
  /** `DENORT_BIN`: a base binary that is at hand already. */
  readonly base?: string;
  /**
   * Supplies a base binary where Deno's download site is out of reach. It is asked only after the
   * normal way has failed for that reason. Releases are built without it.
   */
  readonly fallbackBase?: () => Promise<string>;
  readonly log?: (line: string) => void;
}

/** Why a binary could not be made. */
export class CompileError extends HoldfastError<"CompileFailed" | "BaseOutOfReach"> {}

/**
 * Smaller young generation and code, no helper threads for the garbage collector: after a load the
 * agent goes back to about 75 MB resident instead of 93, at the same speed.
 */
export const V8_FLAGS = ["--max-semi-space-size=1", "--optimize-for-size", "--single-threaded-gc"];
/** How long one `deno compile` may take, in milliseconds; most of it is the base's download. */
const COMPILE_TIMEOUT = 180_000;

/**
 * Makes one executable of a bundle with `deno compile`. When neither the bundle nor the way of
 * compiling has changed since the executable was made, nothing is done.
 *
 * @returns whether the executable was made anew.
 * @throws {CompileError} with what `deno compile` said.
 */
export async function compile(options: CompileOptions): Promise<boolean> {
  return await whenChanged(options.output, await inputsOf(options), async () => {
    // Beside it and then in its place: an agent may be started from it at any moment.
    const unfinished = `${options.output}.new`;
    const result = await compileWithBase({ ...options, output: unfinished });
    if (result.code === 0) return await Deno.rename(unfinished, options.output);
    throw new CompileError({
      reason: baseIsMissing(result) ? "BaseOutOfReach" : "CompileFailed",
      message: `deno compile failed: ${result.stderr.trim()}`,
      remedy: "set DENORT_BIN to a base binary where dl.deno.land is out of reach",
    });
  });
}

async function compileWithBase(options: CompileOptions): Promise<ExecResult> {
  const first = await denoCompile(options, options.base);
  if (first.code === 0 || options.base !== undefined) return first;
  if (options.fallbackBase === undefined || !baseIsMissing(first)) return first;
  options.log?.("dl.deno.land is out of reach; using the substitute base binary for tests");
  return await denoCompile(options, await options.fallbackBase());
}

/** Whether the compilation failed for want of the base binary, not for a fault of the program. */
function baseIsMissing(result: ExecResult): boolean {
  return result.timedOut || result.stderr.includes("Setting up base binary");
}

async function denoCompile(
  options: CompileOptions,
  base: string | undefined,
): Promise<ExecResult> {
  // A machine whose network has a certificate authority of its own has it in the system's store.
  const env: Record<string, string> = {
    DENO_TLS_CA_STORE: "system,mozilla",
    ...Deno.env.toObject(),
  };
  delete env["DENORT_BIN"];
  if (base !== undefined) env["DENORT_BIN"] = base;
  return await exec(Deno.execPath(), {
    args: compileArgs(options),
    env: { ...env, NO_COLOR: "1" },
    timeout: COMPILE_TIMEOUT,
  });
}

function compileArgs(options: CompileOptions): string[] {
  return [
    "compile",
    // The bundle needs no package; with the project's own settings all of node_modules would go in.
    "--no-config",
    "--no-check",
    "--allow-all",
    // Its file would have a predictable name in a directory that everybody may write to.
    "--no-code-cache",
    `--v8-flags=${V8_FLAGS.join(",")}`,
    ...options.bundle.workers.flatMap((worker) => ["--include", worker]),
    "--output",
    options.output,
    options.bundle.main,
  ];
}

async function inputsOf(options: CompileOptions): Promise<string[]> {
  const files = [options.bundle.main, ...options.bundle.workers];
  const contents = files.map(async (file) => digestOf(await Deno.readFile(file)));
  return [
    Deno.version.deno,
    Deno.build.target,
    options.base ?? "",
    ...compileArgs(options),
    ...await Promise.all(contents),
  ];
}
