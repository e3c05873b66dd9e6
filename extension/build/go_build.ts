/**
 * Real Go programs, built from the modules that this repository pins, into a cache that is keyed by
 * everything that goes into them. The second call finds the file and starts nothing.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { HoldfastError, isFile } from "../../src/std/mod.ts";
import { cacheDir, hashTree, keepNewest, REPOSITORY_ROOT } from "./places.ts";
import { complain } from "./task.ts";

/** Why a tool is not there. */
export type ToolReason = "GoMissing" | "ToolBuildFailed" | "ModuleUnavailable";

/** A tool could not be built, or a module not fetched. */
export class ToolError extends HoldfastError<ToolReason> {}

/** One Go program and how it is built. */
export interface ToolSpec {
  /** The file's name. */
  readonly name: string;
  /** Directory of the pinning module, from the repository's root. */
  readonly module: string;
  /** The package to build, `.` for the module's own. */
  readonly package: string;
  /** `-X` settings beyond `-s -w`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Build tags, with commas between. */
  readonly tags?: string;
  /** Processor minutes that a first build takes, to say so beforehand. */
  readonly cpuMinutes: number;
}

/** How many builds of one tool stay in the cache; older ones are removed. */
const MAX_CACHED_BUILDS = 3;
/** How much of the compiler's output an error shows, in characters. */
const MAX_ERROR_TAIL = 2_000;
const MILLISECONDS_PER_SECOND = 1_000;

/** Where {@linkcode ensureTool} reads and writes. */
export interface ToolPlaces {
  /** What `module` is relative to. @default the repository */
  readonly root?: string;
  /** @default {@linkcode cacheDir} */
  readonly cache?: string;
  /** Go's name of the processor that it is for. @default this machine's */
  readonly goarch?: string;
}

/**
 * The path of a tool's binary, which is built first where the cache has none. Two processes that
 * ask at once build once.
 *
 * @param say takes a line before and after a build. @default standard error
 * @throws {ToolError} when Go is missing or does not build it.
 */
export async function ensureTool(
  spec: ToolSpec,
  say: (line: string) => void = complain,
  { root = REPOSITORY_ROOT, cache = cacheDir(), goarch }: ToolPlaces = {},
): Promise<string> {
  const module = `${root}/${spec.module}`;
  const flags = buildFlags(spec);
  const env: Record<string, string> = goarch === undefined ? {} : { GOARCH: goarch };
  const home = `${cache}/tools/${spec.name}`;
  const directory = `${home}/${await buildKey(module, flags, env)}`;
  const binary = `${directory}/${spec.name}`;
  if (isFile(binary)) return binary;
  Deno.mkdirSync(home, { recursive: true });
  // The kernel lets go of the lock when its holder dies: it cannot be stale.
  using lock = await Deno.open(`${home}/lock`, { create: true, write: true });
  await lock.lock(true);
  if (isFile(binary)) return binary;
  say(`building ${spec.name} (about ${spec.cpuMinutes} CPU minutes the first time)`);
  const started = performance.now();
  await build(spec, module, flags, directory, env);
  const seconds = Math.round((performance.now() - started) / MILLISECONDS_PER_SECOND);
  say(`built ${spec.name} in ${seconds} s`);
  keepNewest(home, MAX_CACHED_BUILDS);
  return binary;
}

/** The arguments of `go build` but the output and the package. */
function buildFlags(spec: ToolSpec): string[] {
  const variables = Object.entries(spec.variables ?? {}).map(([name, value]) =>
    `-X ${name}=${value}`
  );
  const tags = spec.tags === undefined ? [] : ["-tags", spec.tags];
  return ["-trimpath", "-buildvcs=false", "-ldflags", ["-s -w", ...variables].join(" "), ...tags];
}

async function buildKey(
  module: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const sources = hashTree(module, (path) => /(^|\/)go\.(mod|sum)$|\.go$/.test(path));
  const go = await runGo(module, ["env", "GOVERSION", "GOOS", "GOARCH"], env);
  if (go.code !== 0) throw buildFailed("go env", go.stderr);
  const parts = [sources, ...flags, go.stdout.trim()].join("\0");
  return createHash("sha256").update(parts).digest("hex").slice(0, 24);
}

async function build(
  spec: ToolSpec,
  module: string,
  flags: readonly string[],
  directory: string,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const unfinished = `${directory}.${Deno.pid}.tmp`;
  Deno.mkdirSync(unfinished, { recursive: true });
  try {
    const output = `${unfinished}/${spec.name}`;
    const result = await runGo(module, ["build", ...flags, "-o", output, spec.package], env);
    if (result.code !== 0) throw buildFailed(spec.name, result.stderr);
    Deno.renameSync(unfinished, directory);
  } catch (error) {
    Deno.removeSync(unfinished, { recursive: true });
    throw error;
  }
}

/** What `go` said. */
export interface GoAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `go` to its end.
 *
 * @param env beside this process' own.
 * @throws {ToolError} `GoMissing`.
 */
export async function runGo(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<GoAnswer> {
  try {
    const result = await new Deno.Command("go", {
      args: [...args],
      cwd,
      env: { CGO_ENABLED: "0", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder();
    return {
      code: result.code,
      stdout: text.decode(result.stdout),
      stderr: text.decode(result.stderr),
    };
  } catch (cause) {
    throw new ToolError({
      reason: "GoMissing",
      message: "the Go compiler cannot be started",
      remedy: "install Go 1.26 or newer and put `go` on the PATH",
      cause,
    });
  }
}

function buildFailed(what: string, output: string): ToolError {
  return new ToolError({
    reason: "ToolBuildFailed",
    message: `go could not build ${what}: ${output.trim().slice(-MAX_ERROR_TAIL)}`,
    remedy: "check that the Go module proxy can be reached and that the disk has space",
    disposition: "retry",
  });
}
