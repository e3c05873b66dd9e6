import type { DatabaseSync } from "node:sqlite";
import { failpoint } from "../std/mod.ts";
import { StoreError } from "./errors.ts";

/**
 * The database's versions, oldest first. A released entry is never changed; a new version is a new
 * entry. `PRAGMA user_version` counts the entries that were applied.
 */
const MIGRATIONS: readonly string[] = [
  `
  -- Owners in the order in which they were accepted; a package's owner is its digest.
  CREATE TABLE owners (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL UNIQUE,
    is_package INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE packages (
    digest TEXT PRIMARY KEY REFERENCES owners (owner) ON UPDATE CASCADE ON DELETE CASCADE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    architecture TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    signature TEXT NOT NULL,
    accepted_at TEXT NOT NULL,
    file_name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    components TEXT NOT NULL DEFAULT '[]'
  ) STRICT;
  CREATE TABLE image_names (
    owner TEXT NOT NULL REFERENCES owners (owner) ON DELETE CASCADE,
    host TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    PRIMARY KEY (repository, tag, host, owner)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_names_by_owner ON image_names (owner);
  -- Each image of an owner as it was given, in its order.
  CREATE TABLE images (
    owner TEXT NOT NULL REFERENCES owners (owner) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    image TEXT NOT NULL,
    PRIMARY KEY (owner, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE manifests (
    owner TEXT NOT NULL REFERENCES owners (owner) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    artifact_type TEXT,
    subject TEXT,
    annotations TEXT,
    PRIMARY KEY (digest, owner)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX manifests_by_owner ON manifests (owner);
  CREATE INDEX manifests_by_subject ON manifests (subject) WHERE subject IS NOT NULL;
  CREATE TABLE blob_references (
    owner TEXT NOT NULL REFERENCES owners (owner) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (digest, owner)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blob_references_by_owner ON blob_references (owner);
  CREATE TABLE drops (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns TEXT NOT NULL,
    inode TEXT NOT NULL,
    outcome TEXT NOT NULL
  ) STRICT;
  CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    step TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX journal_by_owner ON journal (owner, id);
  CREATE TABLE key_values (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  -- The blobs of the last clean mark: what is not here after an unclean stop is hashed again.
  CREATE TABLE marked_blobs (digest TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE clean_stop (id INTEGER PRIMARY KEY CHECK (id = 1)) STRICT;
  -- A new store has nothing to verify.
  INSERT INTO clean_stop (id) VALUES (1);
  `,
  `
  -- The fingerprint of the trusted key that signed the package; NULL where none did.
  ALTER TABLE packages ADD COLUMN signed_by TEXT;
  `,
  `
  -- Signed packages in the order of their acceptance, by name; they outlive the packages' content.
  CREATE TABLE ledger (
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (name, digest)
  ) STRICT, WITHOUT ROWID;
  -- Whether a superseded package's images, manifests, blobs and files were given up.
  ALTER TABLE packages ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
  `,
];

/** The version that this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the database to {@linkcode SCHEMA_VERSION}, each step in a transaction.
 *
 * @throws {StoreError} `DatabaseTooNew` when a newer program has written it.
 */
export function migrate(db: DatabaseSync): void {
  for (const step of missingSteps(db)) {
    db.exec(`BEGIN IMMEDIATE; ${step} COMMIT;`);
    failpoint("store.database.migrated");
  }
}

/**
 * The same as far as this connection sees it: in a transaction that is never committed.
 *
 * @throws {StoreError} `DatabaseTooNew` when a newer program has written it.
 */
export function migrateUncommitted(db: DatabaseSync): void {
  const steps = missingSteps(db);
  if (steps.length > 0) db.exec(`BEGIN IMMEDIATE; ${steps.join("")}`);
}

function missingSteps(db: DatabaseSync): string[] {
  return MIGRATIONS
    .map((statements, index) => `${statements} PRAGMA user_version = ${index + 1};`)
    .slice(knownVersion(db));
}

/**
 * The database's version.
 *
 * @throws {StoreError} `DatabaseTooNew` when a newer program has written it.
 */
export function knownVersion(db: DatabaseSync): number {
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > SCHEMA_VERSION) {
    throw new StoreError({
      reason: "DatabaseTooNew",
      message:
        `the database has version ${version}, this program knows up to version ${SCHEMA_VERSION}`,
      kept: "nothing in the data directory was changed",
      remedy: "start the newer program again",
    });
  }
  return version;
}
