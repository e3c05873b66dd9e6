import type { Database } from "./database.ts";
import { jsonText } from "./rows.ts";
import type { DescriptorRecord, ImageRecord, OwnedContent } from "./types.ts";

/**
 * Records what an owner brings, in place of what it had before, within the caller's transaction.
 *
 * @param isPackage whether it wins over owners that are none.
 */
export function putContent(
  db: Database,
  owner: string,
  isPackage: boolean,
  content: OwnedContent,
): void {
  db.run(
    "INSERT INTO owners (owner, is_package) VALUES (?, ?) ON CONFLICT (owner) DO NOTHING",
    owner,
    isPackage ? 1 : 0,
  );
  deleteContent(db, owner);
  for (const [position, image] of content.images.entries()) {
    putImage(db, owner, position, image);
  }
  for (const manifest of content.manifests) putManifest(db, owner, manifest);
  for (const { digest, size } of content.blobs) {
    db.run(
      "INSERT OR REPLACE INTO blob_references (owner, digest, size) VALUES (?, ?, ?)",
      owner,
      digest,
      size,
    );
  }
}

/** Forgets what an owner brought, within the caller's transaction; the owner stays. */
export function deleteContent(db: Database, owner: string): void {
  for (const table of ["images", "image_names", "manifests", "blob_references"]) {
    db.run(`DELETE FROM ${table} WHERE owner = ?`, owner);
  }
}

function putImage(db: Database, owner: string, position: number, image: ImageRecord): void {
  db.run(
    "INSERT INTO images (owner, position, image) VALUES (?, ?, ?)",
    owner,
    position,
    jsonText(image),
  );
  for (const tag of [image.tag, image.zarfTag]) {
    if (tag === undefined) continue;
    db.run(
      `INSERT OR REPLACE INTO image_names (owner, host, repository, tag, digest, media_type)
       VALUES (?, ?, ?, ?, ?, ?)`,
      owner,
      image.host,
      image.repository,
      tag,
      image.descriptor.digest,
      image.descriptor.mediaType,
    );
  }
}

function putManifest(db: Database, owner: string, manifest: DescriptorRecord): void {
  db.run(
    `INSERT OR REPLACE INTO manifests
       (owner, digest, media_type, size, artifact_type, subject, annotations)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    owner,
    manifest.digest,
    manifest.mediaType,
    manifest.size,
    manifest.artifactType ?? null,
    manifest.subject ?? null,
    manifest.annotations === undefined ? null : jsonText(manifest.annotations),
  );
}
