import { type OutputFormat, printAs } from "./output.ts";
import { overviewOf, overviewText } from "./package_overview.ts";
import { type PackageReadOptions, readWholePackage, scoutPackageFile } from "./package_read.ts";

/** Prints the definition of a package, or for people what is known of it. */
export async function inspectDefinition(
  path: string,
  format: OutputFormat,
  options: PackageReadOptions,
): Promise<void> {
  if (format === "table") {
    const text = overviewText(overviewOf(await readWholePackage(path, options)));
    return options.terminal.out(text);
  }
  const { definition } = await scoutPackageFile(path, options);
  printAs(format, definition.raw, () => "", options.terminal);
}

/** Prints the digest that Zarf gives the package, for programs also the agent's own. */
export async function inspectDigest(
  path: string,
  format: OutputFormat,
  options: PackageReadOptions,
): Promise<void> {
  const { contents, manifest } = await readWholePackage(path, options);
  const value = { ociDigest: manifest.digest, digest: contents.digest };
  printAs(format, value, () => `${manifest.digest}\n`, options.terminal);
}
