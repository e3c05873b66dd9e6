/**
 * Reads a Zarf package in one pass and says what is in it, or refuses it with a reason.
 *
 * - One pass over the file, nothing of any size in memory, no second copy: image blobs and files go
 *   to a {@linkcode PackageSink} while they are hashed, component tars are unpacked as they pass.
 * - Accepted only if every byte is accounted for: the compressed data and the archive end where they
 *   say, every file is listed in checksums.txt and has the sha256 it gives, checksums.txt is the one
 *   that zarf.yaml names, every manifest's blobs are there with the right size. Image blobs that the
 *   sink holds already, verified, are not read again: an import that was interrupted goes on quickly.
 * - Refused with a {@linkcode PackageError} that names the part. What the sink got until then is the
 *   sink's to throw away; nothing is published by this room.
 *
 * {@linkcode scoutPackage} goes before it, cheaply, where it is worth knowing what decides about a
 * package before anything of it is stored; it promises nothing about what is read afterwards.
 *
 * {@linkcode openPackage} gives the bytes of a package that lies in the file system, in whatever form
 * it does: a file, the parts of a split one, or an unpacked directory.
 *
 * With trusted keys ({@linkcode ReadOptions.trust}) a package is accepted only if one of them signed
 * the exact bytes of its zarf.yaml, and that is decided before zarf.yaml is parsed.
 *
 * @module
 */
export { PackageError, type PackageErrorReason } from "./errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export type * from "./types.ts";
export { parseDefinition } from "./definition.ts";
export type * from "./definition.ts";
export { isIndexType } from "./layout.ts";
export { type OciManifest, ociManifest } from "./oci_manifest.ts";
export { type OpenedPackage, openPackage, packageFormat } from "./open.ts";
export { readPackage } from "./read.ts";
export { COMPATIBLE_ZARF } from "./requirements.ts";
export { type PackageScout, type ScoutOptions, scoutPackage } from "./scout.ts";
export {
  checkParts,
  MAX_HEADER_BYTES,
  MAX_PARTS,
  parseSplitHeader,
  partName,
  type SplitHeader,
  splitPart,
} from "./split.ts";
export { MAX_TREE_DEPTH, UNPACKED_FILES } from "./tree_source.ts";
export type { PackageTrust } from "./signature.ts";
export {
  MAX_TRUSTED_KEYS,
  parseTrustedKeys,
  type TrustedKey,
  TrustKeyError,
  type TrustKeyReason,
} from "./trusted_keys.ts";
export { gnuTarHeader, TAR_END_BYTES, tarPadding } from "./tar_write.ts";
export { TarUnpacker } from "./unpack.ts";
export { encodePackage } from "./zarf_config.ts";
