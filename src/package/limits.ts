/** Bounds on what a package may make this program do. All sizes are in bytes. */
export interface Limits {
  /**
   * Entries in the outer archive and in all component tars together, and the directories that their
   * names imply.
   */
  readonly entries: number;
  /** The names of all of these together, in characters: they are kept while a package is read. */
  readonly nameCharacters: number;
  /** All regular files together, unpacked: a bound against decompression bombs. */
  readonly contentBytes: number;
  /** zarf.yaml. What Zarf makes of it must fit into a Secret, 1 MiB, and it may be there in two forms. */
  readonly definitionBytes: number;
  /** checksums.txt; a blob's line has 149 bytes. */
  readonly checksumsBytes: number;
  /** zarf.bundle.sig and zarf.yaml.sig. */
  readonly signatureBytes: number;
  /** images/index.json, images/oci-layout, and each manifest or index (containerd's own bound: 8 MiB). */
  readonly manifestBytes: number;
  /** Manifests and indexes that can be reached. */
  readonly manifests: number;
  /** One name or link target in a tar; the store's own limit (package_tree.ts) is just above it. */
  readonly nameBytes: number;
  /** One PAX header block or GNU long name. */
  readonly tarExtensionBytes: number;
  /** The window of a zstd frame; what the decompressor holds in memory. Zarf's have 8 MiB. */
  readonly zstdWindowBytes: number;
}

/** Far above every real package, far below what would hurt a small node. */
export const DEFAULT_LIMITS: Limits = {
  entries: 80_000,
  nameCharacters: 10 << 20,
  contentBytes: 2 ** 40,
  definitionBytes: 2 << 20,
  checksumsBytes: 8 << 20,
  signatureBytes: 256 << 10,
  manifestBytes: 8 << 20,
  manifests: 20_000,
  nameBytes: 1000,
  tarExtensionBytes: 64 << 10,
  zstdWindowBytes: 64 << 20,
};
