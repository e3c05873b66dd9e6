import assert from "node:assert/strict";
import { PackageError, type PackageErrorReason } from "../../src/package/mod.ts";
import { describeError } from "../../src/std/mod.ts";
import { StoreError } from "../../src/store/mod.ts";

/** The closed list; a reason that is missing here does not compile. */
const REASONS: Readonly<Record<PackageErrorReason, true>> = {
  EmptyFile: true,
  NotZstd: true,
  NotTar: true,
  Truncated: true,
  Corrupt: true,
  TrailingData: true,
  UnsupportedCompression: true,
  UnsafePath: true,
  UnsupportedEntry: true,
  DuplicateEntry: true,
  MissingFile: true,
  UnlistedFile: true,
  ChecksumMismatch: true,
  AggregateMismatch: true,
  InvalidChecksums: true,
  InvalidDefinition: true,
  UnsupportedDefinition: true,
  ArchitectureMismatch: true,
  InvalidImageLayout: true,
  MissingBlob: true,
  MissingImage: true,
  Unsigned: true,
  SignatureInvalid: true,
  SignatureUnreadable: true,
  LimitExceeded: true,
  PartsMissing: true,
  InvalidParts: true,
  UnknownFormat: true,
  FileChanged: true,
  UnsupportedZarfVersion: true,
};

/** The longest text of a refusal, in characters. */
const MAX_TEXT = 4_096;
/** What a terminal or a log would act on. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/** Why an input was refused. */
export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/**
 * Runs a reader. What it throws must be a refusal: of the closed list, final, short and printable.
 *
 * @returns the refusal, or `undefined` where nothing was thrown.
 */
export async function refusalOf(action: () => unknown): Promise<Refusal | undefined> {
  try {
    await action();
  } catch (error) {
    // An assertion of a sink, or anything that is no refusal, is what is looked for.
    if (!(error instanceof PackageError) && !isUnsafePath(error)) throw error;
    const text = describeError(error);
    assert.ok(error instanceof StoreError || error.reason in REASONS, `reason ${error.reason}`);
    assert.equal(error.disposition, "terminal", `${error.reason} would be tried again: ${text}`);
    assert.ok(text.length <= MAX_TEXT, `a text of ${text.length} characters`);
    assert.doesNotMatch(text, UNPRINTABLE);
    return { reason: error.reason, message: error.message };
  }
  return undefined;
}

/** The store looks at paths, too, and may be stricter. */
function isUnsafePath(error: unknown): error is StoreError {
  return error instanceof StoreError && error.reason === "UnsafePath";
}
