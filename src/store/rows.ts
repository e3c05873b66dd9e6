import { type Digest, isDigest } from "../std/mod.ts";
import type { Row } from "./database.ts";
import { StoreError } from "./errors.ts";
import {
  type ComponentRecord,
  type DescriptorRecord,
  type DropRecord,
  type ImageRecord,
  type JournalEntry,
  type JournalState,
  PACKAGE_STATES,
  type PackageRecord,
  type ResolvedTag,
} from "./types.ts";

/** A `packages` row joined with its owner's sequence. */
export function packageOf(row: Row): PackageRecord {
  return {
    digest: digestIn(row, "digest"),
    name: textIn(row, "name"),
    version: textIn(row, "version"),
    architecture: textIn(row, "architecture"),
    kind: textIn(row, "kind"),
    state: oneOf(row, "state", PACKAGE_STATES),
    signature: textIn(row, "signature"),
    ...(row["signed_by"] === null ? {} : { signedBy: textIn(row, "signed_by") }),
    acceptedAt: textIn(row, "accepted_at"),
    fileName: textIn(row, "file_name"),
    bytes: numberIn(row, "bytes"),
    sequence: numberIn(row, "sequence"),
    reason: textIn(row, "reason"),
    message: textIn(row, "message"),
    // Written by this room only, from the same type.
    components: jsonIn(row, "components") as ComponentRecord[],
  };
}

/** A `manifests` row. */
export function descriptorOf(row: Row): DescriptorRecord {
  const annotations = row["annotations"];
  return {
    mediaType: textIn(row, "media_type"),
    digest: digestIn(row, "digest"),
    size: numberIn(row, "size"),
    ...(row["artifact_type"] === null ? {} : { artifactType: textIn(row, "artifact_type") }),
    ...(row["subject"] === null ? {} : { subject: digestIn(row, "subject") }),
    ...(annotations === null
      ? {}
      : { annotations: jsonIn(row, "annotations") as Record<string, string> }),
  };
}

/** An `images` row. */
export function imageOf(row: Row): ImageRecord {
  // Written by this room only, from the same type.
  return jsonIn(row, "image") as ImageRecord;
}

/** An `image_names` row. */
export function resolvedTagOf(row: Row): ResolvedTag {
  return { digest: digestIn(row, "digest"), mediaType: textIn(row, "media_type") };
}

/** A `drops` row. */
export function dropOf(row: Row): DropRecord {
  return {
    path: textIn(row, "path"),
    size: numberIn(row, "size"),
    mtimeNs: BigInt(textIn(row, "mtime_ns")),
    inode: BigInt(textIn(row, "inode")),
    outcome: jsonIn(row, "outcome"),
  };
}

const JOURNAL_STATES: readonly JournalState[] = ["started", "done", "failed"];

/** A `journal` row. */
export function journalEntryOf(row: Row): JournalEntry {
  return {
    owner: textIn(row, "owner"),
    step: textIn(row, "step"),
    state: oneOf(row, "state", JOURNAL_STATES),
    detail: jsonIn(row, "detail"),
    at: textIn(row, "at"),
  };
}

/** A text column. */
export function textIn(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw damaged(column);
  return value;
}

/** A column with JSON text. */
export function jsonIn(row: Row, column: string): unknown {
  try {
    return JSON.parse(textIn(row, column));
  } catch (cause) {
    throw damaged(column, cause);
  }
}

/** A column with a digest. */
export function digestIn(row: Row, column: string): Digest {
  const value = textIn(row, column);
  if (!isDigest(value)) throw damaged(column);
  return value;
}

/** Any JSON value as text; what JSON cannot say becomes `null`. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value) ?? "null";
}

/** A column with a number. */
export function numberIn(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw damaged(column);
  return value;
}

function oneOf<T extends string>(row: Row, column: string, known: readonly T[]): T {
  const value = textIn(row, column);
  const found = known.find((each) => each === value);
  if (found === undefined) throw damaged(column);
  return found;
}

function damaged(column: string, cause?: unknown): StoreError {
  return new StoreError({
    reason: "DatabaseCorrupt",
    message: `the database has a ${column} that cannot be read`,
    remedy: "move holdfast.db away and drop the packages again; the blobs are kept",
    cause,
  });
}
