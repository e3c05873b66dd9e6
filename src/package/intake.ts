import { type Digest, Digester, digestHex, isDigest } from "../std/mod.ts";
import { Budget } from "./budget.ts";
import { ChecksumLedger, CHECKSUMS, DEFINITION, SIGNATURES } from "./checksums.ts";
import { ComponentUnpacker } from "./component.ts";
import { packageError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { NameRegister, safePath } from "./names.ts";
import type { TarBody, TarEntry } from "./tar.ts";
import type { EntryWriter, PackageSink } from "./types.ts";

/** The OCI layout's two files (image-spec, image-layout.md). */
export const LAYOUT_FILES = { marker: "images/oci-layout", index: "images/index.json" } as const;

const LABEL = "the archive";
const BLOBS = "images/blobs/";
const NOTHING: TarBody = { data() {}, end() {} };

/** A small file that is kept for the checks at the end. */
export interface Held {
  readonly content: Uint8Array;
  readonly digest: Digest;
}

/**
 * Takes the entries of the outer archive: sends each to where it belongs, hashes every file, and
 * keeps the few that the package is judged by.
 */
export class PackageIntake {
  readonly #sink: PackageSink;
  readonly #limits: Limits;
  readonly #names = new NameRegister(LABEL);
  readonly #held = new Map<string, Held>();
  readonly #blobs = new Map<Digest, number>();
  readonly #budget: Budget;
  /** What was seen, against checksums.txt. */
  readonly ledger = new ChecksumLedger();
  #open: EntryWriter | undefined;

  constructor(sink: PackageSink, limits: Limits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#budget = new Budget(limits);
  }

  /** Bytes of all regular files so far. */
  get contentBytes(): number {
    return this.#budget.bytes;
  }

  /** Every blob under images/blobs/sha256 with its size. */
  get blobs(): ReadonlyMap<Digest, number> {
    return this.#blobs;
  }

  /** A file that was kept: zarf.yaml, checksums.txt, the signatures and the OCI layout's two. */
  held(path: string): Held | undefined {
    return this.#held.get(path);
  }

  /** Gives up the file that is being written, if one is. */
  abort(): void {
    this.#open?.abort();
    this.#open = undefined;
  }

  /** Begins an entry. @throws {PackageError} or what the sink throws. */
  begin(entry: TarEntry): TarBody {
    this.#budget.addEntry();
    const path = safePath(LABEL, entry.name);
    if (entry.type === "directory") {
      if (path !== "") this.#names.add(path, "directory");
      return NOTHING;
    }
    if (entry.type !== "file") {
      throw packageError("UnsupportedEntry", `${path}: is a ${entry.type}, not a file`);
    }
    if (path === "") throw packageError("UnsafePath", `${LABEL}: a file has no name`);
    this.#names.add(path, "file");
    this.#budget.addFile(path, entry.size);
    return this.#file(path, entry);
  }

  #file(path: string, entry: TarEntry): TarBody {
    if (path.startsWith(BLOBS)) return this.#blob(path, entry.size);
    const limit = this.#heldLimit(path);
    if (limit !== undefined) return this.#heldFile(path, entry, limit);
    const component = /^components\/([^/]+)\.tar$/.exec(path)?.[1];
    if (component !== undefined) {
      const unpacker = new ComponentUnpacker(component, this.#sink, this.#limits, this.#budget);
      return this.#hashed(unpacker, (digest) => {
        unpacker.finish();
        this.ledger.record(path, digest);
      });
    }
    if (path.startsWith("components/")) {
      throw packageError("UnsupportedEntry", `${path}: only tars of components may be there`);
    }
    return this.#plain(path, entry);
  }

  #plain(path: string, entry: TarEntry): TarBody {
    const writer = this.#sink.file(path, entry.size, entry.mode);
    return this.#hashed(writer, (digest) => this.ledger.record(path, digest));
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

  #heldFile(path: string, entry: TarEntry, limit: number): TarBody {
    if (entry.size > limit) {
      throw packageError(
        "LimitExceeded",
        `${path}: has ${entry.size} bytes, the limit is ${limit}`,
      );
    }
    const content = new Uint8Array(entry.size);
    let filled = 0;
    const writer = this.#sink.file(path, entry.size, entry.mode);
    const both: EntryWriter = {
      write: (chunk) => {
        content.set(chunk, filled);
        filled += chunk.length;
        writer.write(chunk);
      },
      close: () => writer.close(),
      abort: () => writer.abort(),
    };
    return this.#hashed(both, (digest) => {
      this.#held.set(path, { content, digest });
      this.ledger.record(path, digest);
      if (path === CHECKSUMS) this.ledger.setList(content);
    });
  }

  #blob(path: string, size: number): TarBody {
    const digest = path.slice(BLOBS.length).replace("/", ":");
    if (!isDigest(digest)) {
      throw packageError(
        "InvalidImageLayout",
        `${path}: is not named by a sha256 digest`,
      );
    }
    const writer = this.#sink.blob(digest, size);
    return this.#hashed(writer, (found) => {
      if (found !== digest) {
        throw packageError(
          "ChecksumMismatch",
          `${path}: sha256 is ${digestHex(found)} but its name says ${digestHex(digest)}`,
        );
      }
      this.ledger.record(path, found);
      this.#blobs.set(digest, size);
    });
  }

  /** Hashes a file on its way; the writer is closed only if `check` accepts the digest. */
  #hashed(writer: EntryWriter | undefined, check: (digest: Digest) => void): TarBody {
    const digester = new Digester();
    this.#open = writer;
    return {
      data: (chunk) => {
        digester.update(chunk);
        writer?.write(chunk);
      },
      end: () => {
        check(digester.finish());
        // Before closing: a writer whose close fails is not aborted besides.
        this.#open = undefined;
        writer?.close();
      },
    };
  }
}
