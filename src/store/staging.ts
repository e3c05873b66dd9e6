import { type Digest, dirname, ensureDir, failpoint, removeQuietly } from "../std/mod.ts";
import { guarded, StoreError } from "./errors.ts";
import { exists, fileSize, type StoreFs, systemStoreFs } from "./fs.ts";
import { BLOB_MODE, Layout } from "./layout.ts";
import { PackageTree } from "./package_tree.ts";
import { publishBlobs } from "./publish.ts";
import { type DiskSpace, diskSpace, reserveOf } from "./space.ts";
import { type EntryWriter, FileWriter } from "./writer.ts";

/**
 * Bytes of blobs after which those that are whole get their names. A larger number costs more work
 * after a kill, a smaller one more waiting for the disk.
 */
export const CHECKPOINT_BYTES = 256 << 20;
/** Bytes between two looks at the free space. */
const SPACE_STEP = 32 << 20;

/** What a staging may be given. */
export interface StagingOptions {
  /** @default the real file system */
  readonly fs?: StoreFs;
  /** Room on the data disk. @default what its file system says */
  readonly disk?: () => DiskSpace;
  /** @default CHECKPOINT_BYTES */
  readonly checkpointBytes?: number;
}

/**
 * One package on its way into the store. Its files are below `tmp/<id>/` until
 * {@linkcode Staging.commit}. So are its blobs, but every {@linkcode CHECKPOINT_BYTES} those that are
 * whole become blobs of the store, durably: a package that is read again after a crash goes on from
 * there. What no package comes to need is removed by the collector.
 *
 * It needs no database and blocks, so that a worker can use it. The caller hashes the bytes as it
 * reads them and commits only what matched; sizes are checked here.
 */
export class Staging {
  readonly #layout: Layout;
  readonly #fs: StoreFs;
  readonly #directory: string;
  readonly #tree: PackageTree;
  /** Every blob of the package, whether staged here or in the store before. */
  readonly #sizes = new Map<Digest, number>();
  readonly #staged = new Set<Digest>();
  readonly #published: Digest[] = [];
  readonly #disk: () => DiskSpace;
  readonly #checkpointBytes: number;
  #stagedBytes = 0;
  #unchecked = 0;
  readonly #writers = new Set<EntryWriter>();

  private constructor(layout: Layout, id: string, options: StagingOptions) {
    const { fs = systemStoreFs, disk, checkpointBytes = CHECKPOINT_BYTES } = options;
    this.#layout = layout;
    this.#fs = fs;
    this.#disk = disk ?? (() => diskSpace(layout.root));
    this.#checkpointBytes = checkpointBytes;
    this.#directory = layout.staging(id);
    this.#tree = new PackageTree(`${this.#directory}/package`, fs);
  }

  /**
   * Makes `tmp/<id>/` of a data directory that {@linkcode Store.open} has prepared.
   *
   * @throws {StoreError} when `id` is no plain name, or the disk does not let it.
   */
  static create(dataDir: string, id: string, options: StagingOptions = {}): Staging {
    if (!/^[\w-]{1,80}$/.test(id)) {
      throw new StoreError({ reason: "UnsafePath", message: `"${id}" is no name for a staging` });
    }
    const staging = new Staging(new Layout(dataDir), id, options);
    // Not fsynced: what is below tmp/ need not outlive a crash.
    staging.#failing(() =>
      guarded("create the staging directory", () => {
        removeQuietly(staging.#directory, staging.#fs);
        for (const below of ["", "/blobs", "/package"]) {
          staging.#fs.mkdir(`${staging.#directory}${below}`);
        }
      })
    );
    failpoint("store.staging.created");
    return staging;
  }

  /**
   * Where to write the blob; `undefined` when it is here already with that size and its bytes need
   * only be skipped (or hashed, if the caller wants to know whether the archive is whole).
   *
   * @throws {StoreError} when the disk does not let it; the staging is then discarded.
   */
  blob(digest: Digest, size: number): EntryWriter | undefined {
    this.#sizes.set(digest, size);
    if (this.#staged.has(digest) || fileSize(this.#layout.blob(digest)) === size) return undefined;
    return this.#writer(this.#stagedPath(digest), size, BLOB_MODE, `blob ${digest}`, {
      failpoint: "store.blob.written",
      onClose: () => {
        this.#staged.add(digest);
        this.#stagedBytes += size;
      },
    });
  }

  /** Blobs that became the store's before the package did; nothing needs them if it is refused. */
  get published(): readonly Digest[] {
    return this.#published;
  }

  /**
   * Where to write a file of the package that is no blob. `path` is relative and slash-separated;
   * directories above it are made. Of `mode` others' right to write is not kept.
   *
   * @throws {StoreError} `UnsafePath` when it would leave the package or meet a file or link.
   */
  file(path: string, size: number, mode: number): EntryWriter {
    const target = this.#failing(() => this.#tree.place(path));
    return this.#writer(target, size, PackageTree.fileMode(mode), `file ${path}`, {
      failpoint: "store.package.written",
      onClose: () => this.#tree.added(target),
    });
  }

  /** Makes a directory of the package. @throws {StoreError} as {@linkcode Staging.file}. */
  directory(path: string, _mode: number): void {
    this.#failing(() => this.#tree.directory(path));
  }

  /**
   * Makes a symbolic link in the package.
   *
   * @throws {StoreError} `UnsafePath` when it or its target is outside the package.
   */
  symlink(path: string, target: string): void {
    this.#failing(() => this.#tree.symlink(path, target));
  }

  /**
   * A small blob of this package, whole: a manifest or a configuration.
   *
   * @throws {StoreError} `BlobMissing`, or `TooLarge` when it has more than `limit` bytes.
   */
  readBlob(digest: Digest, limit: number): Uint8Array {
    const path = this.#staged.has(digest) ? this.#stagedPath(digest) : this.#layout.blob(digest);
    return guarded(`read blob ${digest}`, () => readWhole(path, digest, limit));
  }

  /**
   * Makes the package part of the store, durably: blobs first, then the package's directory. After
   * a crash anywhere in it the same package can be staged and committed again; what the first try
   * left are complete blobs.
   *
   * @throws {StoreError} the staging is then discarded.
   */
  commit(packageDigest: Digest): void {
    if (this.#writers.size > 0) {
      throw new StoreError({
        reason: "Unfinished",
        message: "a file of the package is still open",
      });
    }
    this.#failing(() =>
      guarded("commit the package", () => {
        this.#publish(this.#sizes);
        this.#publishPackage(packageDigest);
        removeQuietly(this.#directory, this.#fs);
      })
    );
    failpoint("store.staging.removed");
  }

  /** Removes everything that was staged; harmless after {@linkcode Staging.commit}. */
  discard(): void {
    for (const writer of this.#writers) writer.abort();
    this.#writers.clear();
    removeQuietly(this.#directory, this.#fs);
    failpoint("store.staging.discarded");
  }

  /** Gives every staged blob its name; in the end all of `sizes` are there. */
  #publish(sizes: ReadonlyMap<Digest, number>): void {
    publishBlobs(this.#layout, this.#fs, {
      staged: [...this.#staged].map((digest) => [digest, this.#stagedPath(digest)] as const),
      sizes,
    });
    this.#published.push(...this.#staged);
    this.#staged.clear();
    this.#stagedBytes = 0;
  }

  #checkpoint(): void {
    if (this.#stagedBytes < this.#checkpointBytes) return;
    const staged = [...this.#sizes].filter(([digest]) => this.#staged.has(digest));
    guarded("keep blobs of the package", () => this.#publish(new Map(staged)));
  }

  /** A disk that is filled to the last byte stops more than this program. */
  #spend(bytes: number): void {
    this.#unchecked += bytes;
    if (this.#unchecked < SPACE_STEP) return;
    this.#unchecked = 0;
    const disk = guarded("ask for free space", this.#disk);
    if (disk.free >= reserveOf(disk) / 2) return;
    throw new StoreError({
      reason: "DiskFull",
      message: `cannot take the package in: ${disk.free} bytes are free on the data disk, which ` +
        "are kept for the node",
      kept: "what the store held before is unchanged",
      remedy: "free space on the data disk; it is tried again by itself",
      disposition: "wait",
    });
  }

  #publishPackage(packageDigest: Digest): void {
    const target = this.#layout.package(packageDigest);
    ensureDir(this.#layout.packages, this.#fs, "store.directory");
    if (!exists(target)) {
      this.#tree.sync();
      this.#fs.rename(this.#tree.root, target);
      failpoint("store.package.renamed");
    }
    // Also when it was there before: the run that renamed it may have ended before this call.
    this.#fs.fsyncDir(dirname(target));
    failpoint("store.package.directory.synced");
  }

  #stagedPath(digest: Digest): string {
    return `${this.#directory}/blobs/${digest.slice(7)}`;
  }

  #writer(
    path: string,
    size: number,
    mode: number,
    what: string,
    rest: { readonly failpoint: string; readonly onClose: () => void },
  ): EntryWriter {
    const options = { path, size, mode, what, ...rest };
    const inner = this.#failing(() => new FileWriter(this.#fs, options));
    const writer: EntryWriter = {
      write: (chunk) =>
        this.#failing(() => {
          this.#spend(chunk.length);
          inner.write(chunk);
        }),
      close: () => {
        this.#failing(() => inner.close());
        this.#writers.delete(writer);
        this.#failing(() => this.#checkpoint());
      },
      abort: () => {
        inner.abort();
        this.#writers.delete(writer);
      },
    };
    this.#writers.add(writer);
    return writer;
  }

  #failing<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      this.discard();
      throw error;
    }
  }
}

function readWhole(path: string, digest: Digest, limit: number): Uint8Array {
  const size = fileSize(path);
  if (size === undefined) {
    throw new StoreError({ reason: "BlobMissing", message: `there is no blob ${digest}` });
  }
  if (size > limit) {
    throw new StoreError({
      reason: "TooLarge",
      message: `blob ${digest} has ${size} bytes, more than the ${limit} that are read at once`,
    });
  }
  return Deno.readFileSync(path);
}
