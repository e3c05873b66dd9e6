import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { dirname, failpoint } from "../std/mod.ts";
import { StoreError, storeError } from "./errors.ts";
import { openFrozen } from "./frozen.ts";
import { type StoreFs, systemStoreFs } from "./fs.ts";
import { DATABASE_MODE } from "./layout.ts";
import { knownVersion, migrate } from "./schema.ts";
import { diskSpace, fullness } from "./space.ts";

/** A row as node:sqlite returns it. */
export type Row = Readonly<Record<string, unknown>>;

/** How long a statement waits for another process that reads the file, in milliseconds. */
const BUSY_TIMEOUT = 5_000;

/** The SQLite file: prepared statements, and transactions that end the disk's way or not at all. */
export class Database {
  #db: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  #frozen: StoreError | undefined;

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
    return new Database(connected(path, fs), path);
  }

  /**
   * Opens the file so that nothing at all is written, until {@linkcode Database.thaw}; every
   * transaction throws `why`. Where there is no file yet it is as one that is empty.
   *
   * @throws {StoreError} as {@linkcode Database.open}.
   */
  static frozen(path: string, why: StoreError): Database {
    const database = new Database(frozenConnection(path), path);
    database.#frozen = why;
    return database;
  }

  /** Why nothing is written, while that is so. */
  get isFrozen(): StoreError | undefined {
    return this.#frozen;
  }

  /**
   * Writes from now on.
   *
   * @throws {StoreError} what the disk says; it is then as it was.
   */
  thaw(fs: StoreFs): void {
    const why = this.#frozen;
    if (why === undefined) return;
    this.close();
    try {
      this.#db = connected(this.#path, fs);
    } catch (error) {
      this.#db = frozenConnection(this.#path);
      throw error;
    }
    this.#frozen = undefined;
  }

  /** Writes nothing from now on. */
  freeze(why: StoreError): void {
    if (this.#frozen === undefined) {
      this.close();
      this.#db = frozenConnection(this.#path);
    }
    this.#frozen = why;
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
    if (this.#frozen !== undefined) throw this.#frozen;
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
    // Where neither way of opening it worked there is nothing to close.
    if (!this.#db.isOpen) return;
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

function connected(path: string, fs: StoreFs): DatabaseSync {
  try {
    // SQLite gives the WAL and its index the mode of the database.
    fs.touch(path, DATABASE_MODE);
    fs.chmod(path, DATABASE_MODE);
    failpoint("store.database.created");
    return prepared(new DatabaseSync(path));
  } catch (cause) {
    throw databaseError("open the database", cause, path);
  }
}

function frozenConnection(path: string): DatabaseSync {
  try {
    return openFrozen(path);
  } catch (cause) {
    throw databaseError("read the database", cause, path);
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

/** SQLITE_FULL. */
const DISK_FULL = 13;
/** SQLITE_IOERR and SQLITE_CANTOPEN. */
const MAYBE_FULL: ReadonlySet<number | undefined> = new Set([10, 14]);

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
  // Where its index cannot grow SQLite tells an I/O error (os_unix.c, unixShmMap), and where there is
  // no inode for its log, that it cannot be opened.
  return MAYBE_FULL.has(failure?.code) && isFull(dirname(path))
    ? SQLITE_FAILURES.find(({ code }) => code === DISK_FULL)
    : failure;
}

function isFull(directory: string): boolean {
  try {
    return fullness(diskSpace(directory)) !== undefined;
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
