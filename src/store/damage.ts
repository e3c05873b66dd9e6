import type { Digest } from "../std/mod.ts";
import type { BlobStore } from "./blobs.ts";
import type { Database } from "./database.ts";
import { exists } from "./fs.ts";
import type { Layout } from "./layout.ts";
import { digestIn, numberIn } from "./rows.ts";
import type { BlobReference } from "./types.ts";

/** What the records name and the disk does not have. */
export interface Damage {
  /** Blobs that are not there, each once. */
  readonly blobs: readonly BlobReference[];
  /** Packages that lack blobs or their files; the ones that are superseded are not among them. */
  readonly packages: ReadonlySet<Digest>;
}

/** Nothing is missing. */
export const NO_DAMAGE: Damage = { blobs: [], packages: new Set() };

/** Compares the records with the names on the disk; contents are not read. */
export function findDamage(db: Database, blobs: BlobStore, layout: Layout): Damage {
  const missing = new Map<Digest, BlobReference>();
  for (const row of db.all("SELECT DISTINCT digest, size FROM blob_references")) {
    const [digest, size] = [digestIn(row, "digest"), numberIn(row, "size")];
    if (blobs.stat(digest)?.size !== size) missing.set(digest, { digest, size });
  }
  const packages = new Set<Digest>();
  for (const row of db.all("SELECT digest FROM packages WHERE state <> 'superseded'")) {
    const digest = digestIn(row, "digest");
    if (!exists(layout.package(digest))) packages.add(digest);
  }
  for (const { digest } of missing.values()) {
    for (const owner of ownersOf(db, digest)) packages.add(owner);
  }
  return missing.size === 0 && packages.size === 0
    ? NO_DAMAGE
    : { blobs: [...missing.values()], packages };
}

function ownersOf(db: Database, digest: Digest): Digest[] {
  return db.all(
    `SELECT owner FROM blob_references JOIN packages ON packages.digest = owner
       WHERE blob_references.digest = ? AND state <> 'superseded'`,
    digest,
  ).map((row) => digestIn(row, "owner"));
}
