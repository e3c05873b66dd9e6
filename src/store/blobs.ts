import {
  type Clock,
  type Digest,
  Digester,
  digestHex,
  ensureDir,
  failpoint,
  isDigest,
  removeQuietly,
  systemClock,
} from "../std/mod.ts";
import { guarded, StoreError, storeError } from "./errors.ts";
import { exists, fileSize, type StoreFs } from "./fs.ts";
import { BLOB_MODE, type Layout } from "./layout.ts";
import { publishBlobs } from "./publish.ts";
import { FileWriter } from "./writer.ts";

/** Bad blobs that are kept for a look; older ones are removed. */
export const QUARANTINE_LIMIT = 16;
/** A blob that was opened counts as in use for this long, in milliseconds. */
export const READER_GRACE = 60_000;
/** One that was written, until whoever wrote it has recorded what it is for, in milliseconds. */
export const WRITER_GRACE = 10 * 60_000;
/** Uses that are remembered; the oldest go first. */
const MAX_USES = 10_000;
/** Bytes that are hashed at once when a blob is verified. */
const VERIFY_CHUNK = 1 << 20;

/** An open blob. The caller closes the file. */
export interface OpenBlob {
  readonly file: Deno.FsFile;
  /** Bytes. */
  readonly size: number;
}

/** The content-addressed files: each one complete, verified and read-only. */
export class BlobStore {
  readonly #layout: Layout;
  readonly #fs: StoreFs;
  readonly #clock: Clock;
  /** Until when each blob counts as in use, by monotonic time; the oldest use first. */
  readonly #uses = new Map<Digest, number>();
  #quarantined = 0;

  constructor(layout: Layout, fs: StoreFs, clock: Clock = systemClock) {
    this.#layout = layout;
    this.#fs = fs;
    this.#clock = clock;
  }

  /** How many bad blobs were moved aside since the store was opened. */
  get quarantined(): number {
    return this.#quarantined;
  }

  /** The size of a blob, if it is here. */
  stat(digest: Digest): { readonly size: number } | undefined {
    const size = fileSize(this.#layout.blob(digest));
    return size === undefined ? undefined : { size };
  }

  /** Where the blob is or would be; for hard links and mounts. */
  path(digest: Digest): string {
    return this.#layout.blob(digest);
  }

  /** Opens a blob for reading; `undefined` when it is not here. It counts as in use from now on. */
  open(digest: Digest): OpenBlob | undefined {
    const opened = this.openQuietly(digest);
    if (opened !== undefined) this.#use(digest, READER_GRACE);
    return opened;
  }

  /** As {@linkcode open}, for somebody who only looks at it. */
  openQuietly(digest: Digest): OpenBlob | undefined {
    return guarded(`open blob ${digest}`, () => {
      try {
        const file = Deno.openSync(this.#layout.blob(digest));
        return { file, size: file.statSync().size };
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    });
  }

  /**
   * A small blob, whole; `undefined` when it is not here.
   *
   * @throws {StoreError} `TooLarge` when it has more than `limit` bytes.
   */
  read(digest: Digest, limit: number): Uint8Array | undefined {
    const size = this.stat(digest)?.size;
    if (size === undefined) return undefined;
    if (size > limit) {
      throw new StoreError({
        reason: "TooLarge",
        message: `blob ${digest} has ${size} bytes, more than the ${limit} that are read at once`,
      });
    }
    this.#use(digest, READER_GRACE);
    return guarded(`read blob ${digest}`, () => Deno.readFileSync(this.#layout.blob(digest)));
  }

  /**
   * Takes a blob in: it is there, whole, once this returns, and not at all if it throws. Several
   * writers of one digest do not disturb each other.
   *
   * @param size in bytes, when it is known.
   * @throws {StoreError} `DigestMismatch`, `SizeMismatch`, or what the disk says; what the source
   * throws comes through unchanged.
   */
  async write(
    digest: Digest,
    size: number | undefined,
    source: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const path = `${this.#layout.tmp}/${crypto.randomUUID()}`;
    const writer = new FileWriter(this.#fs, {
      path,
      size,
      mode: BLOB_MODE,
      what: `blob ${digest}`,
      failpoint: "store.blob.written",
    });
    try {
      const digester = new Digester();
      for await (const chunk of source) {
        digester.update(chunk);
        writer.write(chunk);
      }
      requireDigest(digest, digester.finish());
      writer.close();
      const publication = {
        staged: [[digest, path]] as const,
        sizes: new Map([[digest, writer.taken]]),
      };
      this.#use(digest, WRITER_GRACE);
      guarded(`keep blob ${digest}`, () => publishBlobs(this.#layout, this.#fs, publication));
    } finally {
      writer.abort();
      removeQuietly(path, this.#fs);
    }
  }

  /** The digests of all blobs, in no order. */
  *list(): Generator<Digest> {
    for (const directory of entries(this.#layout.blobs)) {
      for (const name of entries(`${this.#layout.blobs}/${directory}`)) {
        const digest = `sha256:${name}`;
        if (isDigest(digest)) yield digest;
      }
    }
  }

  /** Hashes a blob; `undefined` when it is not here. */
  verify(digest: Digest): boolean | undefined {
    const opened = this.openQuietly(digest);
    if (opened === undefined) return undefined;
    using file = opened.file;
    try {
      return hashFile(file) === digest;
    } catch (cause) {
      return unreadable(digest, cause);
    }
  }

  /** Whether somebody has read the blob lately, or has written it and not had time to record it. */
  isInUse(digest: Digest): boolean {
    return (this.#uses.get(digest) ?? -Infinity) > this.#clock.monotonic();
  }

  /**
   * Removes a blob; who has it open reads it to its end.
   *
   * @returns the bytes that this frees: none where the file has another name (the in-cluster
   * registry's).
   */
  remove(digest: Digest): number {
    return guarded(`remove blob ${digest}`, () => {
      const path = this.#layout.blob(digest);
      if (!exists(path)) return 0;
      const { size, nlink } = Deno.lstatSync(path);
      this.#fs.remove(path);
      failpoint("store.blob.removed");
      return nlink === null || nlink <= 1 ? size : 0;
    });
  }

  /** Moves a bad blob aside, so that it is not served and can be fetched again. */
  quarantine(digest: Digest): void {
    guarded(`move blob ${digest} aside`, () => {
      if (!exists(this.#layout.blob(digest))) return;
      ensureDir(this.#layout.quarantine, this.#fs, "store.directory");
      const aside = `${this.#layout.quarantine}/${digestHex(digest)}`;
      this.#fs.rename(this.#layout.blob(digest), aside);
      failpoint("store.quarantine.renamed");
      this.#fs.fsyncDir(this.#layout.blobDirectory(digest));
      failpoint("store.quarantine.synced");
      this.#quarantined++;
      // The age in quarantine: Deno tells the time of a rename (ctime) in whole seconds only.
      this.#fs.utime(aside, new Date());
      this.#trimQuarantine();
    });
  }

  #use(digest: Digest, grace: number): void {
    const until = Math.max(this.#uses.get(digest) ?? 0, this.#clock.monotonic() + grace);
    this.#uses.delete(digest);
    this.#uses.set(digest, until);
    const [oldest] = this.#uses.keys();
    if (this.#uses.size > MAX_USES && oldest !== undefined) this.#uses.delete(oldest);
  }

  /** The digests of the bad blobs that are kept for a look, in no order. */
  *listQuarantined(): Generator<Digest> {
    for (const name of entries(this.#layout.quarantine)) {
      const digest = `sha256:${name}`;
      if (isDigest(digest)) yield digest;
    }
  }

  #trimQuarantine(): void {
    const kept = [...entries(this.#layout.quarantine)].map((name) => {
      const path = `${this.#layout.quarantine}/${name}`;
      return { path, moved: Deno.lstatSync(path).mtime?.getTime() ?? 0 };
    });
    kept.sort((a, b) => b.moved - a.moved);
    for (const { path } of kept.slice(QUARANTINE_LIMIT)) {
      removeQuietly(path, this.#fs);
      failpoint("store.quarantine.trimmed");
    }
  }
}

/**
 * What a failure to read a blob means: a sector that cannot be read is a bad blob, not a reason to
 * stop looking at the others.
 *
 * @returns that it is bad.
 * @throws {StoreError} for any other failure.
 */
export function unreadable(digest: Digest, cause: unknown): false {
  const error = storeError(`read blob ${digest}`, cause);
  if (error.reason === "IoError") return false;
  throw error;
}

function requireDigest(expected: Digest, actual: Digest): void {
  if (actual === expected) return;
  throw new StoreError({
    reason: "DigestMismatch",
    message: `the bytes of blob ${expected} have the digest ${actual}`,
    kept: "nothing of it was kept",
  });
}

function hashFile(file: Deno.FsFile): Digest {
  const digester = new Digester();
  const buffer = new Uint8Array(VERIFY_CHUNK);
  for (;;) {
    const count = file.readSync(buffer);
    if (count === null) return digester.finish();
    digester.update(buffer.subarray(0, count));
  }
}

function* entries(directory: string): Generator<string> {
  try {
    for (const entry of Deno.readDirSync(directory)) yield entry.name;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
