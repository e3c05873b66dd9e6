import assert from "node:assert/strict";
import {
  always,
  any,
  count,
  flag,
  type GoType,
  list,
  pointer,
  struct,
  text,
  textMap,
} from "./go_json.ts";
import type { JsonValue } from "./json.ts";

/* The answers are those of Go 1.26's encoding/json. */

const PERSON = struct({ name: always(text), age: count, tags: list(text) });

const encoded: readonly (readonly [string, GoType, JsonValue | undefined, string])[] = [
  ["a string", text, "a", '"a"'],
  ["no string", text, undefined, '""'],
  ["a number where a string is wanted", text, 1.5, '"1.5"'],
  ["what HTML would take for its own", text, "<&>", '"\\u003c\\u0026\\u003e"'],
  ["line separators", text, "\u2028\u2029", '"\\u2028\\u2029"'],
  [
    "control characters",
    text,
    '\b\f\n\r\t\u0001\u007f"\\/',
    '"\\b\\f\\n\\r\\t\\u0001\u007f\\"\\\\/"',
  ],
  ["text beyond ASCII", text, "é😀", '"é😀"'],
  ["no boolean", flag, undefined, "false"],
  ["no number", count, undefined, "0"],
  ["no list", list(text), undefined, "null"],
  ["an empty list", list(text), [], "[]"],
  ["a list", list(count), [1, 2], "[1,2]"],
  ["no map", textMap, undefined, "null"],
  ["a map", textMap, { b: "<", a: 1 }, '{"a":"1","b":"\\u003c"}'],
  [
    "keys in the order of their bytes",
    textMap,
    { "\uffff": "", "😀": "", "a": "", "ab": "" },
    '{"a":"","ab":"","\uffff":"","😀":""}',
  ],
  [
    "anything, sorted at every level",
    any,
    { b: [{ d: 1, c: "<" }], a: null },
    '{"a":null,"b":[{"c":"\\u003c","d":1}]}',
  ],
  ["nothing at all", any, undefined, "null"],
  ["an empty struct", PERSON, undefined, '{"name":""}'],
  [
    "a struct in the order of its fields",
    PERSON,
    { tags: ["x"], age: 7, name: "n", other: 1 },
    '{"name":"n","age":7,"tags":["x"]}',
  ],
  ["a field that is empty", PERSON, { age: 0, tags: [] }, '{"name":""}'],
  ["a struct in a struct, which is never empty", struct({ a: PERSON }), {}, '{"a":{"name":""}}'],
  ["a pointer to nothing", struct({ a: pointer(PERSON), b: pointer(flag) }), {}, "{}"],
  ["a pointer to something empty", struct({ a: pointer(count), b: pointer(flag) }), {
    a: 0,
    b: false,
  }, '{"a":0,"b":false}'],
];

for (const [name, type, value, json] of encoded) {
  Deno.test(`${name} is written as Go writes it`, () => {
    assert.equal(type.encode(value), json);
    JSON.parse(json);
  });
}
