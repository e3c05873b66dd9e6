import { type OutputFormat, printAs } from "./output.ts";
import { overviewOf, overviewText } from "./package_overview.ts";
import { type PackageReadOptions, readWholePackage } from "./package_read.ts";

/**
 * Reads a package as the agent would, from its first to its last byte, and prints what is known of
 * it.
 *
 * @throws {PackageError} when the agent would refuse it.
 */
export async function verifyCommand(
  path: string,
  format: OutputFormat,
  options: PackageReadOptions,
): Promise<void> {
  const overview = overviewOf(await readWholePackage(path, options));
  const text = () => `${overviewText(overview)}\nThe package is whole and would be taken in.\n`;
  printAs(format, { file: path, ...overview }, text, options.terminal);
}
