/**
 * The real zarf, run offline in directories of its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";

/** What the real zarf said. */
export interface ZarfAnswer {
  readonly ok: boolean;
  /** What it printed: the answer itself. */
  readonly output: string;
  /** Both of its streams: the answer and what it logged. */
  readonly text: string;
}

/**
 * Runs the real zarf to its end; nobody answers its questions. What it unpacks on its way goes away,
 * also where zarf itself leaves it.
 */
export async function zarf(
  args: readonly string[],
  cwd?: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ZarfAnswer> {
  const temporary = await Deno.makeTempDir({ prefix: "holdfast-zarf-" });
  try {
    // What it takes from others has flags of its own only.
    const own = /^tools (registry|helm|kubectl)\b/.test(args.join(" "))
      ? []
      : ["--no-color", `--tmpdir=${temporary}`];
    const { code, stdout, stderr } = await new Deno.Command(await ensureTool(TOOLS.zarf), {
      args: [...args, ...own],
      stdin: "null",
      env: { TMPDIR: temporary, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    }).output();
    const [output = "", log = ""] = [stdout, stderr].map((bytes) =>
      new TextDecoder().decode(bytes)
    );
    return { ok: code === 0, output, text: output + log };
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/**
 * Makes a package with `zarf package create` from the zarf.yaml in `source`, and gives the path of its
 * file in `output`, a directory that is new for every package. What zarf keeps besides goes there too.
 */
export async function zarfCreate(
  source: string,
  output: string,
  flags: readonly string[] = [],
): Promise<string> {
  const [files, cache] = [`${output}/package`, `${output}/cache`];
  for (const directory of [files, cache]) await Deno.mkdir(directory, { recursive: true });
  const own = [`--output=${files}`, `--zarf-cache=${cache}`];
  const made = await zarf(["package", "create", ".", "--confirm", ...own, ...flags], source);
  assert(made.ok, made.text);
  const names = [...Deno.readDirSync(files)].map(({ name }) => name);
  assert.equal(names.length, 1, `zarf wrote ${names.join(", ")}`);
  return `${files}/${names[0]}`;
}

/** What `zarf package inspect definition` prints of a package file: the definition as Zarf reads it. */
export async function zarfDefinition(file: string): Promise<Uint8Array> {
  const { ok, output, text } = await zarf(["package", "inspect", "definition", file]);
  assert(ok, text);
  return new TextEncoder().encode(output);
}

/** The images that `zarf package inspect images` lists of a package file, in the order of components. */
export async function zarfImages(file: string): Promise<string[]> {
  const { ok, output, text } = await zarf(["package", "inspect", "images", file]);
  if (!ok && text.includes("no images found in package")) return [];
  assert(ok, text);
  return output.split("\n").filter((line) => line.startsWith("- ")).map((line) => line.slice(2));
}
