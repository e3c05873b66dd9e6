import {
  CORE_SCHEMA,
  floatCoreTag,
  intCoreTag,
  loadAll,
  mergeTag,
  NOT_RESOLVED,
  type ScalarTagDefinition,
} from "js-yaml";
import { packageError } from "./errors.ts";
import { estimateValues, isRecord, type JsonObject, MAX_VALUES, toJson } from "./json.ts";

/** The API versions of a definition that are known here. */
export const V1ALPHA1 = "zarf.dev/v1alpha1";
/** @see V1ALPHA1 */
export const V1BETA1 = "zarf.dev/v1beta1";

const PART = "zarf.yaml";

/** The documents of one zarf.yaml. */
export interface Documents {
  readonly alpha: JsonObject;
  /** There too in a package that was written in v1beta1. */
  readonly beta?: JsonObject;
}

/**
 * Reads zarf.yaml as YAML: one v1alpha1 document, optionally followed by its v1beta1 form; documents
 * of other API versions are skipped, as Zarf does (Zarf 0.84, src/internal/pkgcfg/pkgcfg.go).
 *
 * @throws {PackageError} InvalidDefinition, UnsupportedDefinition or LimitExceeded.
 */
export function readDocuments(bytes: Uint8Array, maxBytes: number): Documents {
  if (bytes.length > maxBytes) {
    throw packageError(
      "LimitExceeded",
      `${PART}: has ${bytes.length} bytes, the limit is ${maxBytes}`,
    );
  }
  if (estimateValues(bytes) > MAX_VALUES) {
    throw packageError("LimitExceeded", `${PART}: may hold more than ${MAX_VALUES} values`);
  }
  const byVersion = new Map<string, JsonObject>();
  for (const document of loadYaml(bytes)) {
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
  const [alpha, beta] = [byVersion.get(V1ALPHA1), byVersion.get(V1BETA1)];
  // Zarf would take a v1beta1 document alone, but never writes one.
  if (alpha === undefined) {
    throw packageError(
      "UnsupportedDefinition",
      `${PART}: has no ${V1ALPHA1} document, only ${beta === undefined ? "nothing" : V1BETA1}`,
    );
  }
  return beta === undefined ? { alpha } : { alpha, beta };
}

/** How many `*alias` one document may have; Zarf writes none. */
const MAX_ALIASES = 1000;

/**
 * Numbers whose text is not the one that JavaScript gives them stay text. Zarf decodes into strings
 * what stands where a string is wanted, whatever it looks like, and writes some strings that look like
 * a number without quotes: the version `7e12345` (goccy/go-yaml 1.19, token.ToNumber).
 */
function keepingText(tag: ScalarTagDefinition): ScalarTagDefinition {
  return {
    ...tag,
    resolve(source, isExplicit, tagName) {
      const value = tag.resolve(source, isExplicit, tagName);
      return value === NOT_RESOLVED || isExplicit || String(value) === source ? value : source;
    },
  };
}

const SCHEMA = CORE_SCHEMA.withTags(mergeTag, keepingText(intCoreTag), keepingText(floatCoreTag));

function loadYaml(bytes: Uint8Array): unknown[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return loadAll(text, { schema: SCHEMA, maxAliases: MAX_ALIASES });
  } catch (cause) {
    throw packageError("InvalidDefinition", `${PART}: is not readable as YAML`, { cause });
  }
}
