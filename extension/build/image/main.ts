/**
 * `deno task extension`: leaves `dist/extension/`, an OCI layout, and the same image as one tar file
 * beside it, and says what takes how much of it. Builds what it needs of `dist/` first.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { describeError, isFile } from "../../../src/std/mod.ts";
import { missingPackages } from "../../../test/cluster/prerequisites.ts";
import { EXTENSION_PREREQUISITES } from "../../../test/cluster/mod.ts";
import { bundle } from "../bundle.ts";
import { compile } from "../compile.ts";
import { ensureTool, REPOSITORY_ROOT, TOOLS } from "../go_tools.ts";
import { build, DIST, registryVersion } from "../main.ts";
import { DENO_VERSION } from "../deno_version.ts";
import { seedImage, writeSeed } from "../seed.ts";
import { complain } from "../task.ts";
import { buildVersion } from "../version.ts";
import type { Architecture } from "./elf.ts";
import { ExtensionError } from "./errors.ts";
import { type ExtensionImage, type ExtensionOptions, writeExtension } from "./image.ts";
import { elfFor } from "./libraries.ts";
import { sizeTable } from "./size_table.ts";

const USAGE = `usage: deno task extension [--arch amd64|arm64] [--root DIR]

  --arch ARCH  the processor that the image is for; default this machine's
  --root DIR   a Debian file system whose git, busybox and libraries are taken; default /`;

/** This machine's processor by Go's name. */
const MACHINE: Architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

/** What the command line asks for. */
export interface ExtensionRequest {
  readonly architecture: Architecture;
  readonly root: string;
}

/** Reads the command line; undefined when it is wrong. */
export function requestOf(args: readonly string[]): ExtensionRequest | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { arch: { type: "string" }, root: { type: "string" } },
    });
    const architecture = values.arch ?? MACHINE;
    if (architecture !== "amd64" && architecture !== "arm64") return undefined;
    return { architecture, root: (values.root ?? "").replace(/\/+$/, "") };
  } catch {
    return undefined;
  }
}

/** Where an image of this machine's processor, or of another one, is left. */
export function outputsOf(
  architecture: Architecture,
): { readonly layout: string; readonly archive: string } {
  const layout = `${DIST}/extension${architecture === MACHINE ? "" : `-${architecture}`}`;
  return { layout, archive: `${DIST}/holdfast-extension-${architecture}.tar` };
}

/** Where an image goes: an OCI layout, and the same as one file. */
export type ExtensionOutputs = ReturnType<typeof outputsOf>;

/**
 * Builds the image.
 *
 * @param outputs @default {@linkcode outputsOf} the processor
 * @throws {ExtensionError} that says what is missing on this machine.
 */
export async function buildExtension(
  request: ExtensionRequest = { architecture: MACHINE, root: "" },
  say: (line: string) => void = complain,
  { layout, archive }: ExtensionOutputs = outputsOf(request.architecture),
): Promise<ExtensionImage> {
  requirePackages(request.root);
  const ingredients = request.architecture === MACHINE
    ? await ownIngredients(request.root, say)
    : await foreignIngredients(request, say);
  return await writeExtension(ingredients, layout, archive);
}

/** What this machine's image is made of: what `deno task build` leaves. */
export async function ownIngredients(
  root: string,
  say: (line: string) => void,
): Promise<ExtensionOptions> {
  await build(undefined, say);
  return {
    architecture: MACHINE,
    version: await buildVersion(REPOSITORY_ROOT),
    agent: `${DIST}/holdfast`,
    bundle: `${DIST}/bundle`,
    helm: `${DIST}/tools/helm`,
    registry: await ensureTool(TOOLS.registry, say),
    seed: `${DIST}/seed`,
    root,
  };
}

function requirePackages(root: string): void {
  const missing = missingPackages((path) => isFile(`${root}${path}`), EXTENSION_PREREQUISITES);
  if (missing.length === 0) return;
  throw new ExtensionError({
    reason: "PackageMissing",
    message: `the image is made of Debian's ${missing.join(" and ")}, which is not there`,
    remedy: `apt-get install -y ${missing.join(" ")}`,
  });
}

/** What the image for another processor is made of. */
async function foreignIngredients(
  { architecture, root }: ExtensionRequest,
  say: (line: string) => void,
): Promise<ExtensionOptions> {
  const base = requireBase(architecture);
  const version = await buildVersion(REPOSITORY_ROOT);
  const below = `${DIST}/${architecture}`;
  const bundled = await bundle({
    entry: `${REPOSITORY_ROOT}/main.ts`,
    sources: `${REPOSITORY_ROOT}/src`,
    output: `${below}/bundle`,
    version,
  });
  await compile({ bundle: bundled, output: `${below}/holdfast`, base, log: say });
  const places = { goarch: architecture };
  const helm = await ensureTool(TOOLS.helm, say, places);
  const registry = await ensureTool(TOOLS.registry, say, places);
  const image = { ...seedImage(registry, await registryVersion()), architecture };
  await writeSeed(`${below}/seed`, image);
  return {
    ...{ architecture, root, version, helm, registry },
    agent: `${below}/holdfast`,
    bundle: `${below}/bundle`,
    seed: `${below}/seed`,
  };
}

/** @throws {ExtensionError} `BaseMissing` when DENORT_BIN names none for that processor. */
function requireBase(architecture: Architecture): string {
  const base = Deno.env.get("DENORT_BIN");
  if (base && elfFor(base, architecture) !== undefined) return base;
  throw new ExtensionError({
    reason: "BaseMissing",
    message: `the agent for ${architecture} is made of Deno's base binary for that processor`,
    remedy: `set DENORT_BIN to denort of the release v${DENO_VERSION} for ${architecture}`,
  });
}

if (import.meta.main) {
  const request = requestOf(Deno.args);
  if (request === undefined) {
    complain(USAGE);
    Deno.exit(2);
  }
  try {
    const image = await buildExtension(request);
    const { layout, archive } = outputsOf(request.architecture);
    complain(sizeTable(image));
    complain(`${layout} and ${archive}: ${image.reference}@${image.manifest.digest}`);
  } catch (error) {
    complain(`no extension image: ${describeError(error)}`);
    Deno.exit(1);
  }
}
