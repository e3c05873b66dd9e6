import { type EntryWriter, TarUnpacker, type ZarfPackage } from "../package/mod.ts";
import { dirname } from "../std/mod.ts";
import { diskWriter } from "./disk_writer.ts";
import { InspectError } from "./inspect_error.ts";
import { type OutputFormat, printAs } from "./output.ts";
import { type PackageReadOptions, readWholePackage } from "./package_read.ts";
import { withTemporaryDirectory } from "./temporary_directory.ts";
import type { Terminal } from "./terminal.ts";

/** Where files of a package are put, and which. */
export interface ExtractOptions extends Omit<PackageReadOptions, "taker"> {
  readonly outputDir: string;
  readonly format: OutputFormat;
}

/**
 * Writes the SBOMs to `<outputDir>/<package>/`, as Zarf does (Zarf 0.84, layout/package.go GetSBOM),
 * and prints their paths.
 *
 * @throws {InspectError} NoSbom.
 */
export async function inspectSbom(path: string, options: ExtractOptions): Promise<void> {
  await extract(path, "sboms.tar", options, ({ metadata }, files) => {
    if (files.length === 0) throw missing("NoSbom", `${metadata.name} holds no SBOM`);
    return { directory: metadata.name, files };
  });
}

/**
 * Writes the documentation to `<outputDir>/<package>-documentation/`, as Zarf does (Zarf 0.84,
 * layout/package.go GetDocumentation), and prints the files' paths.
 *
 * @param keys of the definition's `documentation`; none are all.
 * @throws {InspectError} NoDocumentation.
 */
export async function inspectDocumentation(
  path: string,
  keys: readonly string[],
  options: ExtractOptions,
): Promise<void> {
  await extract(path, "documentation.tar", options, (definition, files) => {
    const wanted = documentationFiles(definition, keys);
    const absent = wanted.find((file) => !files.includes(file));
    if (absent !== undefined) throw missing("NoDocumentation", `the package has no ${absent}`);
    return { directory: `${definition.metadata.name}-documentation`, files: wanted };
  });
}

/**
 * The names that documents have in documentation.tar: their own, or with the key before it where two
 * have the same (Zarf 0.84, layout/package.go GetDocumentationFileNames).
 */
function documentationFiles(definition: ZarfPackage, keys: readonly string[]): string[] {
  const { documentation, metadata } = definition;
  const baseOf = (key: string) => documentation[key]?.replace(/\/+$/, "").split("/").at(-1) ?? "";
  const all = Object.keys(documentation);
  if (all.length === 0) throw missing("NoDocumentation", `${metadata.name} holds no documentation`);
  return (keys.length === 0 ? all : keys).map((key) => {
    if (!Object.hasOwn(documentation, key)) {
      throw missing(
        "NoDocumentation",
        `${metadata.name} has no documentation ${JSON.stringify(key)}`,
        `the keys are: ${all.join(", ")}`,
      );
    }
    const base = baseOf(key);
    return all.filter((other) => baseOf(other) === base).length === 1 ? base : `${key}-${base}`;
  });
}

function missing(reason: "NoSbom" | "NoDocumentation", message: string, remedy?: string) {
  return new InspectError({
    reason,
    message,
    kept: "nothing was written",
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** Says what of a tar's files is wanted, and the directory for it. */
type Choice = (
  definition: ZarfPackage,
  files: readonly string[],
) => { readonly directory: string; readonly files: readonly string[] };

async function extract(
  path: string,
  tar: string,
  { outputDir, format, ...read }: ExtractOptions,
  choose: Choice,
): Promise<void> {
  Deno.mkdirSync(outputDir, { recursive: true });
  // Beside where the files go, so that they can be moved there when the package was found good.
  await withTemporaryDirectory(async (staging) => {
    const found: string[] = [];
    const taker = {
      file: (name: string): EntryWriter | undefined =>
        name !== tar ? undefined : new TarUnpacker(tar, (file) => {
          found.push(file);
          return diskWriter(`${staging}/${file}`);
        }),
    };
    const { contents } = await readWholePackage(path, { ...read, taker });
    const { directory, files } = choose(contents.definition, found);
    const written = files.map((file) => moveInto(`${staging}/${file}`, outputDir, directory, file));
    printWritten(written, format, read.terminal);
  }, outputDir);
}

function moveInto(from: string, outputDir: string, directory: string, file: string): string {
  const root = Deno.realPathSync(outputDir);
  const to = `${root === "/" ? "" : root}/${directory}/${file}`;
  Deno.mkdirSync(dirname(to), { recursive: true });
  Deno.renameSync(from, to);
  return to;
}

function printWritten(paths: readonly string[], format: OutputFormat, terminal: Terminal): void {
  printAs(format, paths, () => paths.map((path) => `${path}\n`).join(""), terminal);
}
