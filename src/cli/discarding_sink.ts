import { DEFAULT_LIMITS, type EntryWriter, type PackageSink } from "../package/mod.ts";
import type { Digest } from "../std/mod.ts";
import { InspectError } from "./inspect_error.ts";

/** Takes the bytes of a file that nobody wants to keep. */
const NOWHERE: EntryWriter = { write() {}, close() {}, abort() {} };

/** All manifests and configurations of images of one package together, in bytes. */
const MAX_KEPT = 64 << 20;

/**
 * How a JSON document may begin: an object, a list where an object should be, white space before it,
 * or a mark of the byte order. Layers are archives and begin otherwise.
 */
const JSON_STARTS: ReadonlySet<number> = new Set([0x7b, 0x5b, 0x20, 0x09, 0x0a, 0x0d, 0xef]);

/** What becomes of the files of a package that are not blobs. */
export interface FileTaker {
  /** Takes a file ({@linkcode PackageSink.file}); undefined throws it away. */
  file?(path: string, size: number, mode: number): EntryWriter | undefined;
  /** Makes a link ({@linkcode PackageSink.symlink}). */
  symlink?(path: string, target: string): void;
}

/**
 * Throws away what it is given, so that a package of any size can be judged in little memory. Blobs
 * that can be manifests or configurations are kept, and zarf.yaml is.
 */
export class DiscardingSink implements PackageSink {
  readonly #taker: FileTaker;
  readonly #kept = new Map<Digest, Uint8Array>();
  #keptBytes = 0;
  #definition = new Uint8Array();

  constructor(taker: FileTaker = {}) {
    this.#taker = taker;
  }

  /** The bytes of zarf.yaml. */
  get definition(): Uint8Array {
    return this.#definition;
  }

  /** A manifest, index or configuration; undefined for what cannot be one. */
  document(digest: Digest): Uint8Array | undefined {
    return this.#kept.get(digest);
  }

  blob(digest: Digest, size: number): EntryWriter {
    if (size > DEFAULT_LIMITS.manifestBytes) return NOWHERE;
    return keepIf(isJsonStart, size, (content) => this.#keep(digest, content));
  }

  file(path: string, size: number, mode: number): EntryWriter {
    if (path === "zarf.yaml") {
      return keepIf(() => true, size, (content) => void (this.#definition = content));
    }
    return this.#taker.file?.(path, size, mode) ?? NOWHERE;
  }

  directory(): void {}

  symlink(path: string, target: string): void {
    this.#taker.symlink?.(path, target);
  }

  /** What does not begin as JSON comes back empty: it would be refused for the same reason. */
  readBlob(digest: Digest): Uint8Array {
    return this.#kept.get(digest) ?? new Uint8Array();
  }

  #keep(digest: Digest, content: Uint8Array): void {
    this.#keptBytes += content.length;
    if (this.#keptBytes > MAX_KEPT) {
      throw new InspectError({
        reason: "TooManyManifests",
        message: `the images' manifests and configurations have more than ${MAX_KEPT} bytes`,
        remedy: "drop the package to an agent, which has no such limit",
      });
    }
    this.#kept.set(digest, content);
  }
}

function isJsonStart(chunk: Uint8Array): boolean {
  return JSON_STARTS.has(chunk[0] ?? 0);
}

/** Keeps a file whose first bytes are wanted; `keep` gets it when it has been found right. */
function keepIf(
  wanted: (first: Uint8Array) => boolean,
  size: number,
  keep: (content: Uint8Array<ArrayBuffer>) => void,
): EntryWriter {
  let content: Uint8Array<ArrayBuffer> | undefined;
  let filled = 0;
  let thrownAway = false;
  return {
    write(chunk) {
      if (thrownAway) return;
      if (filled === 0) thrownAway = !wanted(chunk);
      if (thrownAway) return;
      content ??= new Uint8Array(size);
      content.set(chunk, filled);
      filled += chunk.length;
    },
    close: () => content === undefined ? undefined : keep(content),
    abort() {},
  };
}
