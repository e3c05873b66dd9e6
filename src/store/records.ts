import type { Digest } from "../std/mod.ts";
import { putContent } from "./content.ts";
import type { Database } from "./database.ts";
import { StoreError } from "./errors.ts";
import {
  descriptorOf,
  dropOf,
  imageOf,
  journalEntryOf,
  jsonIn,
  jsonText,
  packageOf,
  resolvedTagOf,
  textIn,
} from "./rows.ts";
import {
  type BlobReference,
  type DescriptorRecord,
  type DropRecord,
  type ImageRecord,
  type JournalEntry,
  type NewPackage,
  type PackageOutcome,
  type PackageRecord,
  type PackageState,
  type ResolvedTag,
} from "./types.ts";

/** Journal lines that are kept of one owner; older ones are removed. */
export const JOURNAL_LIMIT = 1_000;

const SELECT_PACKAGE =
  "SELECT packages.*, owners.sequence FROM packages JOIN owners ON owners.owner = packages.digest";
/** Packages win over seed images, then the one that was accepted last. */
const LATEST_OWNER = "ORDER BY owners.is_package DESC, owners.sequence DESC";

/**
 * What the store knows beside the bytes. Every write is one transaction and is on the disk when the
 * method returns; every method throws {@linkcode StoreError} for what the disk does not let it.
 */
export class Records {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Records an accepted package with its images, manifests and blobs. A package that is recorded
   * already, is the newest of its name and waits or is worked on keeps its state and place; one that
   * is ready, failed or was removed, or is an older one, is accepted anew when it comes again.
   */
  putPackage(added: NewPackage): PackageRecord {
    return this.#db.transaction(() => {
      const known = this.getPackage(added.digest);
      if (known !== undefined && this.#isOver(known)) {
        this.#db.run("DELETE FROM owners WHERE owner = ?", added.digest);
      }
      putContent(this.#db, added.digest, true, added);
      this.#db.run(
        `INSERT INTO packages
           (digest, name, version, architecture, kind, state, signature, signed_by, accepted_at,
            file_name, bytes)
         VALUES (?, ?, ?, ?, ?, 'accepted', ?, ?, ?, ?, ?)
         ON CONFLICT (digest) DO UPDATE SET signature = excluded.signature,
           signed_by = excluded.signed_by, file_name = excluded.file_name, bytes = excluded.bytes`,
        added.digest,
        added.name,
        added.version,
        added.architecture,
        added.kind,
        added.signature,
        added.signedBy ?? null,
        added.acceptedAt,
        added.fileName,
        added.bytes,
      );
      return this.#package(added.digest);
    });
  }

  /**
   * Records images that come with no package, in place of what `owner` had before. A package's image
   * of the same name wins over them.
   */
  putImages(
    owner: string,
    images: readonly ImageRecord[],
    manifests: readonly DescriptorRecord[],
    blobs: readonly BlobReference[],
  ): void {
    this.#db.transaction(() => putContent(this.#db, owner, false, { images, manifests, blobs }));
  }

  /** The images that an owner brought, as they were given; none for an owner that is not known. */
  images(owner: string): ImageRecord[] {
    return this.#db.all("SELECT image FROM images WHERE owner = ? ORDER BY position", owner)
      .map(imageOf);
  }

  /** The package of that digest. */
  getPackage(digest: Digest): PackageRecord | undefined {
    const row = this.#db.get(`${SELECT_PACKAGE} WHERE digest = ?`, digest);
    return row === undefined ? undefined : packageOf(row);
  }

  /** All packages, in the order of their acceptance. */
  listPackages(): PackageRecord[] {
    return this.#db.all(`${SELECT_PACKAGE} ORDER BY owners.sequence`).map(packageOf);
  }

  /**
   * Records where a package stands now.
   *
   * @throws {StoreError} `UnknownPackage` when there is none of that digest.
   */
  setPackageState(digest: Digest, state: PackageState, outcome: PackageOutcome = {}): void {
    const { reason, message, components } = outcome;
    this.#db.transaction(() => {
      const changed = this.#db.run(
        `UPDATE packages SET state = ?, reason = coalesce(?, reason),
           message = coalesce(?, message), components = coalesce(?, components) WHERE digest = ?`,
        state,
        reason ?? null,
        message ?? null,
        components === undefined ? null : jsonText(components),
        digest,
      );
      if (changed === 0) throw unknownPackage(digest);
    });
  }

  /**
   * What a tag points at; of several owners the one accepted last wins, packages before seed images.
   *
   * @param host only images of this registry host; any when undefined.
   */
  resolveTag(repository: string, tag: string, host?: string): ResolvedTag | undefined {
    const row = this.#db.get(
      `SELECT image_names.digest, image_names.media_type FROM image_names
         JOIN owners USING (owner)
         WHERE repository = ? AND tag = ? AND (? IS NULL OR host = ?) ${LATEST_OWNER} LIMIT 1`,
      repository,
      tag,
      host ?? null,
      host ?? null,
    );
    return row === undefined ? undefined : resolvedTagOf(row);
  }

  /** The manifest or index of that digest. */
  manifest(digest: Digest): DescriptorRecord | undefined {
    const row = this.#db.get(
      `SELECT manifests.* FROM manifests JOIN owners USING (owner)
         WHERE digest = ? ${LATEST_OWNER} LIMIT 1`,
      digest,
    );
    return row === undefined ? undefined : descriptorOf(row);
  }

  /** The tags of a repository, of all hosts or of one, in byte order. */
  tags(repository: string, host?: string): string[] {
    return this.#db.all(
      `SELECT DISTINCT tag FROM image_names
         WHERE repository = ? AND (? IS NULL OR host = ?) ORDER BY tag`,
      repository,
      host ?? null,
      host ?? null,
    ).map((row) => textIn(row, "tag"));
  }

  /** All repositories that have a tag, in byte order. */
  repositories(): string[] {
    return this.#db.all("SELECT DISTINCT repository FROM image_names ORDER BY repository")
      .map((row) => textIn(row, "repository"));
  }

  /** The manifests that refer to `subject`, each once, in the order of their digests. */
  referrers(subject: Digest): DescriptorRecord[] {
    return this.#db.all(
      "SELECT * FROM manifests WHERE subject = ? GROUP BY digest ORDER BY digest",
      subject,
    ).map(descriptorOf);
  }

  /** The owners that need a blob or a manifest of that digest. */
  blobOwners(digest: Digest): string[] {
    return this.#db.all(
      "SELECT owner FROM blob_references WHERE digest = ? ORDER BY owner",
      digest,
    ).map((row) => textIn(row, "owner"));
  }

  /** What is known of the dropped file at `path`. */
  getDrop(path: string): DropRecord | undefined {
    const row = this.#db.get("SELECT * FROM drops WHERE path = ?", path);
    return row === undefined ? undefined : dropOf(row);
  }

  /** All dropped files that were looked at, by path. */
  listDrops(): DropRecord[] {
    return this.#db.all("SELECT * FROM drops ORDER BY path").map(dropOf);
  }

  /** Remembers a dropped file, in place of an earlier one at the same path. */
  putDrop(drop: DropRecord): void {
    this.#db.transaction(() =>
      this.#db.run(
        "INSERT OR REPLACE INTO drops (path, size, mtime_ns, inode, outcome) VALUES (?, ?, ?, ?, ?)",
        drop.path,
        drop.size,
        drop.mtimeNs.toString(),
        drop.inode.toString(),
        jsonText(drop.outcome),
      )
    );
  }

  /** Forgets a dropped file. */
  deleteDrop(path: string): void {
    this.#db.transaction(() => this.#db.run("DELETE FROM drops WHERE path = ?", path));
  }

  /** Adds a line to the journal; of one owner the last {@linkcode JOURNAL_LIMIT} are kept. */
  appendJournal(entry: JournalEntry): void {
    this.#db.transaction(() => {
      this.#db.run(
        "INSERT INTO journal (owner, step, state, detail, at) VALUES (?, ?, ?, ?, ?)",
        entry.owner,
        entry.step,
        entry.state,
        jsonText(entry.detail),
        entry.at,
      );
      this.#db.run(
        `DELETE FROM journal WHERE owner = ?1 AND id <= (
           SELECT id FROM journal WHERE owner = ?1 ORDER BY id DESC LIMIT 1 OFFSET ${JOURNAL_LIMIT})`,
        entry.owner,
      );
    });
  }

  /** The journal of an owner, oldest line first. */
  journal(owner: string): JournalEntry[] {
    return this.#db.all("SELECT * FROM journal WHERE owner = ? ORDER BY id", owner)
      .map(journalEntryOf);
  }

  /** The last journal line of an owner's step. */
  lastJournal(owner: string, step: string): JournalEntry | undefined {
    const row = this.#db.get(
      "SELECT * FROM journal WHERE owner = ? AND step = ? ORDER BY id DESC LIMIT 1",
      owner,
      step,
    );
    return row === undefined ? undefined : journalEntryOf(row);
  }

  /** A small JSON value that was kept under `key`; the caller parses it. */
  getValue(key: string): unknown {
    const row = this.#db.get("SELECT value FROM key_values WHERE key = ?", key);
    return row === undefined ? undefined : jsonIn(row, "value");
  }

  /** Keeps a small JSON value under `key`; `undefined` removes it. */
  setValue(key: string, value: unknown): void {
    this.#db.transaction(() =>
      value === undefined
        ? this.#db.run("DELETE FROM key_values WHERE key = ?", key)
        : this.#db.run(
          "INSERT OR REPLACE INTO key_values (key, value) VALUES (?, ?)",
          key,
          jsonText(value),
        )
    );
  }

  #package(digest: Digest): PackageRecord {
    const found = this.getPackage(digest);
    if (found === undefined) throw unknownPackage(digest);
    return found;
  }

  /** Whether nothing more is done with a package by itself. */
  #isOver({ name, sequence, state }: PackageRecord): boolean {
    return state === "ready" || state === "failed" || state === "rolled-back" ||
      state === "superseded" ||
      this.#newestSequence(name) !== sequence;
  }

  #newestSequence(name: string): number | undefined {
    return this.listPackages().filter((each) => each.name === name).at(-1)?.sequence;
  }
}

function unknownPackage(digest: Digest): StoreError {
  return new StoreError({
    reason: "UnknownPackage",
    message: `there is no package ${digest} in the store`,
  });
}
