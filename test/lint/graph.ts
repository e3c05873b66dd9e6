import * as v from "valibot";
import { HoldfastError } from "../../src/std/mod.ts";

/** One import of one file. */
export interface Import {
  /** The importing file, from the repository's root. */
  readonly from: string;
  /** The line of the import, counted from 1. */
  readonly line: number;
  /** As it is written. */
  readonly specifier: string;
  /** The imported file from the repository's root; undefined for packages and built-in modules. */
  readonly to?: string;
  /** Whether only types are imported, which is nothing at run time. */
  readonly typeOnly: boolean;
}

/** Why the imports could not be read. */
export class GraphError extends HoldfastError<"DenoInfoFailed"> {}

const Resolved = v.object({
  specifier: v.optional(v.string()),
  span: v.object({ start: v.object({ line: v.number() }) }),
});
const Dependency = v.object({
  specifier: v.string(),
  code: v.optional(Resolved),
  type: v.optional(Resolved),
});
const Info = v.object({
  modules: v.array(v.object({
    specifier: v.string(),
    dependencies: v.optional(v.array(Dependency), []),
  })),
});

/**
 * Every import of `files`, as Deno itself reads them (`deno info`), so that comments, strings and
 * import maps are no concern of ours.
 *
 * @param root of the repository, absolute.
 * @param files TypeScript files, from the root.
 * @throws {GraphError} when Deno does not read them.
 */
export async function readImports(root: string, files: readonly string[]): Promise<Import[]> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const urls = files.map((file) => JSON.stringify(urlOf(root, file)));
    await Deno.writeTextFile(entry, urls.map((url) => `import ${url};\n`).join(""));
    const known = new Set(files);
    return importsOf(root, await denoInfo(root, entry))
      .filter(({ from }) => known.has(from));
  } finally {
    await Deno.remove(entry);
  }
}

async function denoInfo(root: string, entry: string): Promise<v.InferOutput<typeof Info>> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--config", `${root}/deno.json`, entry],
    env: { NO_COLOR: "1" },
  }).output();
  if (code === 0) return v.parse(Info, JSON.parse(new TextDecoder().decode(stdout)));
  throw new GraphError({
    reason: "DenoInfoFailed",
    message: `deno info failed: ${new TextDecoder().decode(stderr).trim()}`,
  });
}

function importsOf(root: string, info: v.InferOutput<typeof Info>): Import[] {
  return info.modules.flatMap(({ specifier, dependencies }) => {
    const from = pathOf(root, specifier);
    if (from === undefined) return [];
    return dependencies.flatMap((dependency) => {
      const resolved = dependency.code ?? dependency.type;
      if (resolved === undefined) return [];
      const to = pathOf(root, resolved.specifier ?? "");
      return [{
        from,
        line: resolved.span.start.line + 1,
        specifier: dependency.specifier,
        ...(to === undefined ? {} : { to }),
        typeOnly: dependency.code === undefined,
      }];
    });
  });
}

function urlOf(root: string, file: string): string {
  return new URL(file, `file://${root}/`).href;
}

function pathOf(root: string, specifier: string): string | undefined {
  const base = `file://${root}/`;
  if (!specifier.startsWith(base) || specifier.includes("/node_modules/")) return undefined;
  return decodeURIComponent(specifier.slice(base.length));
}
