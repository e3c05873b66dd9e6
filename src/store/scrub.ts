import {
  type Clock,
  describeError,
  type Digest,
  Digester,
  isDigest,
  type Logger,
} from "../std/mod.ts";
import { type BlobStore, unreadable } from "./blobs.ts";
import { forgetMarks } from "./clean_mark.ts";
import type { Database } from "./database.ts";
import type { Records } from "./records.ts";

/** Bytes that are hashed in a second: a hundredth of what a disk can do. */
export const SCRUB_RATE = 8 << 20;
/** Milliseconds between the end of a pass and the next one. */
export const SCRUB_PAUSE = 24 * 3_600_000;
/** Milliseconds before the first pass: a node that starts has better uses for its disk. */
export const SCRUB_DELAY = 10 * 60_000;
/** Bytes that are read at once. */
const CHUNK = 256 << 10;
/** Bytes after which it is noted how far the pass is; an agent that starts anew goes on there. */
const NOTE_STEP = 64 << 20;
/** The key of the last blob of the pass. */
const CURSOR = "scrub.cursor";

/** What a {@linkcode Scrubber} works on. */
export interface ScrubberParts {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly records: Records;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Bytes a second. @default SCRUB_RATE */
  readonly rate?: number;
}

/**
 * Hashes every blob again, slowly and for ever, because disks rot. A bad one is moved aside, so that
 * it is not served, and can be fetched again. Blobs come in the order of their digests; the pass goes
 * on after a restart where it was.
 */
export class Scrubber {
  readonly #parts: ScrubberParts;
  readonly #rate: number;
  #bytes = 0;
  #noted = 0;

  constructor(parts: ScrubberParts) {
    this.#parts = parts;
    this.#rate = parts.rate ?? SCRUB_RATE;
  }

  /** Bytes hashed since the store was opened. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Runs pass after pass until the signal aborts.
   *
   * @param onBad called for each bad blob, when it has been moved aside.
   */
  async run(signal: AbortSignal, onBad: (digest: Digest) => void): Promise<void> {
    const { clock, logger } = this.#parts;
    await clock.sleep(SCRUB_DELAY, signal);
    while (!signal.aborted) {
      try {
        await this.pass(signal, onBad);
      } catch (error) {
        logger.warn("the look through the blobs was ended and begins again later", {
          error: describeError(error),
        });
      }
      await clock.sleep(SCRUB_PAUSE, signal);
    }
  }

  /** Looks at the blobs that are left of the pass. @throws {StoreError} what the database says. */
  async pass(signal: AbortSignal, onBad: (digest: Digest) => void): Promise<void> {
    const { blobs, records, logger } = this.#parts;
    const cursor = records.getValue(CURSOR);
    const after = typeof cursor === "string" && isDigest(cursor) ? cursor : "";
    for (const digest of [...blobs.list()].sort()) {
      if (digest <= after) continue;
      const good = await this.#isGood(digest, signal);
      if (signal.aborted) return;
      if (good === false) {
        this.#moveAside(digest);
        logger.error("a blob has rotted on the disk and is moved aside", { digest });
        onBad(digest);
      }
      this.#note(digest);
    }
    records.setValue(CURSOR, undefined);
    this.#noted = this.#bytes;
  }

  #moveAside(digest: Digest): void {
    const { db, blobs } = this.#parts;
    forgetMarks(db, [digest]);
    blobs.quarantine(digest);
  }

  #note(digest: Digest): void {
    if (this.#bytes - this.#noted < NOTE_STEP) return;
    this.#noted = this.#bytes;
    this.#parts.records.setValue(CURSOR, digest);
  }

  /** `undefined` for a blob that is gone, or when the signal has aborted. */
  async #isGood(digest: Digest, signal: AbortSignal): Promise<boolean | undefined> {
    const opened = this.#parts.blobs.openQuietly(digest);
    if (opened === undefined) return undefined;
    using file = opened.file;
    try {
      const digester = new Digester();
      const buffer = new Uint8Array(CHUNK);
      for (;;) {
        const count = await file.read(buffer);
        if (count === null) return digester.finish() === digest;
        digester.update(buffer.subarray(0, count));
        this.#bytes += count;
        await this.#parts.clock.sleep(count * 1_000 / this.#rate, signal);
        if (signal.aborted) return undefined;
      }
    } catch (cause) {
      return unreadable(digest, cause);
    }
  }
}
