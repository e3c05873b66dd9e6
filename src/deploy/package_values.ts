import { DeployError } from "./errors.ts";
import type { ValuesLayer } from "./go_template.ts";

/** The longest values file or schema of a package, in bytes. */
const MAX_VALUES_FILE = 32 << 20;

/**
 * What a package's values come from: its own `values.yaml`, if it has one, and over that the site's
 * (Zarf 0.84, src/pkg/packager/deploy.go loadDeploymentValues).
 *
 * @param directory where the package is unpacked.
 * @throws {DeployError} `PackageBroken`.
 */
export function valuesOf(directory: string, site: readonly ValuesLayer[] = []): ValuesLayer[] {
  const own = readPackageText(`${directory}/values.yaml`);
  return own === undefined ? [...site] : [{ yaml: own }, ...site];
}

/**
 * The site's values: its files, then single values over them. A path may begin with a dot (Zarf 0.84,
 * src/cmd/dev.go parseValues).
 *
 * @param files their texts, a later one wins.
 */
export function siteValues(
  files: readonly string[],
  single: Readonly<Record<string, string>>,
): ValuesLayer[] {
  return [
    ...files.map((yaml) => ({ yaml })),
    ...Object.entries(single).map(([key, text]) => ({
      set: { path: key.startsWith(".") ? key : `.${key}`, text, type: "inferred" as const },
    })),
  ];
}

/**
 * The JSON schema of the values, if the package has one.
 *
 * @throws {DeployError} `PackageBroken`.
 */
export function valuesSchemaOf(directory: string): string | undefined {
  return readPackageText(`${directory}/values.schema.json`);
}

function readPackageText(path: string): string | undefined {
  try {
    const { size } = Deno.statSync(path);
    if (size > MAX_VALUES_FILE) {
      throw new RangeError(`it has ${size} bytes, the limit is ${MAX_VALUES_FILE}`);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw new DeployError({
      reason: "PackageBroken",
      message: `${path.slice(path.lastIndexOf("/") + 1)} of the package cannot be read`,
      kept: "the cluster was not touched",
      remedy: "drop the package file again",
      cause,
    });
  }
}
