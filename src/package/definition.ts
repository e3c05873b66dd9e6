import { CORE_SCHEMA, loadAll, mergeTag } from "js-yaml";
import * as v from "valibot";
import { type PackageError, packageError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { migrate } from "./migrate.ts";
import { checkVersionRequirements } from "./requirements.ts";
import { packageSchema, type ParsedPackage } from "./schema.ts";
import { isRecord, type JsonObject, toJson } from "./json.ts";

export type { JsonObject, JsonValue } from "./json.ts";

/** A package definition: Zarf's v1alpha1 document, migrated, with its defaults filled in. */
export interface ZarfPackage extends ParsedPackage {
  /** sha256 in hex of checksums.txt (`metadata.aggregateChecksum`, or v1beta1's `build`). */
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

const V1ALPHA1 = "zarf.dev/v1alpha1";
const V1BETA1 = "zarf.dev/v1beta1";
const PART = "zarf.yaml";

/**
 * Reads zarf.yaml: one v1alpha1 document, optionally followed by its v1beta1 form; documents of other
 * API versions are skipped, as Zarf does (Zarf 0.84, src/internal/pkgcfg/pkgcfg.go).
 *
 * @throws {PackageError} InvalidDefinition, UnsupportedDefinition, UnsupportedZarfVersion or
 * LimitExceeded.
 */
export function parseDefinition(
  bytes: Uint8Array,
  maxBytes: number = DEFAULT_LIMITS.definitionBytes,
): ZarfPackage {
  const documents = parseYaml(bytes, maxBytes);
  const raw = documents.get(V1ALPHA1);
  if (raw === undefined) {
    throw packageError(
      "UnsupportedDefinition",
      `${PART}: has no ${V1ALPHA1} document, only ${[...documents.keys()].join(", ") || "nothing"}`,
    );
  }
  checkVersionRequirements(raw);
  const migrated = migrate(raw);
  const parsed = v.safeParse(packageSchema, migrated);
  if (!parsed.success) throw invalid(parsed.issues[0]);
  return complete(parsed.output, migrated, documents.get(V1BETA1));
}

function complete(
  parsed: ParsedPackage,
  raw: JsonObject,
  beta: JsonObject | undefined,
): ZarfPackage {
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
    aggregateChecksum: parsed.metadata.aggregateChecksum || betaAggregate(beta),
    architecture: parsed.build.architecture || parsed.metadata.architecture,
    raw,
  };
}

function betaAggregate(beta: JsonObject | undefined): string {
  const build = beta?.["build"];
  const value = isRecord(build) ? build["aggregateChecksum"] : undefined;
  return typeof value === "string" ? value : "";
}

/** How many `*alias` one document may have; Zarf writes none. */
const MAX_ALIASES = 1000;

function parseYaml(bytes: Uint8Array, maxBytes: number): Map<string, JsonObject> {
  if (bytes.length > maxBytes) {
    throw packageError(
      "LimitExceeded",
      `${PART}: has ${bytes.length} bytes, the limit is ${maxBytes}`,
    );
  }
  const byVersion = new Map<string, JsonObject>();
  for (const document of loadDocuments(bytes)) {
    if (document === null || document === undefined) continue;
    const plain = toJson(document);
    if (!isRecord(plain)) {
      throw packageError("InvalidDefinition", `${PART}: is not a mapping of keys to values`);
    }
    const version = plain["apiVersion"] ?? V1ALPHA1;
    if (version !== V1ALPHA1 && version !== V1BETA1) continue;
    if (byVersion.has(version)) {
      throw packageError("InvalidDefinition", `${PART}: has two ${version} documents`);
    }
    byVersion.set(version, plain);
  }
  return byVersion;
}

function loadDocuments(bytes: Uint8Array): unknown[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return loadAll(text, {
      schema: CORE_SCHEMA.withTags(mergeTag),
      maxAliases: MAX_ALIASES,
    });
  } catch (cause) {
    throw packageError("InvalidDefinition", `${PART}: is not readable as YAML`, { cause });
  }
}

function invalid(issue: v.BaseIssue<unknown>): PackageError {
  const where = v.getDotPath(issue) ?? "the document";
  const kind = where === "kind";
  return packageError(
    kind ? "UnsupportedDefinition" : "InvalidDefinition",
    `${PART}: ${where}: ${issue.message}`,
  );
}
