import {
  type Clock,
  type Digest,
  digestHex,
  failpoint,
  isDigest,
  removeQuietly,
} from "../std/mod.ts";
import type { BlobStore } from "./blobs.ts";
import { forgetMarks } from "./clean_mark.ts";
import { deleteContent } from "./content.ts";
import type { Database } from "./database.ts";
import { guarded } from "./errors.ts";
import { exists, type StoreFs } from "./fs.ts";
import type { Layout } from "./layout.ts";
import { digestIn, textIn } from "./rows.ts";

/**
 * How long a superseded package keeps its content, in milliseconds: pulls of its images that have
 * begun come to their end, and pods that still run it can be moved.
 */
export const SUPERSEDED_GRACE = 10 * 60_000;
/**
 * How long what belongs to no package is kept, in milliseconds: an import that was interrupted goes
 * on from there.
 */
export const LEFTOVER_GRACE = 24 * 3_600_000;

/** What the names end with, below `tmp/`, of packages' files that are on their way out. */
const ASIDE = ".removed";

/** Superseded packages whose record is kept as history, the newest ones. */
export const HISTORY_LIMIT = 1_000;

/** What was removed. */
export interface Collected {
  /** Packages whose content was given up. */
  readonly packages: number;
  readonly blobs: number;
  /** Of blobs that nobody else has under another name. */
  readonly bytes: number;
}

/** Why something is kept that nothing needs. */
export interface CollectOptions {
  /** Room is needed now: only readers are waited for. */
  readonly urgent?: boolean;
  /** Blobs that an import is about to use. */
  readonly keep?: ReadonlySet<Digest>;
}

/** What a {@linkcode Collector} works on. */
export interface CollectorParts {
  readonly layout: Layout;
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly fs: StoreFs;
  readonly clock: Clock;
}

/**
 * Garbage collection. What lives is decided by the records alone: the seed, and every package that is
 * not superseded, which includes the last good one of each name until its successor is Ready. The
 * rest is removed once it has been seen for long enough that no reader is in the middle of it.
 *
 * Records go first, then names, then bytes: after a crash in between the next run removes the rest.
 */
export class Collector {
  readonly #parts: CollectorParts;
  readonly #pins = new Map<Digest, number>();
  #imports = 0;
  /** Since when each thing has been garbage, by monotonic time of this process. */
  readonly #since = new Map<string, number>();
  /** Blobs of pruned packages that a reader still had. */
  readonly #freed = new Set<Digest>();
  #total: Collected = { packages: 0, blobs: 0, bytes: 0 };

  constructor(parts: CollectorParts) {
    this.#parts = parts;
  }

  /** Everything that was removed since the store was opened. */
  get total(): Collected {
    return this.#total;
  }

  /** Keeps a package, whatever becomes of it meanwhile, until the pin is disposed of. */
  pin(digest: Digest): Disposable {
    this.#pins.set(digest, (this.#pins.get(digest) ?? 0) + 1);
    return once(() => {
      const left = (this.#pins.get(digest) ?? 1) - 1;
      if (left > 0) this.#pins.set(digest, left);
      else this.#pins.delete(digest);
    });
  }

  /** Nothing is removed until this is disposed of: a package is being read into the store. */
  suspend(): Disposable {
    this.#imports++;
    return once(() => void this.#imports--);
  }

  /**
   * Removes what nothing needs.
   *
   * @throws {StoreError} what the disk says; what was removed until then is.
   */
  collect(options: CollectOptions = {}): Collected {
    if (this.#imports > 0) return { packages: 0, blobs: 0, bytes: 0 };
    const garbage = new Set<string>();
    let packages = 0;
    for (const digest of this.#superseded()) {
      if (this.#pins.has(digest) || !this.#isDue(digest, SUPERSEDED_GRACE, garbage, options)) {
        continue;
      }
      for (const blob of this.#prune(digest)) this.#freed.add(blob);
      packages++;
    }
    if (packages > 0) this.#trimHistory();
    this.#removeTrees(garbage, options);
    const { blobs, bytes } = this.#removeBlobs(garbage, options);
    for (const key of this.#since.keys()) if (!garbage.has(key)) this.#since.delete(key);
    const { total } = this;
    this.#total = {
      packages: total.packages + packages,
      blobs: total.blobs + blobs,
      bytes: total.bytes + bytes,
    };
    return { packages, blobs, bytes };
  }

  /** Removes those of the blobs that no owner needs: what a refused package left. */
  discard(digests: Iterable<Digest>): void {
    this.#remove([...digests].filter((digest) => !this.#isReferenced(digest)));
  }

  #superseded(): Digest[] {
    return this.#parts.db.all(
      "SELECT digest FROM packages WHERE state = 'superseded' AND pruned = 0",
    ).map((row) => digestIn(row, "digest"));
  }

  /** Gives up a package's content; says which blobs it had. Its row stays: it is its history. */
  #prune(digest: Digest): Digest[] {
    const { db } = this.#parts;
    return db.transaction(() => {
      const had = db.all("SELECT digest FROM blob_references WHERE owner = ?", digest);
      deleteContent(db, digest);
      db.run("UPDATE packages SET pruned = 1 WHERE digest = ?", digest);
      return had.map((row) => digestIn(row, "digest"));
    });
  }

  #trimHistory(): void {
    const { db } = this.#parts;
    db.transaction(() =>
      db.run(
        `DELETE FROM owners WHERE sequence IN (
           SELECT sequence FROM owners JOIN packages ON packages.digest = owners.owner
             WHERE pruned = 1 ORDER BY sequence DESC LIMIT -1 OFFSET ?)`,
        HISTORY_LIMIT,
      )
    );
  }

  /** Removes the directories of packages that were pruned or never recorded. */
  #removeTrees(garbage: Set<string>, options: CollectOptions): void {
    const { layout, db } = this.#parts;
    const pruned = new Map(
      db.all("SELECT digest, pruned FROM packages").map((
        row,
      ) => [textIn(row, "digest"), row["pruned"] === 1]),
    );
    for (const { name } of Deno.readDirSync(layout.packages)) {
      const digest = `sha256:${name}`;
      if (!isDigest(digest) || pruned.get(digest) === false || this.#pins.has(digest)) continue;
      const due = pruned.has(digest) ||
        this.#isDue(`tree ${digest}`, LEFTOVER_GRACE, garbage, options);
      if (due && options.keep?.has(digest) !== true) this.#moveAside(digest);
    }
    this.#removeAside();
  }

  /** By way of tmp/: half a directory must not be found under a package's name. */
  #moveAside(digest: Digest): void {
    const { layout, fs } = this.#parts;
    const aside = `${layout.tmp}/${digestHex(digest)}${ASIDE}`;
    guarded("remove a package's files", () => {
      if (exists(aside)) fs.remove(aside);
      fs.rename(layout.package(digest), aside);
    });
    failpoint("store.package.removed");
  }

  /** Also what an earlier run could not remove. */
  #removeAside(): void {
    const { layout, fs } = this.#parts;
    const aside = [...Deno.readDirSync(layout.tmp)].filter(({ name }) => name.endsWith(ASIDE));
    if (aside.length === 0) return;
    guarded("remove a package's files", () => fs.fsyncDir(layout.packages));
    failpoint("store.package.removal.synced");
    for (const { name } of aside) {
      removeQuietly(`${layout.tmp}/${name}`, fs);
      failpoint("store.package.removal.done");
    }
  }

  #removeBlobs(garbage: Set<string>, options: CollectOptions) {
    const due = [...this.#parts.blobs.list()].filter((digest) => {
      if (options.keep?.has(digest) === true || this.#isReferenced(digest)) return false;
      const grace = this.#freed.has(digest) ? 0 : LEFTOVER_GRACE;
      return this.#isDue(digest, grace, garbage, options) && !this.#parts.blobs.isInUse(digest);
    });
    return { blobs: due.length, bytes: this.#remove(due) };
  }

  /** Says how many bytes were freed. */
  #remove(digests: readonly Digest[]): number {
    const { db, blobs } = this.#parts;
    if (digests.length === 0) return 0;
    forgetMarks(db, digests);
    let bytes = 0;
    for (const digest of digests) {
      bytes += blobs.remove(digest);
      this.#freed.delete(digest);
    }
    return bytes;
  }

  #isReferenced(digest: Digest): boolean {
    return this.#parts.db.get("SELECT 1 FROM blob_references WHERE digest = ? LIMIT 1", digest) !==
      undefined;
  }

  /** Whether something has been garbage for long enough; notes that it is. */
  #isDue(key: string, grace: number, garbage: Set<string>, { urgent }: CollectOptions): boolean {
    const now = this.#parts.clock.monotonic();
    garbage.add(key);
    const since = this.#since.get(key) ?? now;
    this.#since.set(key, since);
    return urgent === true || now - since >= grace;
  }
}

function once(action: () => void): Disposable {
  let done = false;
  return {
    [Symbol.dispose]: () => {
      if (!done) action();
      done = true;
    },
  };
}
