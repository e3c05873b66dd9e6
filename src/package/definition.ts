import * as v from "valibot";
import { checkAgreement } from "./agreement.ts";
import { readDocuments } from "./documents.ts";
import { type PackageError, packageError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { migrate } from "./migrate.ts";
import { checkVersionRequirements } from "./requirements.ts";
import { packageSchema, type ParsedPackage } from "./schema.ts";
import type { JsonObject } from "./json.ts";

export type { JsonObject, JsonValue } from "./json.ts";

/** A package definition: Zarf's v1alpha1 document, migrated, with its defaults filled in. */
export interface ZarfPackage extends ParsedPackage {
  /** sha256 in hex of checksums.txt: `metadata.aggregateChecksum`. */
  readonly aggregateChecksum: string;
  /** `build.architecture`, or where that is empty `metadata.architecture`; may be empty. */
  readonly architecture: string;
  /** The whole v1alpha1 document as plain JSON, migrated, for Zarf's package secret. */
  readonly raw: JsonObject;
}

/** One component of a package. */
export type ZarfComponent = ParsedPackage["components"][number];
/** A chart of a component. */
export type ZarfChart = ZarfComponent["charts"][number];
/** A manifest entry of a component: one Helm release of raw or kustomized files. */
export type ZarfManifest = ZarfComponent["manifests"][number];
/** A file that a component puts on the deploying machine. */
export type ZarfFile = ZarfComponent["files"][number];
/** Deprecated: data copied into a running container. */
export type ZarfDataInjection = ZarfComponent["dataInjections"][number];
/** An object that must be ready before the component counts as deployed. */
export type ZarfHealthCheck = ZarfComponent["healthChecks"][number];
/** Actions around one phase. */
export type ZarfActionSet = ZarfComponent["actions"]["onDeploy"];
/** What actions inherit. */
export type ZarfActionDefaults = ZarfActionSet["defaults"];
/** A command or a wait. */
export type ZarfAction = ZarfActionSet["before"][number];
/** What a wait action waits for. */
export type ZarfWait = NonNullable<ZarfAction["wait"]>;
/** A variable of the package. */
export type ZarfVariable = ParsedPackage["variables"][number];
/** A constant of the package. */
export type ZarfConstant = ParsedPackage["constants"][number];

const PART = "zarf.yaml";

/**
 * Reads zarf.yaml: its v1alpha1 document. Where there is a v1beta1 document too, the two must be about
 * the same package ({@linkcode checkAgreement}).
 *
 * @throws {PackageError} InvalidDefinition, UnsupportedDefinition, UnsupportedZarfVersion or
 * LimitExceeded.
 */
export function parseDefinition(
  bytes: Uint8Array,
  maxBytes: number = DEFAULT_LIMITS.definitionBytes,
): ZarfPackage {
  const { alpha, beta } = readDocuments(bytes, maxBytes);
  checkVersionRequirements(alpha);
  if (beta !== undefined) checkAgreement(alpha, beta);
  const migrated = migrate(alpha);
  const { components } = migrated;
  if (Array.isArray(components) && components.length > MAX_COMPONENTS) {
    throw packageError(
      "LimitExceeded",
      `${PART}: has ${components.length} components, the limit is ${MAX_COMPONENTS}`,
    );
  }
  // One mistake is enough, and each costs hundreds of bytes.
  const parsed = v.safeParse(packageSchema, migrated, { abortEarly: true });
  if (!parsed.success) throw invalid(parsed.issues[0]);
  return complete(parsed.output, migrated);
}

function complete(parsed: ParsedPackage, raw: JsonObject): ZarfPackage {
  const names = new Set<string>();
  if (parsed.components.length === 0) {
    throw packageError("InvalidDefinition", `${PART}: components: there is none`);
  }
  for (const component of parsed.components) {
    if (names.has(component.name)) {
      throw packageError(
        "InvalidDefinition",
        `${PART}: components: ${JSON.stringify(component.name)} is there twice`,
      );
    }
    names.add(component.name);
  }
  return {
    ...parsed,
    aggregateChecksum: parsed.metadata.aggregateChecksum,
    architecture: parsed.build.architecture || parsed.metadata.architecture,
    raw,
  };
}

/** Each takes kilobytes with its defaults filled in. */
const MAX_COMPONENTS = 1000;

function invalid(issue: v.BaseIssue<unknown>): PackageError {
  const where = v.getDotPath(issue) ?? "the document";
  const kind = where === "kind";
  return packageError(
    kind ? "UnsupportedDefinition" : "InvalidDefinition",
    `${PART}: ${where}: ${issue.message}`,
  );
}
