import { packageError } from "./errors.ts";

/** A value as JSON has it. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** Whether `value` is an object with keys: not null, not an array. */
export function isRecord(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Values in one document after its aliases are written out. */
const MAX_VALUES = 1_000_000;
/** Levels of one document; an alias within what it stands for has no end. */
const MAX_DEPTH = 200;

/**
 * A plain copy of what the YAML loader made: aliases written out (counted, because a few lines of
 * them can stand for billions of values), and keys without a value left out, which Zarf's Go structs
 * cannot tell from absent ones.
 *
 * @throws {PackageError} LimitExceeded or InvalidDefinition.
 */
export function toJson(document: unknown): JsonValue {
  let remaining = MAX_VALUES;
  const copy = (value: unknown, depth: number): JsonValue => {
    if (depth > MAX_DEPTH) {
      throw packageError(
        "LimitExceeded",
        `zarf.yaml: is nested more than ${MAX_DEPTH} levels deep`,
      );
    }
    if (--remaining < 0) {
      throw packageError("LimitExceeded", `zarf.yaml: has more than ${MAX_VALUES} values`);
    }
    if (Array.isArray(value)) return value.map((member) => copy(member, depth + 1));
    if (isRecord(value)) {
      const entries = Object.entries(value).filter(([, member]) => member !== null);
      return Object.fromEntries(entries.map(([key, member]) => [key, copy(member, depth + 1)]));
    }
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    if (value === null || typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return value;
    throw packageError("InvalidDefinition", `zarf.yaml: holds a ${typeof value}`);
  };
  return copy(document, 0);
}
