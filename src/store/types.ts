import type { Digest } from "../std/mod.ts";

/** Where a package stands on this node. `accepted` is the first state of every package. */
export const PACKAGE_STATES = [
  "accepted",
  "deploying",
  "ready",
  "failed",
  "rolled-back",
  "superseded",
] as const;
/** One of {@linkcode PACKAGE_STATES}. */
export type PackageState = typeof PACKAGE_STATES[number];

/** The owner of the images that came with the program and not with a package. */
export const SEED_OWNER = "seed";

/** A content descriptor as an index lists it (OCI image-spec, descriptor.md). */
export interface DescriptorRecord {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string | undefined;
  /** The digest of the manifest that this one refers to (OCI referrers). */
  readonly subject?: Digest | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** An image and the names it is pulled by. */
export interface ImageRecord {
  /** As the package names it, normalised: `docker.io/library/nginx:1.27`. */
  readonly reference: string;
  /** `docker.io` */
  readonly host: string;
  /** `library/nginx` */
  readonly repository: string;
  /** Absent when the reference is by digest only. */
  readonly tag?: string | undefined;
  /** The tag under which Zarf stores it: `1.27-zarf-3892838293`. */
  readonly zarfTag?: string | undefined;
  readonly descriptor: DescriptorRecord;
}

/** A blob that an owner needs. */
export interface BlobReference {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** Everything that one owner brings into the store beside the bytes. */
export interface OwnedContent {
  readonly images: readonly ImageRecord[];
  /** Every manifest and index, also those without a name. */
  readonly manifests: readonly DescriptorRecord[];
  readonly blobs: readonly BlobReference[];
}

/** How far one component of a package is. */
export interface ComponentRecord {
  readonly name: string;
  readonly phase: string;
  readonly message: string;
}

/** A package at the moment it is accepted. */
export interface NewPackage extends OwnedContent {
  readonly digest: Digest;
  readonly name: string;
  /** Empty when the package has none. */
  readonly version: string;
  /** Empty when the package has none. */
  readonly architecture: string;
  /** Zarf's kind: `ZarfPackageConfig` or `ZarfInitConfig`. */
  readonly kind: string;
  /** What is known of the signature (`Verified`, `Unsigned` …). */
  readonly signature: string;
  /** Fingerprint of the trusted key that made it; absent unless it is `Verified`. */
  readonly signedBy?: string;
  /** RFC 3339; for display only, order is {@linkcode PackageRecord.sequence}. */
  readonly acceptedAt: string;
  /** The name of the dropped file, without its directory. */
  readonly fileName: string;
  /** Size of the dropped file. */
  readonly bytes: number;
}

/** A package as the store knows it. */
export interface PackageRecord extends Omit<NewPackage, keyof OwnedContent> {
  readonly state: PackageState;
  /** Order of acceptance on this node; only grows. */
  readonly sequence: number;
  /** CamelCase reason of the last outcome; empty before there is one. */
  readonly reason: string;
  /** The last outcome in a sentence; empty before there is one. */
  readonly message: string;
  readonly components: readonly ComponentRecord[];
}

/** The phase of a component that somebody has removed from the cluster. */
export const REMOVED_PHASE = "Removed";

/** What changes with a package's state; what is left out stays as it was. */
export interface PackageOutcome {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly components?: readonly ComponentRecord[] | undefined;
}

/** What a name points at. */
export interface ResolvedTag {
  readonly digest: Digest;
  readonly mediaType: string;
}

/** A dropped file that was looked at, with what tells it from a later one of the same name. */
export interface DropRecord {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly inode: bigint;
  /** Any JSON value; the room that wrote it parses it. */
  readonly outcome: unknown;
}

/** How far a journalled step is. */
export type JournalState = "started" | "done" | "failed";

/** One line of the journal: a step before it acts, and after. */
export interface JournalEntry {
  /** Whose step it is: a package's digest, or a room. */
  readonly owner: string;
  readonly step: string;
  readonly state: JournalState;
  /** Any JSON value. */
  readonly detail: unknown;
  /** RFC 3339; for display only, entries are returned in the order they were written. */
  readonly at: string;
}
