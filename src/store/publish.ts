import { type Digest, ensureDir, failpoint } from "../std/mod.ts";
import { StoreError } from "./errors.ts";
import { exists, fileSize, type StoreFs } from "./fs.ts";
import { BLOB_MODE, type Layout } from "./layout.ts";

/** Blobs to make visible. */
export interface Publication {
  /** Digest and path of each written, verified blob below `tmp/`. */
  readonly staged: readonly (readonly [Digest, string])[];
  /** Every blob that has to be there in the end, with its size. */
  readonly sizes: ReadonlyMap<Digest, number>;
}

/**
 * Makes verified files below `tmp/` blobs of the store. Each step is done for all of them before the
 * next begins, so that the disk can take the fsyncs together: make read-only, fsync, rename, fsync
 * the directories.
 *
 * @throws {StoreError} `BlobMissing` when a blob that was there before the staging is gone now.
 */
export function publishBlobs(layout: Layout, fs: StoreFs, publication: Publication): void {
  const directories = new Set<string>();
  for (const digest of publication.sizes.keys()) directories.add(layout.blobDirectory(digest));
  makeDirectories(layout, fs, directories);
  for (const [, path] of publication.staged) {
    fs.chmod(path, BLOB_MODE);
    fs.fsyncFile(path);
    failpoint("store.blob.synced");
  }
  for (const [digest, path] of publication.staged) {
    fs.rename(path, layout.blob(digest));
    failpoint("store.blob.renamed");
  }
  // The directories of blobs that were there before are flushed too: the run that renamed them may
  // have ended before it could.
  for (const directory of directories) {
    fs.fsyncDir(directory);
    failpoint("store.blob.directory.synced");
  }
  for (const [digest, size] of publication.sizes) requireBlob(layout, digest, size);
}

/** Makes those that are not there; the names of all are durable when this returns. */
function makeDirectories(layout: Layout, fs: StoreFs, directories: ReadonlySet<string>): void {
  if (directories.size === 0) return;
  ensureDir(layout.blobs, fs, "store.directory");
  for (const directory of directories) makeDirectory(fs, directory);
  // Also when none is new: whoever made one may have been killed before this call, or be just there.
  fs.fsyncDir(layout.blobs);
  failpoint("store.blobs.synced");
}

function makeDirectory(fs: StoreFs, directory: string): void {
  if (exists(directory)) return;
  try {
    fs.mkdir(directory);
  } catch (error) {
    // Another writer was faster.
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  failpoint("store.blob.directory.made");
}

function requireBlob(layout: Layout, digest: Digest, size: number): void {
  if (fileSize(layout.blob(digest)) === size) return;
  throw new StoreError({
    reason: "BlobMissing",
    message: `blob ${digest} left the store while the package was read`,
    kept: "the package was not taken in",
    remedy: "it is read again by itself",
    disposition: "retry",
  });
}
