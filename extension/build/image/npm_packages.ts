import * as v from "valibot";
import { REPOSITORY_ROOT } from "../go_tools.ts";
import type { LicensedComponent } from "./debian.ts";
import { ExtensionError } from "./errors.ts";
import { noticesIn } from "./go_packages.ts";

const lockSchema = v.object({ npm: v.record(v.string(), v.unknown()) });
const packageSchema = v.object({ license: v.optional(v.string()) });

/**
 * The npm packages that a bundle holds: esbuild names the file of each part of it in a comment. Their
 * versions are those of deno.lock.
 *
 * @param bundle Directory of the bundled files.
 * @throws {ExtensionError} `OriginUnknown` when a package is not in deno.lock, `LicenceMissing`
 */
export async function npmPackages(
  bundle: string,
  root: string = REPOSITORY_ROOT,
): Promise<LicensedComponent[]> {
  const lock = v.parse(lockSchema, JSON.parse(await Deno.readTextFile(`${root}/deno.lock`)));
  const found = new Set<string>();
  for (const { name } of Deno.readDirSync(bundle)) {
    const text = await Deno.readTextFile(`${bundle}/${name}`);
    for (const [, folder = ""] of text.matchAll(FROM_PACKAGE)) found.add(folder);
  }
  return [...found].sort().map((folder) => describe(folder, Object.keys(lock.npm), root));
}

/** `// node_modules/.deno/valibot@1.5.0/node_modules/valibot/dist/index.mjs` */
const FROM_PACKAGE = /^ *\/\/ (?:\.\.\/)*node_modules\/\.deno\/([^/]+)\/node_modules\//gm;

/** Deno's folder of a package: `@scope+name@version`, with `_1` behind it for a second copy. */
function describe(folder: string, locked: readonly string[], root: string): LicensedComponent {
  const at = folder.lastIndexOf("@");
  const name = folder.slice(0, at).replace("+", "/");
  const version = folder.slice(at + 1).replace(/_.*$/, "");
  if (
    !locked.some((key) => key === `${name}@${version}` || key.startsWith(`${name}@${version}_`))
  ) {
    throw new ExtensionError({
      reason: "OriginUnknown",
      message: `${name}@${version} is in the program and not in deno.lock`,
    });
  }
  const directory = `${root}/node_modules/.deno/${folder}/node_modules/${name}`;
  const { license } = v.parse(
    packageSchema,
    JSON.parse(Deno.readTextFileSync(`${directory}/package.json`)),
  );
  return {
    name,
    version,
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    ...(license === undefined ? {} : { license }),
    notice: noticeOf(directory, name, license),
  };
}

/** A package that only names its licence is taken by that word; its text is known by the name. */
function noticeOf(directory: string, name: string, license: string | undefined): string {
  try {
    return noticesIn(directory, name);
  } catch (error) {
    if (license === undefined) throw error;
    return `(comes without a text; its package.json says: ${license})`;
  }
}
