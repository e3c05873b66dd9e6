import {
  type Clock,
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
import { exists, type StoreFs, systemStoreFs } from "./fs.ts";
import { Layout, PRIVATE_DIRECTORY_MODE } from "./layout.ts";
import { Ledger } from "./ledger.ts";
import { requireSpace, type SpaceNeed } from "./preflight.ts";
import { Records } from "./records.ts";
import { Scrubber } from "./scrub.ts";
import { type DiskSpace, diskSpace } from "./space.ts";

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
    this.disk = options.disk ?? (() => diskSpace(layout.root));
    this.blobs = new BlobStore(layout, fs, clock);
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
    const { fs = systemStoreFs, logger = silentLogger } = options;
    const layout = new Layout(dir);
    guarded(`prepare the data directory ${dir}`, () => ensureDir(dir, fs, "store.directory"));
    const lock = takeLock(layout, fs);
    let db: Database | undefined;
    try {
      // Before tmp/ is emptied: what a newer program has begun is its own.
      Database.requireKnown(layout.database);
      guarded(`prepare the data directory ${dir}`, () => prepareDirectories(layout, fs));
      db = Database.open(layout.database, fs);
      guarded("make the database's name durable", () => fs.fsyncDir(dir));
      failpoint("store.database.synced");
      const store = new Store(layout, db, lock, options);
      store.ledger.open(logger);
      store.#mark.check(logger);
      store.findDamage();
      return store;
    } catch (error) {
      letGo(db, lock);
      throw error;
    }
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
    requireSpace(this, need);
  }

  /** Sets the clean mark and closes everything. */
  close(): void {
    try {
      this.#mark.set();
    } finally {
      letGo(this.#db, this.#lock);
    }
    failpoint("store.closed");
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function letGo(db: Database | undefined, lock: Deno.FsFile): void {
  try {
    db?.close();
  } finally {
    lock.close();
  }
}

function prepareDirectories(layout: Layout, fs: StoreFs): void {
  emptyDirectory(layout.tmp, fs);
  for (const directory of [layout.tmp, layout.blobs, layout.packages]) {
    ensureDir(directory, fs, "store.directory");
  }
  fs.chmod(layout.tmp, PRIVATE_DIRECTORY_MODE);
  if (!exists(layout.database)) flushNames(layout, fs);
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
