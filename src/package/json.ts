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

/** Values in zarf.yaml, before and after its aliases are written out; real ones have some thousand. */
export const MAX_VALUES = 65_536;
/** Characters of its keys and texts after that: twice the longest document without aliases. */
const MAX_CHARACTERS = 4 << 20;
/** Levels of one document; an alias within what it stands for has no end. */
const MAX_DEPTH = 200;

/** What a value of JSON or YAML begins or ends with, or follows. */
const PUNCTUATION = [..."[{,:?\n\r"].map((character) => character.charCodeAt(0));
const DASH = "-".charCodeAt(0);
const SPACE = " ".charCodeAt(0);

/**
 * About how many values a JSON or YAML text has, by its punctuation; never more than twice as many.
 * Parsers make some hundred bytes of each, so they have to be bounded before anything is parsed.
 */
export function estimateValues(text: Uint8Array): number {
  let values = 1;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] ?? 0;
    // In block style a dash and what is no name follow each other: "- - -".
    if (PUNCTUATION.includes(byte) || (byte === DASH && (text[at + 1] ?? 0) <= SPACE)) values++;
  }
  return values;
}

/**
 * A plain copy of what the YAML loader made: aliases written out (counted, because a few lines of
 * them can stand for billions of values), and keys without a value left out, which Zarf's Go structs
 * cannot tell from absent ones.
 *
 * @throws {PackageError} LimitExceeded or InvalidDefinition.
 */
export function toJson(document: unknown): JsonValue {
  let remaining = MAX_VALUES;
  let characters = MAX_CHARACTERS;
  const count = (text: string): string => {
    characters -= text.length;
    if (characters >= 0) return text;
    throw packageError(
      "LimitExceeded",
      `zarf.yaml: has more than ${MAX_CHARACTERS} characters with its aliases written out`,
    );
  };
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
      return Object.fromEntries(
        entries.map(([key, member]) => [count(key), copy(member, depth + 1)]),
      );
    }
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    if (typeof value === "string") return count(value);
    if (value === null || typeof value === "number" || typeof value === "boolean") return value;
    throw packageError("InvalidDefinition", `zarf.yaml: holds a ${typeof value}`);
  };
  return copy(document, 0);
}
