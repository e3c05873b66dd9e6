import * as v from "valibot";
import { REPOSITORY_ROOT, runGo, type ToolSpec } from "../go_tools.ts";
import type { LicensedComponent } from "./debian.ts";
import { ExtensionError } from "./errors.ts";

/** Names of the files that say under which terms a module comes. */
const NOTICE_FILE = /^(licen[cs]e|copying|notice|patents)([-.].*)?$/i;

const downloadSchema = v.object({ Path: v.string(), Version: v.string(), Dir: v.string() });

/**
 * The Go modules that a program was linked from, by what the linker wrote into it, and Go's own
 * library, with the texts of their licences from Go's module cache. What that has not is fetched.
 *
 * @param spec how the program was built; its module's go.sum vouches for what is fetched.
 * @throws {ExtensionError} `OriginUnknown`, or `LicenceMissing` of a module without a licence.
 */
export async function goPackages(binary: string, spec: ToolSpec): Promise<LicensedComponent[]> {
  const cwd = `${REPOSITORY_ROOT}/${spec.module}`;
  const info = await go(cwd, ["version", "-m", binary]);
  const modules = modulesIn(info);
  const json = await go(cwd, ["mod", "download", "-json", ...modules]);
  const found = documentsIn(json).map((each) => v.parse(downloadSchema, each));
  return [
    await goLibrary(cwd, info),
    ...found.map(({ Path, Version, Dir }) => ({
      name: Path,
      version: Version,
      purl: `pkg:golang/${Path.toLowerCase()}@${Version}`,
      notice: noticesIn(Dir, Path),
    })),
  ];
}

/** `PATH@VERSION` of what `go version -m` lists; a replaced module is what replaces it. */
export function modulesIn(info: string): string[] {
  const found: string[] = [];
  for (const line of info.split("\n")) {
    const [, kind = "", path = "", version = ""] = line.split("\t");
    if (kind === "=>") found.pop();
    const linked = kind === "dep" || kind === "=>" || (kind === "mod" && version !== "(devel)");
    if (linked) found.push(`${path}@${version}`);
  }
  return found;
}

async function goLibrary(cwd: string, info: string): Promise<LicensedComponent> {
  const version = /: go(\S+)/.exec(info)?.[1] ?? "";
  const root = (await go(cwd, ["env", "GOROOT"])).trim();
  return {
    name: "Go standard library",
    version,
    purl: `pkg:golang/std@${version}`,
    license: "BSD-3-Clause",
    notice: noticesIn(root, "Go"),
  };
}

/** The texts at the top of a directory. */
export function noticesIn(directory: string, what: string): string {
  const names = [...Deno.readDirSync(directory)]
    .filter(({ name, isFile }) => isFile && NOTICE_FILE.test(name))
    .map(({ name }) => name).sort();
  const texts = names.map((name) => Deno.readTextFileSync(`${directory}/${name}`).trim());
  if (texts.length > 0) return texts.join("\n\n");
  throw new ExtensionError({
    reason: "LicenceMissing",
    message: `${what} comes without a file that says its licence`,
  });
}

/** The JSON documents that a command prints one after the other, indented by tabs. */
function documentsIn(text: string): unknown[] {
  return text.split(/^(?=\{$)/m).filter((each) => each.trim() !== "").map((each) =>
    JSON.parse(each)
  );
}

async function go(cwd: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runGo(cwd, args);
  if (code === 0) return stdout;
  throw new ExtensionError({
    reason: "OriginUnknown",
    message: `go ${args[0]} could not tell what a program is made of: ${stderr.trim()}`,
    disposition: "retry",
  });
}
