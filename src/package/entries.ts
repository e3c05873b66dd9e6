import { type Digest, isDigest } from "../std/mod.ts";
import { Budget } from "./budget.ts";
import { CHECKSUMS, DEFINITION, SIGNATURES } from "./checksums.ts";
import { packageError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { NameRegister, safePath } from "./names.ts";
import type { TarEntry } from "./tar.ts";

/** The OCI layout's two files (image-spec, image-layout.md). */
export const LAYOUT_FILES = { marker: "images/oci-layout", index: "images/index.json" } as const;

/** How messages name the outer archive. */
export const ARCHIVE = "the archive";
const BLOBS = "images/blobs/";

/** An entry of a package's archive, by what has to be done with it. */
export type PackageEntry =
  | { readonly kind: "directory" }
  /** An image blob, named by its digest. */
  | PackageFile<"blob"> & { readonly digest: Digest }
  /** A small file that the package is judged by. */
  | PackageFile<"held">
  /** The tar of the component `name`. */
  | PackageFile<"component"> & { readonly name: string }
  /** Any other file. */
  | PackageFile<"plain">;

/** A regular file of the archive. */
interface PackageFile<Kind extends string> {
  readonly kind: Kind;
  /** In its normal form. */
  readonly path: string;
  readonly size: number;
  readonly mode: number;
}

/**
 * Says of each entry of a package's archive what it is, and refuses those that no package has: what
 * is neither file nor directory, names that are unsafe or there twice, and more than the limits let.
 */
export class EntrySorter {
  readonly #limits: Limits;
  readonly #names: NameRegister;
  /** Counts these entries; those of component tars are counted by whoever unpacks them. */
  readonly budget: Budget;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.budget = new Budget(limits);
    this.#names = new NameRegister(ARCHIVE, this.budget);
  }

  /**
   * @throws {PackageError} UnsafePath, UnsupportedEntry, DuplicateEntry, LimitExceeded or
   * InvalidImageLayout.
   */
  sort(entry: TarEntry): PackageEntry {
    this.budget.addEntry(entry.name);
    const path = safePath(ARCHIVE, entry.name);
    if (entry.type === "directory") {
      if (path !== "") this.#names.add(path, "directory");
      return { kind: "directory" };
    }
    if (entry.type !== "file") {
      throw packageError("UnsupportedEntry", `${path}: is a ${entry.type}, not a file`);
    }
    if (path === "") throw packageError("UnsafePath", `${ARCHIVE}: a file has no name`);
    this.#names.add(path, "file");
    this.budget.addFile(path, entry.size);
    return this.#file(path, entry);
  }

  #file(path: string, { size, mode }: TarEntry): PackageEntry {
    const file = { path, size, mode };
    if (path.startsWith(BLOBS)) return { kind: "blob", digest: blobDigest(path), ...file };
    const limit = this.#heldLimit(path);
    if (limit !== undefined) {
      if (size <= limit) return { kind: "held", ...file };
      throw packageError("LimitExceeded", `${path}: has ${size} bytes, the limit is ${limit}`);
    }
    if (!path.startsWith("components/")) return { kind: "plain", ...file };
    const name = /^components\/([^/]+)\.tar$/.exec(path)?.[1];
    if (name !== undefined) return { kind: "component", name, ...file };
    throw packageError("UnsupportedEntry", `${path}: only tars of components may be there`);
  }

  #heldLimit(path: string): number | undefined {
    switch (path) {
      case DEFINITION:
        return this.#limits.definitionBytes;
      case CHECKSUMS:
        return this.#limits.checksumsBytes;
      case SIGNATURES.bundle:
      case SIGNATURES.legacy:
        return this.#limits.signatureBytes;
      case LAYOUT_FILES.marker:
      case LAYOUT_FILES.index:
        return this.#limits.manifestBytes;
    }
  }
}

function blobDigest(path: string): Digest {
  const digest = path.slice(BLOBS.length).replace("/", ":");
  if (isDigest(digest)) return digest;
  throw packageError("InvalidImageLayout", `${path}: is not named by a sha256 digest`);
}
