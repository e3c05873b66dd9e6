import type { PackageContents, PackageScout, TrustedKey } from "../package/mod.ts";
import type { Digest, Disposition } from "../std/mod.ts";

/**
 * Which package this is in the file system: a later one of the same name differs in at least one of
 * the others. One that is made of several files changes when any of them does.
 */
export interface FileIdentity {
  /** Of the file, of the directory, or of the file that a split package was made from. */
  readonly path: string;
  /** Bytes; of several files all together. */
  readonly size: number;
  /** Nanoseconds since 1970, by the file system's clock; of several files the newest. */
  readonly mtimeNs: bigint;
  /** Of several files a digest over the names, sizes, times and inodes of all. */
  readonly inode: bigint;
}

/** Why a package cannot be read yet: parts of it are still to come. */
export interface Wanting {
  readonly reason: string;
  readonly message: string;
  /** How many bytes are there. */
  readonly bytes: number;
}

/** What is known about a dropped file. */
export type DropOutcome =
  /** It is being copied, or waits for its turn, or is being read. */
  | {
    readonly phase: "Receiving";
    readonly reason: string;
    readonly message: string;
    readonly bytes: number;
  }
  /** It is in the store; what happens to the package is said elsewhere. */
  | { readonly phase: "Accepted"; readonly digest: string }
  /** It will not be read again as long as it does not change. */
  | {
    readonly phase: "Rejected";
    readonly reason: string;
    readonly message: string;
    /** What it depended on beside the file ({@linkcode conditionOf}); with another it is read again. */
    readonly keys?: string;
  };

/** A dropped package and what is known about it. */
export interface DroppedFile extends FileIdentity {
  readonly outcome: DropOutcome;
}

/** What the worker is asked to do. */
export interface IngestRequest {
  readonly path: string;
  readonly architecture: "amd64" | "arm64";
  readonly dataDir: string;
  /** Name of the staging directory; one at a time uses it. */
  readonly stagingId: string;
  /** Without any, every package is accepted. */
  readonly trust: readonly TrustedKey[];
}

/** What the worker is told: first what to do, then, if it was to scout, to go on. */
export type IngestOrder =
  | { readonly kind: "read"; readonly request: IngestRequest; readonly scout: boolean }
  | { readonly kind: "go" };

/** What the worker says. `done` and `failed` are its last words; after `scouted` it waits. */
export type IngestMessage =
  | { readonly kind: "scouted"; readonly scout: PackageScout }
  /** Bytes of the file so far; it is gone over twice where it is looked over first. */
  | { readonly kind: "progress"; readonly bytes: number; readonly scouting: boolean }
  | { readonly kind: "done"; readonly contents: PackageContents }
  | { readonly kind: "failed"; readonly failure: IngestFailure };

/** A failure in a form that can be posted between threads. */
export interface IngestFailure {
  readonly reason: string;
  readonly message: string;
  readonly disposition: Disposition;
  /** Blobs that are in the store all the same: another try goes on from there. */
  readonly published: readonly Digest[];
}
