import { type Disposition, type ErrorParts, HoldfastError, oneLine } from "../std/mod.ts";

/** Why a package is refused. */
export type PackageErrorReason =
  /** A split package of which not everything is there yet. */
  | "PartsMissing"
  /** The parts of a split package contradict its `.part000`, or that cannot be read. */
  | "InvalidParts"
  /** The file has no bytes. */
  | "EmptyFile"
  /** The name ends neither as a package's nor as a part's does. */
  | "UnknownFormat"
  /** The file was written to while it was read. */
  | "FileChanged"
  /** The name says `.tar.zst`, the content is something else. */
  | "NotZstd"
  /** The content (after decompression) is not a tar archive. */
  | "NotTar"
  /** The file ends before the archive does: an unfinished copy. */
  | "Truncated"
  /** The compressed data or a tar header contradicts its own checksum or its format. */
  | "Corrupt"
  /** Something follows the end of the archive. */
  | "TrailingData"
  /** The compressed data uses a feature that is switched off (dictionary, too large a window). */
  | "UnsupportedCompression"
  /** A name that would leave its directory, or that cannot be a file name everywhere. */
  | "UnsafePath"
  /** A link, device, FIFO or an entry where the format has none. */
  | "UnsupportedEntry"
  /** The same name twice. */
  | "DuplicateEntry"
  /** A file that must be there is not. */
  | "MissingFile"
  /** A file that checksums.txt does not list. */
  | "UnlistedFile"
  /** A file's sha256 is not the one that checksums.txt or its own name says. */
  | "ChecksumMismatch"
  /** checksums.txt is not the one that zarf.yaml names. */
  | "AggregateMismatch"
  /** checksums.txt cannot be read. */
  | "InvalidChecksums"
  /** zarf.yaml cannot be read, or breaks a rule of Zarf's. */
  | "InvalidDefinition"
  /** zarf.yaml is of a kind or an API version that is not known here. */
  | "UnsupportedDefinition"
  /** zarf.yaml says that the package needs a newer Zarf than this reader is compatible with. */
  | "UnsupportedZarfVersion"
  /** The package was built for another processor. */
  | "ArchitectureMismatch"
  /** images/ is not an OCI image layout, or a manifest in it contradicts a blob. */
  | "InvalidImageLayout"
  /** A manifest names a blob that the package does not hold. */
  | "MissingBlob"
  /** A component names an image that the package does not hold. */
  | "MissingImage"
  /** Keys are trusted, and the package has no signature. */
  | "Unsigned"
  /** None of the trusted keys made the signature over this zarf.yaml. */
  | "SignatureInvalid"
  /** The signature file is of no form that is known here. */
  | "SignatureUnreadable"
  /** Larger or longer than a limit; the message names it. */
  | "LimitExceeded";

/**
 * The package is refused: the same bytes will be refused again, so the disposition is `terminal`;
 * only `FileChanged` and `PartsMissing` may pass. The message begins with the part of the package that
 * is wrong. Failures of the source or of the sink (an unreadable disk, a full one) are not of this
 * class and pass through unchanged.
 */
export class PackageError extends HoldfastError<PackageErrorReason> {
  /** What was kept and what to do follow from the reason where `parts` leaves them out. */
  constructor(parts: ErrorParts<PackageErrorReason>) {
    super({
      kept: "nothing of the package was taken in",
      remedy: REMEDIES[parts.reason] ?? "build the package again with zarf",
      disposition: DISPOSITIONS[parts.reason] ?? "terminal",
      ...parts,
      // It names what the package holds: a name may be endless, or write over a terminal's line.
      message: oneLine(parts.message),
    });
  }
}

/** A {@linkcode PackageError} in short. */
export function packageError(
  reason: PackageErrorReason,
  message: string,
  more: { readonly remedy?: string; readonly cause?: unknown } = {},
): PackageError {
  return new PackageError({ reason, message, ...more });
}

const COPY_AGAIN = "copy the package file again from its source";

const DISPOSITIONS: Partial<Record<PackageErrorReason, Disposition>> = {
  FileChanged: "retry",
  PartsMissing: "wait",
};

const REMEDIES: Partial<Record<PackageErrorReason, string>> = {
  PartsMissing: "copy what is missing beside the other parts",
  InvalidParts: "copy all parts again, and remove what does not belong to them",
  EmptyFile: COPY_AGAIN,
  UnknownFormat: "give the file the name that zarf gave it",
  FileChanged: "it is read again when it has not changed for a while",
  Truncated: COPY_AGAIN,
  Corrupt: COPY_AGAIN,
  TrailingData: COPY_AGAIN,
  ChecksumMismatch: COPY_AGAIN,
  NotZstd: "check that the file is a Zarf package and that its name ends as its content does",
  NotTar: "check that the file is a Zarf package and that its name ends as its content does",
  UnsupportedZarfVersion: "update Holdfast, or build the package with an older Zarf",
  Unsigned: "sign it with a trusted key: zarf package sign --signing-key KEY",
  SignatureInvalid: "sign it with a trusted key, or give the agent the public key of its signer",
  SignatureUnreadable: "sign it with a key pair: zarf package sign --signing-key KEY --overwrite",
  ArchitectureMismatch: "use the package that was built for this node's processor",
};
