import {
  type Clock,
  describeError,
  type Digest,
  dirname,
  ensureDir,
  failpoint,
  type Logger,
  osErrorCode,
  silentLogger,
  systemClock,
} from "../std/mod.ts";
import { BlobStore } from "./blobs.ts";
import { CleanMark } from "./clean_mark.ts";
import { Collector } from "./collector.ts";
import { type Damage, findDamage, NO_DAMAGE } from "./damage.ts";
import { Database } from "./database.ts";
import { guarded, StoreError } from "./errors.ts";
import { frozenBy } from "./frozen.ts";
import { exists, type StoreFs, systemStoreFs } from "./fs.ts";
import { Layout, PRIVATE_DIRECTORY_MODE } from "./layout.ts";
import { Ledger } from "./ledger.ts";
import { requireSpace, type SpaceNeed } from "./preflight.ts";
import { Records } from "./records.ts";
import { Scrubber } from "./scrub.ts";
import { type DiskSpace, diskSpace, hasStartRoom } from "./space.ts";

/** What flushing a directory says that this program can have made nothing in. */
const NOT_OURS: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS", "EINVAL"]);

/** What a store may be given. */
export interface StoreOptions {
  /** @default the real file system */
  readonly fs?: StoreFs;
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Room on the data disk. @default what its file system says */
  readonly disk?: () => DiskSpace;
  /** Bytes that are hashed in a second to find rot. @default SCRUB_RATE */
  readonly scrubRate?: number;
  /**
   * Whether a store whose disk is too full to start is opened all the same, and serves without
   * writing; see {@linkcode Store.frozen}. @default false
   */
  readonly mayFreeze?: boolean;
}

/** The durable state of one node. One process has it open at a time. */
export class Store {
  /** The data directory. */
  readonly dir: string;
  readonly blobs: BlobStore;
  readonly records: Records;
  readonly ledger: Ledger;
  readonly collector: Collector;
  readonly scrubber: Scrubber;
  /** Room on the data disk. */
  readonly disk: () => DiskSpace;
  #damage: Damage = NO_DAMAGE;
  readonly #layout: Layout;
  readonly #db: Database;
  readonly #mark: CleanMark;
  readonly #lock: Deno.FsFile;
  readonly #fs: StoreFs;
  readonly #logger: Logger;

  private constructor(
    layout: Layout,
    db: Database,
    lock: Deno.FsFile,
    options: StoreOptions,
  ) {
    const { fs = systemStoreFs, logger = silentLogger, clock = systemClock } = options;
    this.dir = layout.root;
    this.#layout = layout;
    this.#db = db;
    this.#lock = lock;
    this.#fs = fs;
    this.#logger = logger;
    this.disk = options.disk ?? (() => diskSpace(layout.root));
    this.blobs = new BlobStore(layout, unlessFrozen(fs, db), clock);
    this.records = new Records(db);
    this.ledger = new Ledger(db, layout.ledger, fs);
    this.collector = new Collector({ layout, db, blobs: this.blobs, fs, clock });
    const parts = { db, blobs: this.blobs, records: this.records, logger, clock };
    this.scrubber = new Scrubber(
      options.scrubRate === undefined ? parts : { ...parts, rate: options.scrubRate },
    );
    this.#mark = new CleanMark(db, this.blobs);
  }

  /**
   * Opens or creates the store in `dir`, empties `tmp/` and, after an unclean stop, verifies the
   * blobs that were written since the last clean one; that reads them, so it takes its time.
   *
   * @throws {StoreError} `InUse` when another process has it open, `DatabaseCorrupt`,
   * `DatabaseTooNew`, or what the disk says.
   */
  static open(dir: string, options: StoreOptions = {}): Store {
    const { fs = systemStoreFs } = options;
    const layout = new Layout(dir);
    guarded(`prepare the data directory ${dir}`, () => ensureDir(dir, fs, "store.directory"));
    const lock = takeLock(layout, fs);
    try {
      // Before tmp/ is emptied: what a newer program has begun is its own.
      Database.requireKnown(layout.database);
      return Store.#started(layout, lock, options);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  static #started(layout: Layout, lock: Deno.FsFile, options: StoreOptions): Store {
    const { fs = systemStoreFs } = options;
    let db: Database | undefined;
    try {
      prepareDirectories(layout, fs);
      db = Database.open(layout.database, fs);
      const store = new Store(layout, db, lock, options);
      store.#start();
      return store;
    } catch (error) {
      db?.close();
      if (options.mayFreeze === true && isFull(error)) {
        return Store.#startedFrozen(layout, lock, options, error);
      }
      throw error;
    }
  }

  static #startedFrozen(
    layout: Layout,
    lock: Deno.FsFile,
    options: StoreOptions,
    cause: StoreError,
  ): Store {
    const { disk = () => diskSpace(layout.root), logger = silentLogger } = options;
    const why = frozenBy(cause, disk());
    const db = Database.frozen(layout.database, why);
    try {
      const store = new Store(layout, db, lock, options);
      logger.error(describeError(why));
      store.#mark.look(logger);
      store.findDamage();
      return store;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** What is brought in order, and begun, before anything is served. */
  #start(): void {
    guarded("make the database's name durable", () => this.#fs.fsyncDir(this.dir));
    failpoint("store.database.synced");
    this.ledger.open(this.#logger);
    this.#mark.check(this.#logger);
    this.findDamage();
  }

  /**
   * Why nothing is written, while that is so: the disk was too full for a start. What the records
   * name can be read; every call that would write throws this.
   */
  get frozen(): StoreError | undefined {
    return this.#db.isFrozen;
  }

  /**
   * Goes on as after any start, if there is room for it by now; whether it does.
   *
   * @throws {StoreError} what else may keep a store from being opened.
   */
  thaw(): boolean {
    if (this.frozen === undefined) return true;
    if (!hasStartRoom(guarded("ask for free space", this.disk))) return false;
    try {
      prepareDirectories(this.#layout, this.#fs);
      this.#db.thaw(this.#fs);
      this.#start();
      this.#logger.info("there is room on the data disk again, and packages are taken in");
      return true;
    } catch (error) {
      if (!isFull(error)) throw error;
      this.#db.freeze(frozenBy(error, this.disk()));
      return false;
    }
  }

  /** @throws {StoreError} the reason while the store is {@linkcode Store.frozen}. */
  requireThawed(): void {
    if (this.frozen !== undefined) throw this.frozen;
  }

  /** Where a package's files are (definition, checksums, charts, manifests), as unpacked. */
  packagePath(digest: Digest): string {
    return this.#layout.package(digest);
  }

  /** What the records name and the disk did not have at the last {@linkcode findDamage}. */
  get damage(): Damage {
    return this.#damage;
  }

  /** Looks whether everything that the records name is there. */
  findDamage(): Damage {
    this.#damage = findDamage(this.#db, this.blobs, this.#layout);
    return this.#damage;
  }

  /**
   * Makes sure that a package fits on the disk; what nothing needs any more makes room for it.
   *
   * @throws {StoreError} `NotEnoughSpace`.
   */
  requireSpace(need: SpaceNeed): void {
    this.requireThawed();
    requireSpace(this, need);
  }

  /** Sets the clean mark and closes everything; a frozen store is left as it was found. */
  close(): void {
    try {
      if (this.frozen === undefined) this.#mark.set();
    } finally {
      letGo(this.#db, this.#lock);
    }
    failpoint("store.closed");
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function letGo(db: Database, lock: Deno.FsFile): void {
  try {
    db.close();
  } finally {
    lock.close();
  }
}

function isFull(error: unknown): error is StoreError {
  return error instanceof StoreError && error.reason === "DiskFull";
}

/** What makes files in it makes none while the database is frozen: nothing would know of them. */
function unlessFrozen(fs: StoreFs, db: Database): StoreFs {
  const create: StoreFs["create"] = (path, mode) => {
    if (db.isFrozen !== undefined) throw db.isFrozen;
    return fs.create(path, mode);
  };
  return new Proxy(fs, {
    get: (target, key, receiver) => key === "create" ? create : Reflect.get(target, key, receiver),
  });
}

function prepareDirectories(layout: Layout, fs: StoreFs): void {
  guarded(`prepare the data directory ${layout.root}`, () => {
    emptyDirectory(layout.tmp, fs);
    for (const directory of [layout.tmp, layout.blobs, layout.packages]) {
      ensureDir(directory, fs, "store.directory");
    }
    fs.chmod(layout.tmp, PRIVATE_DIRECTORY_MODE);
    if (!exists(layout.database)) flushNames(layout, fs);
  });
}

/** Of a new store: the run that made the directories may have been killed before it could. */
function flushNames(layout: Layout, fs: StoreFs): void {
  fs.fsyncDir(dirname(layout.blobs));
  failpoint("store.directory.synced");
  try {
    fs.fsyncDir(dirname(layout.root));
    failpoint("store.directory.synced");
  } catch (error) {
    // A directory that this program may not write to, or a read-only medium: somebody else made ours.
    if (!NOT_OURS.has(osErrorCode(error) ?? "")) throw error;
  }
}

function emptyDirectory(directory: string, fs: StoreFs): void {
  try {
    for (const entry of Deno.readDirSync(directory)) {
      fs.remove(`${directory}/${entry.name}`);
      failpoint("store.tmp.removed");
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function takeLock(layout: Layout, fs: StoreFs): Deno.FsFile {
  return guarded("lock the data directory", () => {
    fs.touch(layout.lock, 0o600);
    const file = Deno.openSync(layout.lock, { write: true });
    // The kernel lets go of it when the process ends, however it ends.
    if (file.tryLockSync(true)) return file;
    file.close();
    throw new StoreError({
      reason: "InUse",
      message: `another process has the data directory ${layout.root} open`,
      remedy: "stop the other agent, or give this one another --data-dir",
      disposition: "wait",
    });
  });
}
