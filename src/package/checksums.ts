import type { Digest } from "../std/mod.ts";
import { packageError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { safePath } from "./names.ts";

/** The name of the list, and of what it does not list (Zarf 0.84, layout/package.go). */
export const CHECKSUMS = "checksums.txt";
/** The package definition. */
export const DEFINITION = "zarf.yaml";
/** The two forms of a signature over zarf.yaml. */
export const SIGNATURES = { bundle: "zarf.bundle.sig", legacy: "zarf.yaml.sig" } as const;

const NEVER_LISTED: readonly string[] = [CHECKSUMS, DEFINITION];
const MAY_BE_UNLISTED: readonly string[] = [SIGNATURES.bundle, SIGNATURES.legacy];

/** A hash, a space and the longest path that an archive can hold. */
const MAX_LINE = 64 + 1 + DEFAULT_LIMITS.nameBytes;

/**
 * Reads checksums.txt: lines of `<sha256 hex> <path>`; empty lines are allowed, and nothing but an
 * empty line in a package without files (Zarf 0.84, src/pkg/packager/assemble getChecksum).
 *
 * @throws {PackageError} InvalidChecksums or UnsafePath.
 */
export function parseChecksums(content: Uint8Array): Map<string, Digest> {
  const listed = new Map<string, Digest>();
  let number = 0;
  for (const line of linesOf(decode(content))) {
    number++;
    if (line === "") continue;
    const refuse = (why: string) =>
      packageError("InvalidChecksums", `${CHECKSUMS}: line ${number} ${why}`);
    if (line.length > MAX_LINE) throw refuse(`has ${line.length} characters`);
    const match = /^([0-9a-f]{64}) (\S+)$/.exec(line);
    const [, hex, path] = match ?? [];
    if (hex === undefined || path === undefined) {
      throw refuse("does not have the form <sha256> <path>");
    }
    if (safePath(CHECKSUMS, path) !== path) throw refuse(`has the impossible path ${path}`);
    if (NEVER_LISTED.includes(path)) throw refuse(`lists ${path}, which cannot be listed`);
    if (listed.has(path)) throw refuse(`lists ${path} a second time`);
    listed.set(path, `sha256:${hex}`);
  }
  return listed;
}

/** One by one: millions of empty lines are no list. */
function* linesOf(text: string): Generator<string> {
  for (let at = 0; at <= text.length;) {
    const end = text.indexOf("\n", at);
    yield text.slice(at, end < 0 ? text.length : end);
    at = end < 0 ? text.length + 1 : end + 1;
  }
}

function decode(content: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    throw packageError("InvalidChecksums", `${CHECKSUMS}: is not text`, { cause });
  }
}

/**
 * Compares the files as they come with checksums.txt, which may come before or after them: what can
 * be compared at once is, the rest at the end.
 */
export class ChecksumLedger {
  readonly #seen = new Map<string, Digest>();
  #listed: Map<string, Digest> | undefined;

  /** @throws {PackageError} as {@linkcode parseChecksums}, or ChecksumMismatch. */
  setList(content: Uint8Array): void {
    this.#listed = parseChecksums(content);
    for (const [path, digest] of this.#seen) this.#compare(path, digest);
  }

  /** Records a regular file. @throws {PackageError} ChecksumMismatch. */
  record(path: string, digest: Digest): void {
    this.#seen.set(path, digest);
    this.#compare(path, digest);
  }

  /** Whether the file was in the archive. */
  has(path: string): boolean {
    return this.#seen.has(path);
  }

  /** The sha256 of a file that was in the archive. */
  digestOf(path: string): Digest | undefined {
    return this.#seen.get(path);
  }

  /**
   * Both ways: every listed file was there, and every file is listed or may be missing from the list
   * (Zarf 0.84, layout/package.go validatePackageIntegrity).
   *
   * @param provenance Files that a signed package may hold besides.
   * @throws {PackageError} MissingFile or UnlistedFile.
   */
  finish(provenance: readonly string[]): void {
    const listed = this.#listed;
    if (listed === undefined) {
      throw packageError("MissingFile", `${CHECKSUMS}: is not in the package`);
    }
    for (const path of listed.keys()) {
      if (this.#seen.has(path)) continue;
      throw packageError(
        "MissingFile",
        `${path}: is not in the package, but ${CHECKSUMS} lists it`,
      );
    }
    const free = new Set([...NEVER_LISTED, ...MAY_BE_UNLISTED, ...provenance]);
    for (const path of this.#seen.keys()) {
      if (listed.has(path) || free.has(path)) continue;
      throw packageError(
        "UnlistedFile",
        `${path}: is in the package, but ${CHECKSUMS} does not list it`,
      );
    }
  }

  #compare(path: string, digest: Digest): void {
    const expected = this.#listed?.get(path);
    if (expected === undefined || expected === digest) return;
    throw packageError(
      "ChecksumMismatch",
      `${path}: sha256 is ${digest.slice(7)} but ${CHECKSUMS} says ${expected.slice(7)}`,
    );
  }
}
