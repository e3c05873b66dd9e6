import type { Digest } from "../std/mod.ts";
import type { BlobStore } from "./blobs.ts";
import type { Collector } from "./collector.ts";
import { guarded, StoreError } from "./errors.ts";
import { type DiskSpace, reserveOf } from "./space.ts";
import type { BlobReference } from "./types.ts";

/** What a package will take, as far as its archive says before it is read. */
export interface SpaceNeed {
  readonly blobs: readonly BlobReference[];
  /** Bytes of everything else. */
  readonly fileBytes: number;
}

/** What {@linkcode requireSpace} asks. */
export interface PreflightParts {
  readonly blobs: BlobStore;
  readonly collector: Collector;
  readonly disk: () => DiskSpace;
}

/** What file systems round each file up to, in bytes. */
const BLOCK = 4096;

/** What is still to be written of a package, in bytes: blobs that are here need no room. */
export function missingBytes(blobs: BlobStore, need: SpaceNeed): number {
  const missing = need.blobs.filter(({ digest, size }) => blobs.stat(digest)?.size !== size);
  return missing.reduce((sum, { size }) => sum + size + BLOCK, need.fileBytes);
}

/** Bytes that may be written before the reserve is touched. */
export function availableBytes(disk: DiskSpace): number {
  return Math.max(0, disk.free - reserveOf(disk));
}

/**
 * Makes sure that a package fits: where it does not, what is superseded or left over goes first.
 *
 * @throws {StoreError} `NotEnoughSpace` with both numbers.
 */
export function requireSpace(parts: PreflightParts, need: SpaceNeed): void {
  const { blobs, collector } = parts;
  const needed = missingBytes(blobs, need);
  const available = () => availableBytes(guarded("ask for free space", parts.disk));
  if (needed <= available()) return;
  const keep = new Set<Digest>(need.blobs.map(({ digest }) => digest));
  collector.collect({ urgent: true, keep });
  const free = available();
  if (needed <= free) return;
  throw new StoreError({
    reason: "NotEnoughSpace",
    message: `the package needs ${inMegabytes(needed)} more on the data disk, and ` +
      `${inMegabytes(free)} are free beside the ${
        inMegabytes(reserveOf(parts.disk()))
      } that are kept free for the node`,
    kept: "what is superseded was removed; everything else is unchanged",
    remedy: "free space on the data disk; it is tried again by itself",
    disposition: "wait",
  });
}

/** Rounded up: a need of one byte is not "0.0 MB". */
function inMegabytes(bytes: number): string {
  return `${(Math.ceil(bytes / 100_000) / 10).toFixed(1)} MB`;
}
