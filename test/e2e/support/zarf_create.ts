import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { zarf } from "./zarf.ts";

/** A package that `zarf package create` split. */
export interface SplitPackage {
  /** Name of the file that it would be without `--max-package-size`. */
  readonly name: string;
  /** Paths of `.part000` and the others, in order. */
  readonly parts: readonly string[];
}

/**
 * Makes a package of files that cannot be compressed with the real zarf, in parts of 1 MB, in a new
 * directory. Nothing is fetched.
 *
 * @param megabytes One file of so many each, in units of 1000000 bytes.
 */
export async function zarfCreateSplit(
  directory: string,
  megabytes: readonly number[],
): Promise<SplitPackage> {
  const source = `${directory}/source`;
  const output = `${directory}/output`;
  await Deno.mkdir(source, { recursive: true });
  const files = megabytes.map((size, at) => {
    Deno.writeFileSync(`${source}/${at}.bin`, randomBytes(size * 1_000_000));
    return { source: `${at}.bin`, target: `/tmp/${at}.bin` };
  });
  const definition = {
    kind: "ZarfPackageConfig",
    metadata: { name: "parts", version: "1.0.0" },
    components: [{ name: "files", required: true, files }],
  };
  await Deno.writeTextFile(`${source}/zarf.yaml`, JSON.stringify(definition));
  const { ok, text } = await zarf([
    ...["package", "create", source, `--output=${output}`, "--max-package-size=1"],
    ...["--architecture=amd64", "--skip-sbom", "--confirm", `--zarf-cache=${directory}/cache`],
  ]);
  assert(ok, text);
  const names = [...Deno.readDirSync(output)].map((entry) => entry.name).sort();
  const [head = ""] = names;
  assert.match(head, /\.part000$/);
  return { name: head.replace(/\.part000$/, ""), parts: names.map((name) => `${output}/${name}`) };
}

/** Unpacks a package file with the real zarf, into a new directory. */
export async function zarfDecompress(file: string, directory: string): Promise<void> {
  const { ok, text } = await zarf(["tools", "archiver", "decompress", file, directory]);
  assert(ok, text);
}
