/*
 * Versions by the rules of semver 2.0, read as leniently as Zarf reads them: a `v` may stand before
 * them, and minor and patch may be left out and count as 0 (Masterminds/semver 3.5, NewVersion).
 */

/** The longest text that is looked at, in characters; Masterminds/semver has the same bound. */
const MAX_LENGTH = 256;

const NUMBER = "[0-9]+";
const IDENTIFIERS = String.raw`[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*`;
const VERSION = new RegExp(
  String.raw`^v?(${NUMBER})(?:\.(${NUMBER}))?(?:\.(${NUMBER}))?` +
    String.raw`(?:-(${IDENTIFIERS}))?(?:\+${IDENTIFIERS})?$`,
);

/** A version as precedence sees it; build metadata has none. */
interface Version {
  /** Major, minor, patch. */
  readonly numbers: readonly string[];
  /** Empty for a release. */
  readonly prerelease: readonly string[];
}

/**
 * Compares two versions by precedence (semver 2.0, item 11): below zero where `a` comes before `b`,
 * above where it comes after, zero where neither does, and `undefined` where one of them is no
 * version.
 */
export function compareVersions(a: string, b: string): number | undefined {
  const [one, other] = [parse(a), parse(b)];
  if (one === undefined || other === undefined) return undefined;
  return compareLists(one.numbers, other.numbers, compareNumbers) ||
    comparePrereleases(one.prerelease, other.prerelease);
}

function parse(text: string): Version | undefined {
  const match = text.length > MAX_LENGTH ? null : VERSION.exec(text);
  if (match === null) return undefined;
  const [, major = "0", minor = "0", patch = "0", identifiers] = match;
  const prerelease = identifiers?.split(".") ?? [];
  if (prerelease.some((identifier) => /^0[0-9]+$/.test(identifier))) return undefined;
  return { numbers: [major, minor, patch], prerelease };
}

function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  return compareLists(a, b, compareIdentifiers) || a.length - b.length;
}

function compareLists(
  a: readonly string[],
  b: readonly string[],
  compare: (a: string, b: string) => number,
): number {
  for (const [index, one] of a.entries()) {
    const other = b[index];
    const order = other === undefined ? 0 : compare(one, other);
    if (order !== 0) return order;
  }
  return 0;
}

function compareIdentifiers(a: string, b: string): number {
  const [aIsNumber, bIsNumber] = [isNumber(a), isNumber(b)];
  if (aIsNumber && bIsNumber) return compareNumbers(a, b);
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function isNumber(text: string): boolean {
  return /^[0-9]+$/.test(text);
}

/** Digits, not values: a version may hold numbers that no double can. */
function compareNumbers(a: string, b: string): number {
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}
