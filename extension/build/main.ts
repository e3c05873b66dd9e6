/**
 * `deno task build`: leaves `dist/holdfast`, `dist/tools/` and `dist/seed/`. Parts whose inputs have
 * not changed are left as they are.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { describeError } from "../../src/std/mod.ts";
import { ensureDenort } from "../../test/build/denort.ts";
import { bundle } from "./bundle.ts";
import { compile } from "./compile.ts";
import { requireDeno } from "./deno_version.ts";
import { cacheDir, ensureTool, REPOSITORY_ROOT, TOOLS } from "./go_tools.ts";
import { pinnedRegistryVersion, seedImage, writeSeed } from "./seed.ts";
import { complain } from "./task.ts";
import { writeTools } from "./tools.ts";
import { buildVersion } from "./version.ts";

const PARTS = ["binary", "tools", "seed"] as const;
/** What can be built alone. */
export type Part = typeof PARTS[number];

/** Where everything that is built lies. */
export const DIST = `${REPOSITORY_ROOT}/dist`;
const USAGE = `usage: deno task build [--only ${PARTS.join("|")}]… [--no-tools]

  --only PART  build only this part; may be given several times
  --no-tools   leave out what is built from Go: the same as --only binary`;

/** Builds `parts` into `dist/`, saying a line about each. Two processes build one after the other. */
export async function build(
  parts: readonly Part[] = PARTS,
  say: (line: string) => void = complain,
): Promise<void> {
  requireDeno();
  await Deno.mkdir(DIST, { recursive: true });
  // The kernel lets go of the lock when its holder dies: it cannot be stale.
  using lock = await Deno.open(`${DIST}/.lock`, { create: true, write: true });
  await lock.lock(true);
  for (const part of PARTS) {
    if (!parts.includes(part)) continue;
    const started = performance.now();
    const made = await BUILDERS[part](say);
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    say(`${OUTPUTS[part]}: ${made ? `built in ${seconds} s` : "is up to date"}`);
  }
}

const OUTPUTS: Readonly<Record<Part, string>> = {
  binary: "dist/holdfast",
  tools: "dist/tools",
  seed: "dist/seed",
};

type Builder = (say: (line: string) => void) => Promise<boolean>;

const BUILDERS: Readonly<Record<Part, Builder>> = { binary: buildBinary, tools, seed };

async function buildBinary(say: (line: string) => void): Promise<boolean> {
  const base = Deno.env.get("DENORT_BIN");
  return await compile({
    bundle: await bundle({
      entry: `${REPOSITORY_ROOT}/main.ts`,
      sources: `${REPOSITORY_ROOT}/src`,
      output: `${DIST}/bundle`,
      version: await buildVersion(REPOSITORY_ROOT),
    }),
    output: `${DIST}/holdfast`,
    ...(base === undefined ? {} : { base }),
    fallbackBase: () => ensureDenort(cacheDir()),
    log: say,
  });
}

async function tools(say: (line: string) => void): Promise<boolean> {
  return await writeTools(`${DIST}/tools`, await ensureTool(TOOLS.helm, say));
}

async function seed(say: (line: string) => void): Promise<boolean> {
  const binary = await ensureTool(TOOLS.registry, say);
  return await writeSeed(`${DIST}/seed`, seedImage(binary, await registryVersion()));
}

/** The version of the registry that is built. */
export async function registryVersion(): Promise<string> {
  const goMod = await Deno.readTextFile(`${REPOSITORY_ROOT}/${TOOLS.registry.module}/go.mod`);
  return pinnedRegistryVersion(goMod);
}

/** Which parts the command line asks for; undefined when it is wrong. */
export function partsOf(args: readonly string[]): Part[] | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true },
        "no-tools": { type: "boolean" },
      },
    });
    const asked = values["no-tools"] ? ["binary"] : values.only ?? PARTS;
    const parts = PARTS.filter((part) => asked.includes(part));
    return asked.every((name) => PARTS.some((part) => part === name)) ? parts : undefined;
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  const parts = partsOf(Deno.args);
  if (parts === undefined) {
    complain(USAGE);
    Deno.exit(2);
  }
  try {
    await build(parts);
  } catch (error) {
    complain(`build failed: ${describeError(error)}`);
    Deno.exit(1);
  }
}
