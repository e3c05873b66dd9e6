import type { Digest } from "../std/mod.ts";
import type { ZarfPackage } from "./definition.ts";
import type { Limits } from "./limits.ts";
import type { PackageTrust } from "./signature.ts";
import type { TrustedKey } from "./trusted_keys.ts";

/** Sequential bytes; synchronous, because the reader runs in a worker of its own. */
export interface ByteSource {
  /** All bytes of the file, for the progress and for the first checks. */
  readonly size: number;
  /** Fills the start of `buffer` and says how much; 0 is the end. */
  read(buffer: Uint8Array): number;
  /**
   * Moves ahead without reading. Only a source that can seek has it; it is never asked to go past
   * `size`.
   */
  skip?(bytes: number): void;
}

/**
 * Takes the bytes of one file in order. Exactly one of `close` and `abort` is called, once.
 * `close` comes only after all bytes came and the digest was the right one as far as it is known by
 * then; checksums.txt may come later in the archive, so nothing may be published before
 * {@linkcode readPackage} has returned.
 */
export interface EntryWriter {
  /** The chunk is the reader's buffer: it must be written or copied before returning. */
  write(chunk: Uint8Array): void;
  close(): void;
  abort(): void;
}

/**
 * Where the reader puts what it reads. Every method may throw; its error ends the reading and comes
 * out of {@linkcode readPackage} unchanged.
 */
export interface PackageSink {
  /**
   * An image blob (`images/blobs/sha256/<hex>`). The writer's `close` is called only if the bytes
   * match the digest. `undefined` says that the store holds it already, verified, durable and of that
   * size: its bytes are passed over, in a tar without being read, and its digest is taken from its
   * name. Whoever wants every byte hashed gives a writer for every blob.
   */
  blob(digest: Digest, size: number): EntryWriter | undefined;
  /**
   * Any other regular file. `path` is relative, slash-separated and checked: `zarf.yaml`,
   * `checksums.txt`, `sboms.tar`, `values.yaml`, and every file inside a component's tar as
   * `components/<name>/<path in it>` (the component tar is unpacked as it passes, so that there is no
   * second copy; its own sha256 is checked against checksums.txt like any other file's). `mode` has
   * the nine permission bits.
   */
  file(path: string, size: number, mode: number): EntryWriter;
  /** A directory inside a component: `components/<name>/…`. Parents come first or are implied. */
  directory(path: string, mode: number): void;
  /**
   * A symbolic link inside a component; `target` is relative and stays inside
   * `components/<name>`. Nothing is ever written through a link.
   */
  symlink(path: string, target: string): void;
  /**
   * Reads back an image blob that `blob` was asked about, whole. Called after the last entry, for
   * manifests only, never for more than `limit` bytes.
   */
  readBlob(digest: Digest, limit: number): Uint8Array;
}

/** Processors that a node can have, by Go's names as Zarf uses them. */
export type Architecture = "amd64" | "arm64";

/** How a package is read. */
export interface ReadOptions {
  /** What the file's name says; Zarf also decides by the name alone. */
  readonly format: "tar.zst" | "tar";
  /** The node's processor. Left out, it is the one that the package was built for. */
  readonly architecture?: Architecture;
  readonly sink: PackageSink;
  /** With keys, only a package that one of them signed is accepted; without, every one is. */
  readonly trust?: readonly TrustedKey[];
  /** Called after every read with the bytes of the file read so far. */
  readonly onProgress?: (bytesRead: number) => void;
  /** Called for every file of the archive, in its order, when the package has been accepted. */
  readonly onFile?: (file: PackageFile) => void;
  readonly limits?: Partial<Limits>;
}

/** A regular file of a package's archive; a component's tar is one. */
export interface PackageFile {
  /** In its normal form. */
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
}

/** An OCI content descriptor (image-spec, descriptor.md), as far as a registry needs it. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  /** Of a manifest: its `artifactType`, else its config's media type (distribution-spec, referrers). */
  readonly artifactType?: string;
  /** Of a manifest: the digest of the manifest that it refers to. */
  readonly subject?: Digest;
  /** Of a manifest: its own annotations, as the referrers API gives them. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** One name of one image of the package. */
export interface PackageImage {
  /** Whole and normalised: `docker.io/library/nginx:1.27`, with a digest where it has one. */
  readonly reference: string;
  /** `docker.io` */
  readonly host: string;
  /** `library/nginx` */
  readonly repository: string;
  /** Absent where only a digest was asked for. */
  readonly tag?: string;
  /** `<tag>-zarf-<crc>`: the tag under which Zarf's agent asks for it. Absent without a tag. */
  readonly zarfTag?: string;
  /** The manifest or index that the name stands for. */
  readonly descriptor: Descriptor;
}

/** A blob of images/: layer, config, manifest or index. */
export interface PackageBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** What zarf.yaml and the signatures beside it say of a package. */
export interface PackageIdentity {
  readonly definition: ZarfPackage;
  /** sha256 of zarf.yaml's bytes: the root of trust, and the package's identity in the store. */
  readonly digest: Digest;
  /** Which signature file came with it; the bundle counts where both did. */
  readonly signature: "none" | "bundle" | "legacy";
  readonly trust: PackageTrust;
  /**
   * Paths of keys in zarf.yaml that Zarf 0.84 does not know, the first 50:
   * `components[0].manifests[1].kustomise`. Zarf ignores them, and so does everything here.
   */
  readonly unknownFields: readonly string[];
}

/** What {@linkcode readPackage} found. Plain data: it can be posted from a worker. */
export interface PackageContents extends PackageIdentity {
  /** From images/index.json, without duplicates, in its order. */
  readonly images: readonly PackageImage[];
  /** Every manifest and index that can be reached, each once. */
  readonly manifests: readonly Descriptor[];
  /** Every blob under images/blobs, reachable or not. */
  readonly blobs: readonly PackageBlob[];
  readonly bytes: {
    /** Of the file as it was dropped. */
    readonly archive: number;
    /** Of all regular files in it. */
    readonly content: number;
  };
}
