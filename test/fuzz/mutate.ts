import { Buffer } from "node:buffer";
import type { Random } from "./random.ts";

/** A value as JSON has it. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
/** An object of these. */
export interface JsonObject {
  [key: string]: Json;
}

/** Bytes at which parsers turn. */
const BYTES = [0, 1, 9, 10, 13, 32, 34, 39, 44, 45, 46, 47, 58, 91, 92, 123, 127, 128, 254, 255];

/** Changes raw bytes in one to four places: flips, overwrites, inserts, removes, repeats, cuts. */
export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  let result = new Uint8Array(bytes);
  for (let times = 1 + random.length(4); times > 0; times--) result = mutateOnce(random, result);
  return result;
}

function mutateOnce(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + random.length(2_000));
  const join = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
  switch (random.below(8)) {
    case 0: {
      const copy = new Uint8Array(bytes);
      if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      return copy;
    }
    case 1: {
      const copy = new Uint8Array(bytes);
      if (at < copy.length) copy[at] = random.pick(BYTES);
      return copy;
    }
    case 2:
      return join(bytes.subarray(0, at), random.bytes(random.length(64)), bytes.subarray(at));
    case 3:
      return join(bytes.subarray(0, at), bytes.subarray(end));
    case 4:
      return join(bytes.subarray(0, end), bytes.subarray(at));
    case 5:
      return join(bytes.subarray(0, at));
    case 6: {
      const copy = new Uint8Array(bytes);
      copy.fill(random.pick(BYTES), at, end);
      return copy;
    }
    default: {
      const from = random.below(bytes.length + 1);
      const part = bytes.subarray(from, from + random.length(600));
      return join(bytes.subarray(0, at), part, bytes.subarray(at));
    }
  }
}

/** Texts that mean something to one of the parsers. */
export const TEXTS: readonly string[] = [
  ...[
    "",
    " ",
    ".",
    "..",
    "../evil",
    "/tmp/holdfast-fuzz-escape",
    "a/b",
    "a\\b",
    "a:b",
    "a\0b",
    "a.",
  ],
  ...["a\nb", "\x1b[2J", "\u202etxt", "\ufeff", "ü", "💾", "\ud800", "__proto__", "constructor"],
  ...[
    "NaN",
    "0x10",
    "1e999",
    "-1",
    "null",
    "true",
    "~",
    "<<",
    "*a",
    "&a",
    "!!str",
    "{}",
    "[]",
    "- a",
  ],
  ...["sha256:", `sha256:${"0".repeat(64)}`, `sha512:${"0".repeat(128)}`, "SHA256:abc", "1.0.0"],
  ...["docker.io/library/sample:1.0", "nginx", "NOT A NAME", "a@sha256:b", "zarf.dev/v1alpha1"],
  ...["zarf.dev/v1beta1", "ZarfPackageConfig", "ZarfInitConfig", "skeleton", "multi", "arm64"],
  ...["application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"],
  "n".repeat(300),
  "d/".repeat(300),
  "x".repeat(20_000),
];

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  1.5,
  2,
  1e300,
  -1e300,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 63,
];

/** A value of any type. */
export function anyJson(random: Random, depth = 3): Json {
  switch (random.below(depth > 0 ? 7 : 5)) {
    case 0:
      return random.pick(TEXTS);
    case 1:
      return random.pick(NUMBERS);
    case 2:
      return random.percent(50);
    case 3:
      return null;
    case 4:
      return String.fromCharCode(...random.bytes(random.length(40)));
    case 5:
      return Array.from({ length: random.length(20) }, () => anyJson(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.length(8) }, () => [
          random.pick(TEXTS),
          anyJson(random, depth - 1),
        ]),
      );
  }
}

/** A copy with one to four places changed. */
export function mutateJson(random: Random, value: Json): Json {
  let result = structuredClone(value);
  for (let times = 1 + random.length(4); times > 0; times--) result = changeOnce(random, result);
  return result;
}

/** Goes down at random and changes what it finds there. */
function changeOnce(random: Random, value: Json): Json {
  if (typeof value !== "object" || value === null || random.percent(15)) {
    return changed(random, value);
  }
  if (Array.isArray(value)) return changeList(random, value);
  const keys = Object.keys(value);
  if (keys.length === 0 || random.percent(10)) {
    return { ...value, [random.pick(TEXTS)]: anyJson(random) };
  }
  const key = random.pick(keys);
  const { [key]: member = null, ...rest } = value;
  if (random.percent(10)) return rest;
  if (random.percent(5)) return { ...rest, [random.pick(TEXTS)]: member };
  return { ...value, [key]: changeOnce(random, member) };
}

function changeList(random: Random, list: readonly Json[]): Json[] {
  const copy = [...list];
  const at = random.below(copy.length);
  const member = copy[at];
  const choice = random.below(10);
  if (member === undefined || choice === 0) copy.push(anyJson(random));
  else if (choice === 1) copy.splice(at, 1);
  else if (choice === 2) copy.splice(at, 0, ...Array(1 + random.length(50)).fill(member));
  else copy[at] = changeOnce(random, member);
  return copy;
}

function changed(random: Random, value: Json): Json {
  if (typeof value === "number" && random.percent(50)) {
    return value + random.pick([1, -1, 0.5, 2 ** 40]);
  }
  if (typeof value === "string" && random.percent(50)) {
    const bytes = mutateBytes(random, Buffer.from(value));
    return new TextDecoder().decode(bytes);
  }
  return anyJson(random);
}
