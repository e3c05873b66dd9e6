import { DENO_VERSION } from "../../extension/build/deno_version.ts";
import { Digester, ensureDir, exec, HoldfastError } from "../../src/std/mod.ts";

/**
 * The base binary that `deno compile` appends a program to, for machines that reach an npm registry
 * but not dl.deno.land.
 *
 * Deno publishes this binary only on its own site. A compiled program starts with an unchanged copy
 * of it, so it can be cut out of a program that somebody compiled with the same version of Deno and
 * published on npm. Both the package and the cut are pinned by sha256. It is a substitute for tests:
 * nobody has compared it with an official release, so releases never use it
 * (docs/decisions/base-binary.md).
 */
export interface DenortSource {
  /** The npm package with its version. */
  readonly specifier: string;
  /** sha256 of the package's archive, in hexadecimal. */
  readonly archive: string;
  /** The compiled program in the archive. */
  readonly member: string;
  /** How many of its first bytes are the base binary. */
  readonly size: number;
  /** sha256 of those bytes, in hexadecimal. */
  readonly sha256: string;
}

/** Deno 2.7.11 for Linux on x86-64. */
export const DENORT_SOURCE: DenortSource = {
  specifier: "@stdy/cli-linux-x64@0.22.2",
  archive: "9f421f2809eeac41b1a70a9f85a6b408153956cc7797f51d5383f0233f1b5cbe",
  member: "package/bin/steady",
  size: 97_076_048,
  sha256: "f12d5d3886d5ea138304fb8d67d7396cfbedf53656676132152cb89f3fa4d8e6",
};

/** Why there is no base binary. */
export class DenortError
  extends HoldfastError<"UnsupportedPlatform" | "DownloadFailed" | "WrongSum"> {}

const TARGET = "x86_64-unknown-linux-gnu";
/** How long npm and tar may take, in milliseconds. */
const FETCH_TIMEOUT = 300_000;

/**
 * The path of the base binary below `cache`, fetched when it is not there yet. What is there is
 * trusted only if its sum is right.
 *
 * @throws {DenortError}
 */
export async function ensureDenort(cache: string, source = DENORT_SOURCE): Promise<string> {
  checkPlatform();
  const path = `${cache}/denort-${source.sha256.slice(0, 16)}`;
  if (await sumOf(path) === source.sha256) return path;
  ensureDir(cache);
  const directory = await Deno.makeTempDir({ dir: cache, prefix: "denort-" });
  try {
    const archive = await download(directory, source);
    await run("tar", ["-xzf", archive, "-C", directory, source.member]);
    const base = `${directory}/${source.member}`;
    await Deno.truncate(base, source.size);
    await checkSum(base, source.sha256);
    await Deno.chmod(base, 0o755);
    await Deno.rename(base, path);
    return path;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function checkPlatform(): void {
  if (Deno.build.target === TARGET && Deno.version.deno === DENO_VERSION) return;
  throw new DenortError({
    reason: "UnsupportedPlatform",
    message: `the substitute base binary is for Deno ${DENO_VERSION} on ${TARGET}, ` +
      `this is Deno ${Deno.version.deno} on ${Deno.build.target}`,
    remedy: "set DENORT_BIN to the denort binary of this version, or let Deno reach dl.deno.land",
  });
}

async function download(directory: string, source: DenortSource): Promise<string> {
  await run("npm", ["pack", "--silent", "--pack-destination", directory, source.specifier]);
  for await (const { name } of Deno.readDir(directory)) {
    if (!name.endsWith(".tgz")) continue;
    await checkSum(`${directory}/${name}`, source.archive);
    return `${directory}/${name}`;
  }
  throw new DenortError({
    reason: "DownloadFailed",
    message: `npm pack ${source.specifier} left no archive`,
  });
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const env = Deno.env.toObject();
  const { code, stderr } = await exec(command, { args, env, timeout: FETCH_TIMEOUT });
  if (code === 0) return;
  throw new DenortError({
    reason: "DownloadFailed",
    message: `${command} ${args.join(" ")} ended with ${code}: ${stderr.trim()}`,
    remedy: "check that npm reaches its registry",
    disposition: "retry",
  });
}

async function checkSum(path: string, want: string): Promise<void> {
  const have = await sumOf(path);
  if (have === want) return;
  throw new DenortError({
    reason: "WrongSum",
    message: `${path} has the sha256 ${have ?? "of no file"}, pinned is ${want}`,
    kept: "nothing was kept of it",
  });
}

/** The sha256 of a file in hexadecimal, or undefined when there is no such file. */
async function sumOf(path: string): Promise<string | undefined> {
  const digester = new Digester();
  try {
    using file = await Deno.open(path);
    const chunk = new Uint8Array(1 << 20);
    for (let read = await file.read(chunk); read !== null; read = await file.read(chunk)) {
      digester.update(chunk.subarray(0, read));
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return digester.finish().slice("sha256:".length);
}
