import { type Digest, digestHex } from "../std/mod.ts";

/** Directories hold content that pods may mount; the database is the agent's alone. */
export const DIRECTORY_MODE = 0o755;
/** The data directory and `tmp/`: nobody but the agent looks in. */
export const PRIVATE_DIRECTORY_MODE = 0o700;
/** A blob never changes once it has its name. */
export const BLOB_MODE = 0o444;
/** The database. */
export const DATABASE_MODE = 0o600;

/** Where things are below the data directory (design.md §4). */
export class Layout {
  readonly root: string;
  constructor(root: string) {
    this.root = root;
  }

  get tmp(): string {
    return `${this.root}/tmp`;
  }
  get blobs(): string {
    return `${this.root}/blobs/sha256`;
  }
  get packages(): string {
    return `${this.root}/packages`;
  }
  get quarantine(): string {
    return `${this.root}/quarantine`;
  }
  get database(): string {
    return `${this.root}/holdfast.db`;
  }
  /** The ledger's copy beside the database. */
  get ledger(): string {
    return `${this.root}/ledger.json`;
  }
  get lock(): string {
    return `${this.root}/holdfast.lock`;
  }

  /** The directory of a blob: named by the first two digits of its digest. */
  blobDirectory(digest: Digest): string {
    return `${this.blobs}/${digestHex(digest).slice(0, 2)}`;
  }
  blob(digest: Digest): string {
    return `${this.blobDirectory(digest)}/${digestHex(digest)}`;
  }
  package(digest: Digest): string {
    return `${this.packages}/${digestHex(digest)}`;
  }
  staging(id: string): string {
    return `${this.tmp}/${id}`;
  }
}
