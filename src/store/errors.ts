import { type Disposition, HoldfastError, osErrorCode } from "../std/mod.ts";

/** Why the store did not do what it was asked. */
export type StoreReason =
  | "DiskFull"
  /** A package does not fit; known before it is read. */
  | "NotEnoughSpace"
  | "IoError"
  | "Permission"
  | "ReadOnly"
  | "InUse"
  | "DigestMismatch"
  | "SizeMismatch"
  | "BlobMissing"
  | "TooLarge"
  | "UnsafePath"
  | "Unfinished"
  | "DatabaseCorrupt"
  | "DatabaseTooNew"
  | "UnknownPackage";

/** A failure of the store. What was in it before is kept unless the text says otherwise. */
export class StoreError extends HoldfastError<StoreReason> {}

interface OsFailure {
  readonly reason: StoreReason;
  readonly why: string;
  readonly remedy: string;
  readonly disposition: Disposition;
}

const DISK_FULL: OsFailure = {
  reason: "DiskFull",
  why: "the disk is full",
  remedy: "free space on the data disk; it is tried again by itself",
  disposition: "wait",
};
const PERMISSION: OsFailure = {
  reason: "Permission",
  why: "permission denied",
  remedy: "let the agent write to its data directory",
  disposition: "wait",
};
const IO_ERROR: OsFailure = {
  reason: "IoError",
  why: "the disk reports an error",
  remedy: "check the kernel log and the disk; it is tried again by itself",
  disposition: "retry",
};

const OS_FAILURES: Readonly<Record<string, OsFailure>> = {
  ENOSPC: DISK_FULL,
  EDQUOT: DISK_FULL,
  EACCES: PERMISSION,
  EPERM: PERMISSION,
  EROFS: {
    reason: "ReadOnly",
    why: "the file system is read-only",
    remedy: "mount the data disk writable, or check it for errors",
    disposition: "wait",
  },
};

/**
 * Turns what the operating system threw into a {@linkcode StoreError}; one that is already a
 * StoreError stays as it is. What has no reason of its own is an `IoError` and is tried again.
 */
export function storeError(doing: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const failure = OS_FAILURES[osErrorCode(cause) ?? ""] ?? byClass(cause) ?? IO_ERROR;
  return new StoreError({
    reason: failure.reason,
    message: `cannot ${doing}: ${failure.why}`,
    kept: "what the store held before is unchanged",
    remedy: failure.remedy,
    disposition: failure.disposition,
    cause,
  });
}

function byClass(cause: unknown): OsFailure | undefined {
  return cause instanceof Deno.errors.PermissionDenied ? PERMISSION : undefined;
}

/** Runs `action`; what the operating system throws becomes a {@linkcode StoreError}. */
export function guarded<T>(doing: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw storeError(doing, cause);
  }
}
