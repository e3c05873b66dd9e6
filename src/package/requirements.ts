import * as v from "valibot";
import { compareVersions } from "../std/mod.ts";
import { packageError } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import { requirementsSchema } from "./schema.ts";

/** The Zarf whose packages are read here, and whose rules are followed. */
export const COMPATIBLE_ZARF = "v0.84.0";

/** Characters of all reasons together that a message repeats. */
const MAX_REASONS = 1000;

/**
 * Refuses a package that says that it needs a newer Zarf than the one that this reader is compatible
 * with, and one that says so in a way that is no version (Zarf 0.84, src/internal/packager/requirements
 * ValidateVersionRequirements, which deploy and remove ask). Zarf's `--skip-version-check` has no
 * counterpart.
 *
 * It looks at the document before anything else is read of it: what a newer Zarf writes elsewhere may
 * not be readable here, and that it is newer explains more.
 *
 * @param raw The v1alpha1 document. Where `build.versionRequirements` is no list of requirements at
 * all, that is left to the definition's own schema.
 * @throws {PackageError} UnsupportedZarfVersion or InvalidDefinition.
 */
export function checkVersionRequirements(raw: JsonObject): void {
  const parsed = v.safeParse(requirementsSchema, raw);
  if (!parsed.success) return;
  const unmet = parsed.output.build.versionRequirements.filter(({ version }, index) => {
    const order = compareVersions(COMPATIBLE_ZARF, version);
    if (order !== undefined) return order < 0;
    throw packageError(
      "InvalidDefinition",
      `zarf.yaml: build.versionRequirements.${index}.version: ${
        JSON.stringify(version)
      } is not a version`,
    );
  });
  if (unmet.length === 0) return;
  const highest = unmet.reduce((a, b) => (compareVersions(a.version, b.version) ?? 0) < 0 ? b : a);
  const why = unmet.map(({ reason }) => reason).filter((reason) => reason !== "").join("; ");
  throw packageError(
    "UnsupportedZarfVersion",
    `zarf.yaml: the package needs Zarf ${highest.version}, this reader is compatible with ` +
      COMPATIBLE_ZARF + (why === "" ? "" : `: ${why.slice(0, MAX_REASONS)}`),
  );
}
