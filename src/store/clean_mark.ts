import type { Digest, Logger } from "../std/mod.ts";
import type { BlobStore } from "./blobs.ts";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";

/** Should one of these blobs come again, it is a new file, which nobody has verified. */
export function forgetMarks(db: Database, digests: readonly Digest[]): void {
  db.transaction(() => {
    for (const digest of digests) db.run("DELETE FROM marked_blobs WHERE digest = ?", digest);
  });
}

/**
 * Remembers which blobs were there when the store was last closed in order. After an unclean stop
 * the others are hashed before anybody sees them: a disk that lied about a flush, or a machine that
 * lost power in the middle of one, may have left bytes that are not theirs.
 */
export class CleanMark {
  readonly #db: Database;
  readonly #blobs: BlobStore;
  /** What {@linkcode CleanMark.look} has found to be good. */
  readonly #verified = new Set<Digest>();

  constructor(db: Database, blobs: BlobStore) {
    this.#db = db;
    this.#blobs = blobs;
  }

  /**
   * Verifies what an unclean stop has left and takes the mark away until {@linkcode CleanMark.set}.
   * Bad blobs are quarantined.
   */
  check(logger: Logger): void {
    if (!this.#wasClean) {
      this.#verifyUnmarked(logger, {
        // One by one: a second power cut does not start a long verification over.
        good: (digest) => this.#db.transaction(() => this.#mark(digest)),
        bad: (digest) => this.#blobs.quarantine(digest),
      });
    }
    this.#db.transaction(() => this.#db.run("DELETE FROM clean_stop"));
    this.#verified.clear();
  }

  /** Verifies the same and writes nothing; {@linkcode CleanMark.check} need not do it once more. */
  look(logger: Logger): void {
    if (this.#wasClean) return;
    this.#verifyUnmarked(logger, {
      good: (digest) => void this.#verified.add(digest),
      bad: (digest) => this.#putAway(digest),
    });
  }

  get #wasClean(): boolean {
    return this.#db.get("SELECT id FROM clean_stop") !== undefined;
  }

  /** Notes that the store is closed in order. */
  set(): void {
    this.#db.transaction(() => {
      this.#db.run("DELETE FROM marked_blobs");
      for (const digest of this.#blobs.list()) this.#mark(digest);
      this.#db.run("INSERT OR IGNORE INTO clean_stop (id) VALUES (1)");
    });
  }

  #verifyUnmarked(
    logger: Logger,
    found: Readonly<Record<"good" | "bad", (digest: Digest) => void>>,
  ): void {
    let verified = 0;
    for (const digest of this.#blobs.list()) {
      if (this.#db.get("SELECT 1 FROM marked_blobs WHERE digest = ?", digest)) continue;
      verified++;
      if (!this.#verified.has(digest) && this.#blobs.verify(digest) === false) {
        found.bad(digest);
        logger.error("a blob was damaged by the unclean stop and is moved aside", { digest });
      } else {
        found.good(digest);
      }
    }
    logger.info("blobs verified after an unclean stop", { blobs: verified });
  }

  /** A disk that is full may have no room for another name. */
  #putAway(digest: Digest): void {
    try {
      this.#blobs.quarantine(digest);
    } catch (error) {
      if (!(error instanceof StoreError && error.reason === "DiskFull")) throw error;
      this.#blobs.remove(digest);
    }
  }

  #mark(digest: string): void {
    this.#db.run("INSERT OR IGNORE INTO marked_blobs (digest) VALUES (?)", digest);
  }
}
