/**
 * Makes the package of this folder: the server from source, its image, and the package by the real
 * `zarf package create`. Nothing is downloaded once the tools are built.
 *
 *     deno run -A examples/hello/build.ts [--version 0.1.0] [--output DIRECTORY]
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  cacheDir,
  ensureTool,
  hashTree,
  REPOSITORY_ROOT,
  TOOLS,
  type ToolSpec,
} from "../../extension/build/go_tools.ts";
import { writeOciArchive } from "../../extension/build/oci_image.ts";
import { describeError, exec, HoldfastError } from "../../src/std/mod.ts";

/** The version that zarf.yaml and the manifests spell out. */
export const HELLO_VERSION = "0.1.0";
/** The label of the image that holds the digest of the server's source. */
export const SOURCE_LABEL = "dev.holdfast.example.source";

const HERE = `${REPOSITORY_ROOT}/examples/hello`;
/** Kubernetes' "nonroot" by convention of distroless images; the Deployment names it, too. */
const NON_ROOT = "65532:65532";
/** How long `zarf package create` may take, in milliseconds. */
const CREATE_TIMEOUT = 120_000;

/** Why the example package could not be made. */
export class ExampleError extends HoldfastError<"CreateFailed"> {}

/** Where the package goes and as which version. */
export interface HelloOptions {
  /** The directory of the package file. */
  readonly output: string;
  /** A version other than that of zarf.yaml, for tests of upgrades. @default HELLO_VERSION */
  readonly version?: string;
}

/**
 * Makes `zarf-package-hello-amd64-<version>.tar.zst` in the output directory and gives its path.
 *
 * @throws {ExampleError} with what zarf said.
 */
export async function buildHello(options: HelloOptions): Promise<string> {
  const version = options.version ?? HELLO_VERSION;
  const work = await Deno.makeTempDir({ prefix: "holdfast-hello-" });
  try {
    await copySources(work, version);
    await writeImage(`${work}/hello-image.tar`, version);
    await Deno.mkdir(options.output, { recursive: true });
    await createPackage(work, options.output);
    return `${options.output}/zarf-package-hello-amd64-${version}.tar.zst`;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** The digest of the server's source, which its image carries as a label. */
export function helloSource(): string {
  return hashTree(`${HERE}/app`);
}

async function copySources(work: string, version: string): Promise<void> {
  await Deno.mkdir(`${work}/manifests`);
  const manifests = [...Deno.readDirSync(`${HERE}/manifests`)].map(({ name }) => name);
  for (const path of ["zarf.yaml", ...manifests.map((name) => `manifests/${name}`)]) {
    const text = await Deno.readTextFile(`${HERE}/${path}`);
    await Deno.writeTextFile(`${work}/${path}`, text.replaceAll(HELLO_VERSION, version));
  }
}

async function writeImage(file: string, version: string): Promise<void> {
  const binary = await ensureTool(helloTool(version));
  await writeOciArchive(file, [{
    references: [`docker.io/library/hello:${version}`],
    entries: [{ path: "hello", file: binary, mode: 0o755 }],
    config: {
      entrypoint: ["/hello"],
      user: NON_ROOT,
      ports: ["8080/tcp"],
      labels: { [SOURCE_LABEL]: helloSource() },
    },
  }]);
}

function helloTool(version: string): ToolSpec {
  return { ...TOOLS.hello, variables: { "main.version": version } };
}

async function createPackage(directory: string, output: string): Promise<void> {
  const zarf = await ensureTool(TOOLS.zarf);
  const { code, stdout, stderr } = await exec(zarf, {
    args: ["package", "create", directory, "--confirm", "--skip-sbom", "--output", output].concat(
      ["--architecture", "amd64", "--cache", `${cacheDir()}/zarf`],
      ["--tmpdir", directory, "--no-color", "--log-format", "console"],
    ),
    // It asks for a home directory even where it needs none.
    env: { HOME: directory, PATH: Deno.env.get("PATH") ?? "" },
    timeout: CREATE_TIMEOUT,
  });
  if (code === 0) return;
  throw new ExampleError({
    reason: "CreateFailed",
    message: `zarf package create ended with ${code}: ${(stderr + stdout).trim()}`,
  });
}

function sayOn(stream: typeof Deno.stdout | typeof Deno.stderr, line: string): void {
  stream.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: { version: { type: "string" }, output: { type: "string" } },
  });
  try {
    const { version = HELLO_VERSION, output = `${REPOSITORY_ROOT}/dist/examples` } = values;
    sayOn(Deno.stdout, await buildHello({ version, output }));
  } catch (error) {
    sayOn(Deno.stderr, `the example was not built: ${describeError(error)}`);
    Deno.exit(1);
  }
}
