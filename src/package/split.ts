import * as v from "valibot";
import type { Digest } from "../std/mod.ts";
import { packageError } from "./errors.ts";

/** The most parts that Zarf makes (Zarf 0.84, src/pkg/packager/layout/package.go Archive). */
export const MAX_PARTS = 999;
/** The most bytes of a `.part000`; Zarf writes about 120. */
export const MAX_HEADER_BYTES = 4096;
/** How many missing parts a message names. */
const NAMED_PARTS = 3;

/** What `.part000` says of the file that was split. */
export interface SplitHeader {
  readonly digest: Digest;
  readonly bytes: number;
  /** Of the parts that hold bytes: 1 to {@linkcode MAX_PARTS}. */
  readonly count: number;
}

/**
 * Takes the name or path of a part apart: `web.tar.zst.part003` is the third part of `web.tar.zst`;
 * the one of number 0 is the header.
 */
export function splitPart(
  name: string,
): { readonly whole: string; readonly number: number } | undefined {
  const [, whole, number] = /^(.+)\.part(\d{3})$/.exec(name) ?? [];
  return whole === undefined ? undefined : { whole, number: Number(number) };
}

const headerSchema = v.object({
  Sha256Sum: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  Bytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  Count: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(MAX_PARTS)),
});

/**
 * Reads what a `.part000` holds (Zarf 0.84, src/internal/split/split.go SplitFileMetadata).
 *
 * @param whole Name of the file that was split.
 * @throws {PackageError} InvalidParts.
 */
export function parseSplitHeader(whole: string, content: Uint8Array): SplitHeader {
  const parsed = v.safeParse(headerSchema, content.length > MAX_HEADER_BYTES ? "" : json(content));
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const where = v.getDotPath(issue) ?? "it";
    throw packageError(
      "InvalidParts",
      `${partName(whole, 0)}: is not the head of a split package, ${where} is wrong`,
    );
  }
  const { Sha256Sum, Bytes, Count } = parsed.output;
  return { digest: `sha256:${Sha256Sum}`, bytes: Bytes, count: Count };
}

function json(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(content));
  } catch {
    return undefined;
  }
}

/**
 * Judges what is there of a split package by names and sizes. Zarf compares the number of parts only
 * (split.go ReassembleFile); here a part that is still being copied must be noticed.
 *
 * @param whole Name of the file that was split.
 * @param header Absent as long as `.part000` is.
 * @param sizes Bytes of each part by its number, from 1.
 * @throws {PackageError} PartsMissing: more has to come. InvalidParts: they belong to no one file.
 */
export function checkParts(
  whole: string,
  header: SplitHeader | undefined,
  sizes: ReadonlyMap<number, number>,
): void {
  const head = partName(whole, 0);
  if (header === undefined) {
    throw packageError(
      "PartsMissing",
      `${whole}: ${counted(sizes.size)} there, but not ${head}, which says how many there are`,
    );
  }
  const { count, bytes } = header;
  const missing = partNumbers(count).filter((number) => !sizes.has(number));
  if (missing.length > 0) {
    const there = `${count - missing.length} of ${counted(count)}`;
    throw packageError("PartsMissing", `${whole}: ${there} there, not ${listed(missing)}`);
  }
  const extra = [...sizes.keys()].filter((number) => number > count).sort((a, b) => a - b);
  const [first] = extra;
  if (first !== undefined) {
    throw packageError(
      "InvalidParts",
      `${partName(whole, first)}: is there, but ${head} says that the last part is ${count}`,
    );
  }
  checkBytes(whole, bytes, sumOf(sizes.values()));
}

function checkBytes(whole: string, expected: number, found: number): void {
  if (found < expected) {
    throw packageError(
      "PartsMissing",
      `${whole}: all parts are there, but only ${found} of ${expected} bytes`,
    );
  }
  if (found > expected) {
    throw packageError(
      "InvalidParts",
      `${whole}: the parts have ${found} bytes, but ${partName(whole, 0)} says ${expected}`,
    );
  }
}

/** `web.tar.zst.part003`; with a path before it if `whole` has one. */
export function partName(whole: string, number: number): string {
  return `${whole}.part${String(number).padStart(3, "0")}`;
}

/** 1 to `count`. */
export function partNumbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}

function sumOf(sizes: Iterable<number>): number {
  let sum = 0;
  for (const size of sizes) sum += size;
  return sum;
}

function counted(parts: number): string {
  return parts === 1 ? "1 part is" : `${parts} parts are`;
}

function listed(missing: readonly number[]): string {
  const named = missing.slice(0, NAMED_PARTS).map((number) => partName("", number).slice(1));
  const more = missing.length - named.length;
  return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
