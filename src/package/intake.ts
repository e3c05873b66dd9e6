import { type Digest, Digester, digestHex } from "../std/mod.ts";
import { ChecksumLedger, CHECKSUMS } from "./checksums.ts";
import { ComponentUnpacker } from "./component.ts";
import { EntrySorter, type PackageEntry } from "./entries.ts";
import { packageError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { NOTHING, type TarBody, type TarEntry } from "./tar.ts";
import type { EntryWriter, PackageSink } from "./types.ts";

type Entry<Kind extends PackageEntry["kind"]> = Extract<PackageEntry, { readonly kind: Kind }>;

/**
 * Takes the entries of the outer archive: sends each to where it belongs, hashes every file that the
 * sink takes, and keeps the few that the package is judged by.
 */
export class PackageIntake {
  readonly #sink: PackageSink;
  readonly #limits: Limits;
  readonly #sorter: EntrySorter;
  readonly #held = new Map<string, Uint8Array>();
  readonly #blobs = new Map<Digest, number>();
  /** What was seen, against checksums.txt. */
  readonly ledger = new ChecksumLedger();
  #open: EntryWriter | undefined;

  constructor(sink: PackageSink, limits: Limits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#sorter = new EntrySorter(limits);
  }

  /** Bytes of all regular files so far. */
  get contentBytes(): number {
    return this.#sorter.budget.bytes;
  }

  /** Every blob under images/blobs/sha256 with its size. */
  get blobs(): ReadonlyMap<Digest, number> {
    return this.#blobs;
  }

  /** A file that was kept: zarf.yaml, checksums.txt, the signatures and the OCI layout's two. */
  held(path: string): Uint8Array | undefined {
    return this.#held.get(path);
  }

  /** Gives up the file that is being written, if one is. */
  abort(): void {
    this.#open?.abort();
    this.#open = undefined;
  }

  /** Begins an entry. @throws {PackageError} or what the sink throws. */
  begin(entry: TarEntry): TarBody {
    const sorted = this.#sorter.sort(entry);
    switch (sorted.kind) {
      case "directory":
        return NOTHING;
      case "blob":
        return this.#blob(sorted);
      case "held":
        return this.#heldFile(sorted);
      case "component":
        return this.#component(sorted);
      case "plain":
        return this.#plain(sorted);
    }
  }

  #plain({ path, size, mode }: Entry<"plain">): TarBody {
    const writer = this.#sink.file(path, size, mode);
    return this.#hashed(writer, (digest) => this.ledger.record(path, digest));
  }

  #component({ path, name }: Entry<"component">): TarBody {
    const unpacker = new ComponentUnpacker(name, this.#sink, this.#limits, this.#sorter.budget);
    return this.#hashed(unpacker, (digest) => {
      unpacker.finish();
      this.ledger.record(path, digest);
    });
  }

  #heldFile({ path, size, mode }: Entry<"held">): TarBody {
    const content = new Uint8Array(size);
    let filled = 0;
    const writer = this.#sink.file(path, size, mode);
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
      this.#held.set(path, content);
      this.ledger.record(path, digest);
      if (path === CHECKSUMS) this.ledger.setList(content);
    });
  }

  #blob({ path, digest, size }: Entry<"blob">): TarBody {
    const writer = this.#sink.blob(digest, size);
    const record = () => {
      this.ledger.record(path, digest);
      this.#blobs.set(digest, size);
    };
    // What counts is the store's copy, which was hashed when it was taken in.
    if (writer === undefined) return { ...NOTHING, end: record };
    return this.#hashed(writer, (found) => {
      if (found !== digest) {
        throw packageError(
          "ChecksumMismatch",
          `${path}: sha256 is ${digestHex(found)} but its name says ${digestHex(digest)}`,
        );
      }
      record();
    });
  }

  /** Hashes a file on its way; the writer is closed only if `check` accepts the digest. */
  #hashed(writer: EntryWriter, check: (digest: Digest) => void): TarBody {
    const digester = new Digester();
    this.#open = writer;
    return {
      data: (chunk) => {
        digester.update(chunk);
        writer.write(chunk);
      },
      end: () => {
        check(digester.finish());
        // Before closing: a writer whose close fails is not aborted besides.
        this.#open = undefined;
        writer.close();
      },
    };
  }
}
