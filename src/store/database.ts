import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { dirname, failpoint } from "../std/mod.ts";
import { StoreError, storeError } from "./errors.ts";
import { type StoreFs, systemStoreFs } from "./fs.ts";
import { DATABASE_MODE } from "./layout.ts";
import { knownVersion, migrate } from "./schema.ts";
import { diskSpace } from "./space.ts";

/** A row as node:sqlite returns it. */
export type Row = Readonly<Record<string, unknown>>;

/** How long a statement waits for another process that reads the file, in milliseconds. */
const BUSY_TIMEOUT = 5_000;

/** The SQLite file: prepared statements, and transactions that end the disk's way or not at all. */
export class Database {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  /**
   * Opens or creates the file, for this user only, and brings it to the current version.
   *
   * @throws {StoreError} `DatabaseCorrupt`, `DatabaseTooNew`, or what the disk says.
   */
  static open(path: string, fs: StoreFs = systemStoreFs): Database {
    try {
      // SQLite gives the WAL and its index the mode of the database.
      fs.touch(path, DATABASE_MODE);
      fs.chmod(path, DATABASE_MODE);
      failpoint("store.database.created");
      return new Database(prepared(new DatabaseSync(path)), path);
    } catch (cause) {
      throw databaseError("open the database", cause, path);
    }
  }

  /**
   * Looks, and changes nothing, whether a newer program has written the file. What else may be wrong
   * with it is for {@linkcode Database.open} to tell.
   *
   * @throws {StoreError} `DatabaseTooNew`.
   */
  static requireKnown(path: string): void {
    try {
      using db = new DatabaseSync(path, { readOnly: true });
      knownVersion(db);
    } catch (error) {
      if (error instanceof StoreError) throw error;
    }
  }

  /** All rows of a query. */
  all(sql: string, ...values: readonly SQLInputValue[]): Row[] {
    return this.#run(() => this.#prepare(sql).all(...values));
  }

  /** The first row of a query. */
  get(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return this.#run(() => this.#prepare(sql).get(...values));
  }

  /** Runs a statement of a transaction and returns how many rows it changed. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    return this.#run(() => Number(this.#prepare(sql).run(...values).changes));
  }

  /** Runs `action` in a transaction; once this returns it is on the disk. */
  transaction<T>(action: () => T): T {
    this.#run(() => this.#db.exec("BEGIN IMMEDIATE"));
    let result: T;
    try {
      result = action();
      failpoint("store.record.committing");
      this.#run(() => this.#db.exec("COMMIT"));
    } catch (error) {
      this.#rollback();
      throw error;
    }
    failpoint("store.record.committed");
    return result;
  }

  close(): void {
    this.#statements.clear();
    this.#run(() => this.#db.close());
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #rollback(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself (disk full); the first error is the one to tell.
    }
  }

  #run<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw databaseError("use the database", cause, this.#path);
    }
  }
}

/** Sets a connection up and brings the file to the current version; closes it when that fails. */
function prepared(db: DatabaseSync): DatabaseSync {
  try {
    db.exec(`
      PRAGMA busy_timeout = ${BUSY_TIMEOUT};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA foreign_keys = ON;
    `);
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A primary result code of SQLite that has a reason of its own, with its text (sqlite3_errstr). */
interface SqliteFailure {
  readonly code: number;
  readonly text: string;
  readonly reason: StoreError["reason"];
  readonly why: string;
  /** @default about the data disk */
  readonly remedy?: string;
}

const SQLITE_FAILURES: readonly SqliteFailure[] = [
  {
    code: 5,
    text: "database is locked",
    reason: "InUse",
    why: "another program holds it",
    remedy: "let go of holdfast.db; it is tried again by itself",
  },
  {
    code: 8,
    text: "attempt to write a readonly database",
    reason: "ReadOnly",
    why: "the file system is read-only",
  },
  { code: 10, text: "disk I/O error", reason: "IoError", why: "the disk reports an error" },
  {
    code: 11,
    text: "database disk image is malformed",
    reason: "DatabaseCorrupt",
    why: "the file is damaged",
  },
  { code: 13, text: "database or disk is full", reason: "DiskFull", why: "the disk is full" },
  {
    code: 14,
    text: "unable to open database file",
    reason: "Permission",
    why: "the file cannot be opened",
  },
  {
    code: 26,
    text: "file is not a database",
    reason: "DatabaseCorrupt",
    why: "the file is no database",
  },
];

/** SQLITE_IOERR and SQLITE_FULL. */
const IO_ERROR = 10;
const DISK_FULL = 13;
/** A disk with fewer bytes is full. */
const FULL_BYTES = 1 << 20;

function databaseError(doing: string, cause: unknown, path: string): StoreError {
  const known = failureOf(cause, path);
  if (known === undefined) return storeError(doing, cause);
  const { reason, why, remedy = "check the data disk; it is tried again by itself" } = known;
  return new StoreError({
    reason,
    message: `cannot ${doing}: ${why}`,
    kept: "what was recorded before is unchanged",
    remedy: reason === "DatabaseCorrupt"
      ? "move holdfast.db away and drop the packages again; the blobs are kept"
      : remedy,
    disposition: reason === "DatabaseCorrupt" ? "terminal" : "wait",
    cause,
  });
}

function failureOf(cause: unknown, path: string): SqliteFailure | undefined {
  const failure = SQLITE_FAILURES.find((each) => isFailure(each, cause));
  // Where its index cannot grow SQLite tells an I/O error (os_unix.c, unixShmMap).
  return failure?.code === IO_ERROR && isFull(dirname(path))
    ? SQLITE_FAILURES.find(({ code }) => code === DISK_FULL)
    : failure;
}

function isFull(directory: string): boolean {
  try {
    return diskSpace(directory).free < FULL_BYTES;
  } catch {
    return false;
  }
}

function isFailure(failure: SqliteFailure, cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  // Statements give the code, its low byte being the primary one; `exec` gives the text only.
  return "errcode" in cause && typeof cause.errcode === "number"
    ? (cause.errcode & 0xff) === failure.code
    : cause.message === failure.text;
}
