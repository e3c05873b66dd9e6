/**
 * Real Go programs, built from the modules that this repository pins, into a cache that is keyed by
 * everything that goes into them. The second call finds the file and starts nothing.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { HoldfastError } from "../../src/std/mod.ts";

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

const KUBE_VERSION = "k8s.io/component-base/version";

/** Every Go program that the extension or the tests use. */
export const TOOLS = {
  kube: {
    name: "kube",
    module: "test/cluster/tools/kube",
    package: ".",
    variables: {
      [`${KUBE_VERSION}.gitVersion`]: "v1.36.3",
      [`${KUBE_VERSION}.gitMajor`]: "1",
      [`${KUBE_VERSION}.gitMinor`]: "36",
    },
    cpuMinutes: 21,
  },
  etcd: { name: "etcd", module: "test/cluster/tools/etcd", package: ".", cpuMinutes: 2 },
  /** Writes logs as etcd does, cut off at a place of one's choice. */
  etcdWal: { name: "etcdwal", module: "test/cluster/tools/etcd", package: "./wal", cpuMinutes: 1 },
  containerd: containerdTool("containerd", 4),
  shim: containerdTool("containerd-shim-runc-v2", 1),
  ctr: containerdTool("ctr", 1),
  node: { name: "node", module: "test/cluster/tools/node", package: ".", cpuMinutes: 1 },
  /** Stands before runc in a Talos node of tests. */
  runcShim: {
    name: "runcshim",
    module: "test/cluster/tools/node",
    package: "./runcshim",
    cpuMinutes: 1,
  },
  /** `helm` and, called by that name, `kubectl`. */
  helm: {
    name: "helm",
    module: "extension/tools/helm",
    package: ".",
    // What `kubectl version --client` says: the version of its module in go.mod.
    variables: {
      [`${KUBE_VERSION}.gitVersion`]: "v1.36.1",
      [`${KUBE_VERSION}.gitMajor`]: "1",
      [`${KUBE_VERSION}.gitMinor`]: "36",
    },
    cpuMinutes: 6,
  },
  registry: {
    name: "registry",
    module: "extension/tools/registry",
    package: "github.com/distribution/distribution/v3/cmd/registry",
    cpuMinutes: 5,
  },
  conformance: {
    name: "conformance",
    module: "test/cluster/tools/conformance",
    package: "github.com/opencontainers/distribution-spec/conformance",
    cpuMinutes: 1,
  },
  zarf: {
    name: "zarf",
    module: "test/cluster/tools/zarf",
    package: "github.com/zarf-dev/zarf",
    variables: { "github.com/zarf-dev/zarf/src/config.CLIVersion": "v0.84.0" },
    cpuMinutes: 20,
  },
  /** Requests at once, as the API server would send them. */
  load: { name: "load", module: "test/cluster/tools/load", package: ".", cpuMinutes: 1 },
  /** Serves seed images as Zarf's own injector does, for the real `zarf init`. */
  injector: {
    name: "injector",
    module: "test/cluster/tools/injector",
    package: ".",
    cpuMinutes: 1,
  },
  /** Clones with go-git, as Flux does. */
  gogit: { name: "gogit", module: "test/cluster/tools/gogit", package: ".", cpuMinutes: 1 },
  /** How objects stand by the rules that Zarf waits by, asked line by line. */
  kstatus: { name: "kstatus", module: "test/cluster/tools/kstatus", package: ".", cpuMinutes: 1 },
  /** The example's server, of the version of the package in test/fixtures. */
  hello: {
    name: "hello",
    module: "examples/hello/app",
    package: ".",
    variables: { "main.version": "0.1.0" },
    cpuMinutes: 1,
  },
  /** What Talos makes of patches to its machine configuration, asked line by line. */
  talosConfig: {
    name: "talosconfig",
    module: "test/cluster/tools/talosconfig",
    package: ".",
    cpuMinutes: 1,
  },
  /** Zarf's own names for images and git repositories, asked line by line. */
  transform: {
    name: "transform",
    module: "test/cluster/tools/transform",
    package: ".",
    cpuMinutes: 1,
  },
  /** Talos' API definitions, for a generator. */
  talosDescriptors: talosApiTool("descriptors"),
  /** Talos' API on a socket, with its roles, without a Talos below it. */
  talosApi: talosApiTool("server"),
  /** What Talos says of an extension image, and what it forgets to say. */
  talosValidate: {
    name: "talos-validate",
    module: "test/cluster/tools/talosvalidate",
    package: ".",
    cpuMinutes: 1,
  },
  /** Talos' list of the images that it takes by default. */
  talosImages: {
    name: "talosimages",
    module: "test/cluster/tools/talosimages",
    package: ".",
    cpuMinutes: 1,
  },
  /** The first process of a Talos node, with the tags that Talos builds it with. */
  machined: {
    name: "machined",
    module: "test/cluster/tools/talos",
    package: "github.com/siderolabs/talos/internal/app/machined",
    tags: "tcell_minimal,grpcnotrace",
    cpuMinutes: 20,
  },
  /** What makes Talos' boot media; it is Talos' installer, called by this name. */
  imager: {
    name: "imager",
    module: "test/cluster/tools/talos",
    package: "github.com/siderolabs/talos/cmd/installer",
    tags: "grpcnotrace",
    cpuMinutes: 1,
  },
} as const satisfies Record<string, ToolSpec>;

function containerdTool(name: string, cpuMinutes: number): ToolSpec {
  const module = "test/cluster/tools/containerd";
  return { name, module, package: `github.com/containerd/containerd/v2/cmd/${name}`, cpuMinutes };
}

function talosApiTool(name: string): ToolSpec {
  const module = "test/cluster/tools/talosapi";
  return { name: `talos-${name}`, module, package: `./${name}`, cpuMinutes: 1 };
}

/** How many builds of one tool stay in the cache; older ones are removed. */
const MAX_CACHED_BUILDS = 3;
/** How much of the compiler's output an error shows, in characters. */
const MAX_ERROR_TAIL = 2_000;
const MILLISECONDS_PER_SECOND = 1_000;

/** Where the repository lies. */
export const REPOSITORY_ROOT: string = decodeURIComponent(
  new URL("../..", import.meta.url).pathname,
).replace(/\/$/, "");

/** The directory for everything that is costly to make: `$HOLDFAST_CACHE`, else the user's cache. */
export function cacheDir(get: (name: string) => string | undefined = Deno.env.get): string {
  const own = get("HOLDFAST_CACHE");
  if (own) return own;
  return `${get("XDG_CACHE_HOME") || `${get("HOME") ?? "/root"}/.cache`}/holdfast`;
}

/**
 * A digest (64 hexadecimal digits) of the names and contents of the files under `root` that `accept`
 * takes; the order on disk does not matter.
 *
 * @param accept is given the path below `root`. @default every file
 */
export function hashTree(root: string, accept: (path: string) => boolean = () => true): string {
  const hash = createHash("sha256");
  for (const path of listFiles(root, "").filter(accept).sort()) {
    const content = Deno.readFileSync(`${root}/${path}`);
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function listFiles(root: string, below: string): string[] {
  return [...Deno.readDirSync(`${root}/${below}`)].flatMap((entry) => {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    return entry.isDirectory ? listFiles(root, path) : entry.isFile ? [path] : [];
  });
}

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
  say: (line: string) => void = sayOnStderr,
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
  removeOldBuilds(home);
  return binary;
}

function sayOnStderr(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
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

function removeOldBuilds(home: string): void {
  const builds = [...Deno.readDirSync(home)]
    .filter((entry) => entry.isDirectory)
    .map((entry) => `${home}/${entry.name}`)
    .map((path) => ({ path, time: Deno.statSync(path).mtime?.getTime() ?? 0 }))
    .sort((a, b) => b.time - a.time);
  for (const { path } of builds.slice(MAX_CACHED_BUILDS)) {
    Deno.removeSync(path, { recursive: true });
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
