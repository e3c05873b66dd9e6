import type { Digest } from "../std/mod.ts";
import { DEFINITION, SIGNATURES } from "./checksums.ts";
import { ComponentUnpacker } from "./component.ts";
import { ARCHIVE, EntrySorter, LAYOUT_FILES, type PackageEntry } from "./entries.ts";
import { checkArchitecture, judgeDefinition } from "./judge.ts";
import { hasIndex, readRoots } from "./layout.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { pump } from "./pump.ts";
import { collected, NOTHING, type TarBody, type TarEntry, TarParser } from "./tar.ts";
import type { ByteSource, PackageBlob, PackageIdentity, ReadOptions } from "./types.ts";

/** How a package is scouted. */
export type ScoutOptions = Omit<ReadOptions, "sink">;

/** What {@linkcode scoutPackage} found. Plain data: it can be posted from a worker. */
export interface PackageScout extends PackageIdentity {
  /** Every blob under images/blobs, by its name and size; nobody has looked into it. */
  readonly blobs: readonly PackageBlob[];
  /** Bytes of all other files that reading it gives to a sink: components count as unpacked. */
  readonly fileBytes: number;
  /** Bytes of the file as it was dropped. */
  readonly archiveBytes: number;
}

/**
 * Goes over a package once, cheaply, and finds out what decides about it before anything of it is
 * stored: who signed it, what it is, whether it is for this node and for this reader, and how much
 * room it takes. Nothing is written, and nothing but zarf.yaml is hashed; of a tar whose source can
 * skip little more than the headers is read, a tar.zst is decompressed and that is all.
 *
 * It refuses what {@linkcode readPackage} would refuse for the same reason, as far as it can be known
 * without the content: trust, definition, architecture, and the structure of the archive. It
 * promises nothing about what is read afterwards: the file may be another one by then, and
 * {@linkcode readPackage} judges everything itself.
 *
 * @throws {PackageError} when the package is refused.
 * @throws whatever the source throws, unchanged.
 */
export async function scoutPackage(
  source: ByteSource,
  options: ScoutOptions,
): Promise<PackageScout> {
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const survey = new Survey(limits);
  const tar = new TarParser(ARCHIVE, limits, (entry) => survey.begin(entry));
  const archiveBytes = await pump(source, options, limits, tar);
  tar.finish();
  const held = (path: string) => survey.held.get(path);
  const judged = judgeDefinition(held, options.trust ?? [], limits);
  const index = held(LAYOUT_FILES.index);
  const roots = () => index === undefined ? [] : readRoots(index, held(LAYOUT_FILES.marker));
  checkArchitecture(judged.definition, () => hasIndex(roots()), options.architecture);
  return {
    ...judged,
    blobs: [...survey.blobs].map(([digest, size]) => ({ digest, size })),
    fileBytes: survey.fileBytes,
    archiveBytes,
  };
}

/** The files that are judged here; the others are only counted. */
const HELD: readonly string[] = [
  DEFINITION,
  SIGNATURES.bundle,
  SIGNATURES.legacy,
  LAYOUT_FILES.index,
  LAYOUT_FILES.marker,
];

/** Takes the entries of the outer archive: counts, and keeps the few files that are judged. */
class Survey {
  readonly #limits: Limits;
  readonly #sorter: EntrySorter;
  readonly held = new Map<string, Uint8Array>();
  readonly blobs = new Map<Digest, number>();
  fileBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#sorter = new EntrySorter(limits);
  }

  /** @throws {PackageError} as {@linkcode EntrySorter.sort}. */
  begin(entry: TarEntry): TarBody {
    const sorted = this.#sorter.sort(entry);
    switch (sorted.kind) {
      case "directory":
        return NOTHING;
      case "blob":
        this.blobs.set(sorted.digest, sorted.size);
        return NOTHING;
      case "component":
        return this.#component(sorted.name);
      case "held":
      case "plain":
        this.fileBytes += sorted.size;
        return HELD.includes(sorted.path) ? this.#keep(sorted) : NOTHING;
    }
  }

  #keep({ path, size }: Extract<PackageEntry, { readonly kind: "held" | "plain" }>): TarBody {
    return collected(size, (content) => void this.held.set(path, content));
  }

  #component(name: string): TarBody {
    const counter = {
      file: (_path: string, size: number) => {
        this.fileBytes += size;
        return undefined;
      },
      directory() {},
      symlink() {},
    };
    const unpacker = new ComponentUnpacker(name, counter, this.#limits, this.#sorter.budget);
    return {
      data: (chunk) => unpacker.write(chunk),
      end: () => unpacker.finish(),
      unwanted: () => unpacker.unwanted,
      skip: (bytes) => unpacker.skip(bytes),
    };
  }
}
