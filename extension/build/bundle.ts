import { builtinModules } from "node:module";
// @ts-types="./esbuild.d.ts"
import * as esbuild from "esbuild";
import { HoldfastError } from "../../src/std/mod.ts";
import { hashTree } from "./go_tools.ts";
import { ignoreMissing } from "./stamp.ts";

/** What is bundled and where to. */
export interface BundleOptions {
  /** The program's entry; it becomes `main.js`. */
  readonly entry: string;
  /** Where worker entries are looked for, recursively: files named `*_worker.ts`. */
  readonly sources: string;
  /** Left as it is when it holds this bundle already, so that others may be reading it. */
  readonly output: string;
  /** What `HOLDFAST_VERSION` is in the program. */
  readonly version: string;
}

/** The files of a bundle, by path; all lie side by side. */
export interface Bundle {
  readonly main: string;
  readonly workers: readonly string[];
}

/** Why a program could not be bundled. */
export class BundleError extends HoldfastError<"BundleFailed" | "WorkerNameTaken"> {}

/**
 * Bundles the program and each of its workers into one file each. Unbundled npm packages would more
 * than double the binary and its memory, so the bundle is what is compiled.
 *
 * A worker `src/x/y_worker.ts` becomes `y_worker.js` beside `main.js`; the source starts it with
 * `new URL("./y_worker.<ts or js>", import.meta.url)`, which finds it in both places.
 *
 * @throws {BundleError} when esbuild refuses the source or two workers have the same name.
 */
export async function bundle(options: BundleOptions): Promise<Bundle> {
  const workers = await workerEntries(options.sources);
  const unfinished = `${options.output}.tmp`;
  await Deno.remove(unfinished, { recursive: true }).catch(ignoreMissing);
  await Deno.mkdir(unfinished, { recursive: true });
  const entries = new Map([["main", options.entry], ...workers]);
  try {
    // One build per entry: shared chunks would have to be included by name in the binary.
    for (const [name, entry] of entries) {
      const file = `${unfinished}/${name}.js`;
      await esbuild.build(buildOptions(entry, file, options.version));
      // `deno compile` keeps it in the program, which would be another one after every build.
      await Deno.utime(file, 0, 0);
    }
    await moveUnlessSame(unfinished, options.output);
  } catch (cause) {
    await Deno.remove(unfinished, { recursive: true }).catch(ignoreMissing);
    throw new BundleError({ reason: "BundleFailed", message: "esbuild refused the source", cause });
  } finally {
    await esbuild.stop();
  }
  return {
    main: `${options.output}/main.js`,
    workers: [...workers.keys()].map((name) => `${options.output}/${name}.js`),
  };
}

async function moveUnlessSame(unfinished: string, output: string): Promise<void> {
  try {
    if (hashTree(unfinished) === hashTree(output)) {
      return await Deno.remove(unfinished, { recursive: true });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.remove(output, { recursive: true }).catch(ignoreMissing);
  await Deno.rename(unfinished, output);
}

function buildOptions(entry: string, outfile: string, version: string): esbuild.BuildOptions {
  const constant = JSON.stringify(version);
  return {
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "esnext",
    legalComments: "none",
    logLevel: "silent",
    define: { HOLDFAST_VERSION: constant, "globalThis.HOLDFAST_VERSION": constant },
    // CommonJS packages call `require` for built-in modules, which an ES module does not have.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module";\n' +
        "const require = __createRequire(import.meta.url);",
    },
    plugins: [nodePrefix],
  };
}

/** Deno knows Node's built-in modules only as `node:…`; packages name them without. */
const nodePrefix: esbuild.Plugin = {
  name: "node-prefix",
  setup(build) {
    const builtins = new Set(builtinModules);
    build.onResolve(
      { filter: /^[a-z_]/ },
      ({ path }) => builtins.has(path) ? { path: `node:${path}`, external: true } : undefined,
    );
  },
};

/** Worker entries by bundle name, sorted, so that a bundle does not depend on the disk's order. */
async function workerEntries(directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const path of (await filesBelow(directory)).sort()) {
    const name = /([^/]+_worker)\.ts$/.exec(path)?.[1];
    if (name === undefined) continue;
    const taken = found.get(name);
    if (taken !== undefined) {
      throw new BundleError({
        reason: "WorkerNameTaken",
        message: `${taken} and ${path} would both become ${name}.js`,
        remedy: "rename one of them",
      });
    }
    found.set(name, path);
  }
  return found;
}

async function filesBelow(directory: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory) files.push(...await filesBelow(path));
    else files.push(path);
  }
  return files;
}
