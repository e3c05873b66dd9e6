import { pathToFileURL } from "node:url";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "./errors.ts";
import { fileSize } from "./fs.ts";
import { knownVersion, migrateUncommitted, SCHEMA_VERSION } from "./schema.ts";
import { type DiskSpace, fullness } from "./space.ts";

/**
 * Opens a database for reading so that no byte and no inode of the disk is needed, whatever a killed
 * process has left of it. Nobody else may have it open. What an older program has written is seen as
 * this one would have brought it to its version.
 *
 * @throws {StoreError} `DatabaseTooNew`; and what SQLite throws.
 */
export function openFrozen(path: string): DatabaseSync {
  const hasLog = (fileSize(`${path}-wal`) ?? 0) > 0;
  if (!hasLog && (fileSize(path) ?? 0) === 0) return prepared(new DatabaseSync(":memory:"));
  if (!hasLog) {
    // Without this SQLite makes a log and its index, to find them empty (wal.html, "Read-Only Databases").
    const url = pathToFileURL(path);
    url.searchParams.set("immutable", "1");
    const db = new DatabaseSync(url, { readOnly: true });
    if (isCurrent(db)) return db;
    db.close();
  }
  return prepared(new DatabaseSync(path));
}

function isCurrent(db: DatabaseSync): boolean {
  try {
    return knownVersion(db) === SCHEMA_VERSION;
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepared(db: DatabaseSync): DatabaseSync {
  try {
    // The log's index is in memory then, not in a file (wal.html, "Use of WAL Without Shared-Memory").
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_spill = OFF;");
    migrateUncommitted(db);
    db.exec("PRAGMA query_only = ON;");
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** What a store says that was opened on a full disk, and whoever wants it to write. */
export function frozenBy(cause: StoreError, disk: DiskSpace): StoreError {
  const what = fullness(disk) === "files"
    ? "remove files on the data disk, it has no free inodes"
    : "free space on the data disk";
  return new StoreError({
    reason: "DiskFull",
    message: "the data disk was full when the agent started",
    kept: "what the store has is served, and nothing is taken in",
    remedy: `${what}; it goes on by itself`,
    disposition: "wait",
    cause,
  });
}
