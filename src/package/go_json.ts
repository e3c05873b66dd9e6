import { isRecord, type JsonValue } from "./json.ts";

/**
 * How Go's encoding/json writes one type. The value is what a YAML document holds, `undefined` where
 * it holds nothing: Go then writes the type's zero value.
 */
export interface GoType {
  encode(value: JsonValue | undefined): string;
  /** Whether `omitempty` leaves it out: false, 0, "", nil, an empty list or map; never a struct. */
  isEmpty(value: JsonValue | undefined): boolean;
  /** Of a struct, and of pointers to and slices of one: its fields. */
  readonly fields?: Readonly<Record<string, GoType>>;
}

/** A field without `omitempty`. */
export interface AlwaysField {
  readonly always: GoType;
}

/** `string`; YAML that a person wrote may hold a number or a boolean there. */
export const text: GoType = {
  encode: (value) => quote(value === undefined ? "" : String(value)),
  isEmpty: (value) => value === undefined || value === "",
};

/** `bool` */
export const flag: GoType = {
  encode: (value) => String(value === true),
  isEmpty: (value) => value !== true,
};

/** `int` */
export const count: GoType = {
  encode: (value) => String(value ?? 0),
  isEmpty: (value) => (value ?? 0) === 0,
};

/** `any`; keys of maps come out sorted. */
export const any: GoType = {
  encode: (value) => value === undefined ? "null" : encodeAny(value),
  isEmpty: (value) => value === undefined,
};

/** `map[string]string` */
export const textMap: GoType = {
  encode: (value) => isRecord(value) ? encodeAny(mapValues(value, String)) : "null",
  isEmpty: (value) => !isRecord(value) || Object.keys(value).length === 0,
};

/** A pointer: what is given is written, whatever it is. */
export function pointer(type: GoType): GoType {
  return { ...type, isEmpty: (value) => value === undefined };
}

/** A slice. */
export function list(type: GoType): GoType {
  return {
    encode: (value) =>
      Array.isArray(value) ? `[${value.map((member) => type.encode(member)).join(",")}]` : "null",
    isEmpty: (value) => !Array.isArray(value) || value.length === 0,
    ...(type.fields === undefined ? {} : { fields: type.fields }),
  };
}

/** Marks a field that is written even when it is empty. */
export function always(type: GoType): AlwaysField {
  return { always: type };
}

/** A struct: its fields in the order in which Go declares them, with `omitempty` unless marked. */
export function struct(fields: Readonly<Record<string, GoType | AlwaysField>>): GoType {
  const typed = Object.entries(fields).map(([key, field]) =>
    "always" in field
      ? { key, type: field.always, omitEmpty: false }
      : { key, type: field, omitEmpty: true }
  );
  return {
    encode: (value) => {
      const held = isRecord(value) ? value : {};
      const written = typed.filter(({ key, type, omitEmpty }) =>
        !omitEmpty || !type.isEmpty(held[key])
      );
      return `{${
        written.map(({ key, type }) => `${quote(key)}:${type.encode(held[key])}`).join(",")
      }}`;
    },
    isEmpty: () => false,
    fields: Object.fromEntries(typed.map(({ key, type }) => [key, type])),
  };
}

function encodeAny(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(encodeAny).join(",")}]`;
  if (!isRecord(value)) return typeof value === "string" ? quote(value) : JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => compareBytes(a, b));
  return `{${members.map(([key, member]) => `${quote(key)}:${encodeAny(member)}`).join(",")}}`;
}

/** Go sorts strings by their bytes; UTF-16 has another order beyond U+FFFF. */
function compareBytes(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((character, index) => character !== right[index]);
  if (at < 0) return left.length - right.length;
  return (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? -1);
}

/** A string as encoding/json writes it: safe inside HTML. */
export function quote(value: string): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function mapValues<From extends JsonValue, To extends JsonValue>(
  map: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}
