import {
  type Digest,
  digestHex,
  dirname,
  failpoint,
  removeQuietly,
  writeFileAtomic,
} from "../std/mod.ts";
import type { BlobStore } from "./blobs.ts";
import { exists, type StoreFs, systemStoreFs } from "./fs.ts";
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

  #linkData(digest: Digest): void {
    const hex = digestHex(digest);
    const path = `${this.#root}/${REGISTRY_ROOT}/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
    if (exists(path)) return;
    this.#makeDirectory(dirname(path));
    try {
      this.#fs.link(this.#blobs.path(digest), path);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    this.#fs.fsyncDir(dirname(path));
    failpoint("store.registry.linked");
  }

  #writeEntry(repository: string, digest: Digest): void {
    const entry = `_layers/sha256/${digestHex(digest)}/link`;
    const path = `${this.#root}/${REGISTRY_ROOT}/repositories/${repository}/${entry}`;
    if (exists(path)) return;
    this.#makeDirectory(dirname(path));
    writeFileAtomic(path, digest, { fs: this.#fs, name: "store.registry.entry" });
    this.#giveAway(path);
  }

  /** As `ensureDir`, and each directory that is new belongs to the registry's user. */
  #makeDirectory(path: string): void {
    if (exists(path)) return;
    this.#makeDirectory(dirname(path));
    try {
      this.#fs.mkdir(path, 0o755);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
    this.#giveAway(path);
    this.#fs.fsyncDir(dirname(path));
  }

  #giveAway(path: string): void {
    try {
      this.#fs.chown(path, this.#owner.uid, this.#owner.gid);
    } catch (error) {
      // A registry that cannot write beside it is worse than one that gets the blob pushed.
      removeQuietly(path, this.#fs);
      throw error;
    }
  }
}
