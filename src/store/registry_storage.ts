import {
  type Digest,
  digestHex,
  dirname,
  failpoint,
  removeQuietly,
  removeUnfinished,
  writeFileAtomic,
} from "../std/mod.ts";
import type { BlobStore } from "./blobs.ts";
import { exists, lookAt, type StoreFs, systemStoreFs } from "./fs.ts";
import { imageBlobs } from "./image_blobs.ts";

/** Below the storage's root: what distribution v3's filesystem driver keeps (storage/paths.go). */
const REGISTRY_ROOT = "docker/registry/v2";

/** The user that the registry runs as: it must be able to write where we made directories. */
export interface RegistryOwner {
  readonly uid: number;
  readonly gid: number;
}

/** An image that is to be in a repository. */
export interface LinkedImage {
  /** `library/nginx` */
  readonly repository: string;
  /** Of its manifest or index. */
  readonly digest: Digest;
}

/**
 * The in-cluster registry's storage, when it is on this node: configs and layers go in as hard links
 * to the store's own files, without a second copy and without sending a byte. Manifests and tags are
 * still pushed: the registry checks and files them itself, and finds the blobs there.
 *
 * A link is made before the entry that lets a repository show it, and each is durable before the
 * next: a power cut leaves an entry whole or not at all (an empty one makes distribution answer 500,
 * distribution#4489).
 */
export class RegistryStorage {
  readonly #root: string;
  readonly #blobs: BlobStore;
  readonly #owner: RegistryOwner;
  readonly #fs: StoreFs;
  /** Directories whose names were flushed since the last one was given in them. */
  readonly #flushed = new Set<string>();

  /** @param directory the storage's root, on the store's own file system. */
  constructor(
    directory: string,
    blobs: BlobStore,
    owner: RegistryOwner,
    fs: StoreFs = systemStoreFs,
  ) {
    this.#root = directory;
    this.#blobs = blobs;
    this.#owner = owner;
    this.#fs = fs;
  }

  /**
   * Links the configs and layers of `images`; what is there already is left as it is.
   *
   * @returns the bytes that need not be sent any more.
   * @throws what the file system throws, for example where it has no hard links; what was linked
   * until then stays and is of use.
   */
  link(images: readonly LinkedImage[]): number {
    let bytes = 0;
    for (const { repository, digest } of images) {
      for (const blob of imageBlobs(this.#blobs, digest)) {
        this.#linkData(blob.digest);
        this.#writeEntry(repository, blob.digest);
        bytes += blob.size;
      }
    }
    return bytes;
  }

  /**
   * Puts the store's file of a blob in the place of the registry's, in one step. A blob that went bad
   * under both names is still the registry's after the store has got a good one again, and pushing
   * it changes nothing: distribution keeps what it has (storage/blobwriter.go moveBlob). Whoever is
   * reading goes on with the old file.
   *
   * @returns whether it was replaced: not when the registry has none, or has the store's file.
   * @throws what the file system throws; the registry then has what it had.
   */
  replace(digest: Digest): boolean {
    const path = this.#dataPath(digest);
    const theirs = fileKey(path);
    const ours = fileKey(this.#blobs.path(digest));
    if (theirs === undefined || ours === undefined || theirs === ours) return false;
    // One name for all tries: what a kill left of an earlier one is in nobody's way and goes here.
    const temporary = `${path}.holdfast.tmp`;
    removeQuietly(temporary, this.#fs);
    try {
      this.#fs.link(this.#blobs.path(digest), temporary);
      failpoint("store.registry.replacement.linked");
      this.#fs.rename(temporary, path);
    } catch (error) {
      removeQuietly(temporary, this.#fs);
      throw error;
    }
    failpoint("store.registry.replaced");
    this.#fs.fsyncDir(dirname(path));
    failpoint("store.registry.replacement.synced");
    return true;
  }

  #dataPath(digest: Digest): string {
    const hex = digestHex(digest);
    return `${this.#root}/${REGISTRY_ROOT}/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
  }

  #linkData(digest: Digest): void {
    const path = this.#dataPath(digest);
    if (!exists(path)) {
      this.#makeDirectory(dirname(path));
      try {
        this.#fs.link(this.#blobs.path(digest), path);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
      failpoint("store.registry.link.made");
      this.#flush(dirname(path));
    }
    this.#flushNames(path);
    failpoint("store.registry.linked");
  }

  #writeEntry(repository: string, digest: Digest): void {
    const entry = `_layers/sha256/${digestHex(digest)}/link`;
    const path = `${this.#root}/${REGISTRY_ROOT}/repositories/${repository}/${entry}`;
    const owner = lookAt(path)?.uid;
    if (owner === undefined) {
      this.#makeDirectory(dirname(path));
      removeUnfinished(dirname(path), "link", this.#fs);
      writeFileAtomic(path, digest, { fs: this.#fs, name: "store.registry.entry" });
      this.#flushed.add(dirname(path));
    }
    if (owner !== this.#owner.uid) this.#giveAway(path, owner === undefined);
    this.#flushNames(path);
  }

  /** Every name on the way to `path`: an earlier run may have been killed before it could. */
  #flushNames(path: string): void {
    const directory = dirname(path);
    if (directory === dirname(this.#root)) return;
    if (!this.#flushed.has(directory)) this.#flush(directory);
    this.#flushNames(directory);
  }

  #flush(directory: string): void {
    this.#fs.fsyncDir(directory);
    this.#flushed.add(directory);
    failpoint("store.registry.directory.synced");
  }

  /**
   * As `ensureDir`, and each directory that is new belongs to the registry's user; so does one that a
   * kill left before it could be given away.
   */
  #makeDirectory(path: string): void {
    const owner = lookAt(path)?.uid;
    const isInside = path === this.#root || path.startsWith(`${this.#root}/`);
    if (owner === this.#owner.uid || (owner !== undefined && !isInside)) return;
    if (owner === undefined) {
      this.#makeDirectory(dirname(path));
      try {
        this.#fs.mkdir(path, 0o755);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
      failpoint("store.registry.directory.made");
    }
    this.#giveAway(path, owner === undefined);
    this.#flush(dirname(path));
  }

  /** @param isNew what cannot be given away is then removed again. */
  #giveAway(path: string, isNew: boolean): void {
    try {
      this.#fs.chown(path, this.#owner.uid, this.#owner.gid);
    } catch (error) {
      // A registry that cannot write beside it is worse than one that gets the blob pushed.
      if (isNew) removeQuietly(path, this.#fs);
      throw error;
    }
  }
}

/** What tells whether two names are one file. */
function fileKey(path: string): string | undefined {
  const info = lookAt(path);
  return info === undefined ? undefined : `${info.dev}:${info.ino}`;
}
