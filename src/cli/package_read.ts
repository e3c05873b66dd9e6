import {
  type Architecture,
  type ByteSource,
  type OciManifest,
  ociManifest,
  openPackage,
  type PackageContents,
  type PackageFile,
  type PackageScout,
  readPackage,
  scoutPackage,
  type TrustedKey,
} from "../package/mod.ts";
import { type Digest, HoldfastError } from "../std/mod.ts";
import { DiscardingSink, type FileTaker } from "./discarding_sink.ts";
import { InspectError } from "./inspect_error.ts";
import { ProgressLine } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/** How a package is read from the command line. */
export interface PackageReadOptions {
  /** With keys, only a package that one of them signed is accepted. */
  readonly trust: readonly TrustedKey[];
  /** @default the one that the package was built for */
  readonly architecture?: Architecture;
  /** @default no file is kept */
  readonly taker?: FileTaker;
  /** Shows how far the reading is. */
  readonly terminal: Terminal;
}

/** A package that was read from its first to its last byte and found good. */
export interface ReadPackage {
  readonly contents: PackageContents;
  readonly manifest: OciManifest;
  /** A manifest, index or configuration of an image. */
  document(digest: Digest): Uint8Array | undefined;
}

/**
 * Reads a package as the agent does, every byte hashed, and keeps next to nothing of it.
 *
 * @throws {PackageError} when the agent would refuse it.
 * @throws {InspectError} PackageUnreadable, TooManyManifests.
 * @throws what `taker` throws.
 */
export async function readWholePackage(
  path: string,
  options: PackageReadOptions,
): Promise<ReadPackage> {
  using opened = attempt(path, () => openPackage(path));
  const sink = new DiscardingSink(options.taker);
  const files: PackageFile[] = [];
  const progress = new ProgressLine(options.terminal, opened.source.size);
  try {
    const contents = await readPackage(guarded(path, opened.source), {
      format: opened.format,
      sink,
      trust: options.trust,
      onProgress: (bytes) => progress.update(bytes),
      onFile: (file) => void files.push(file),
      ...(options.architecture === undefined ? {} : { architecture: options.architecture }),
    });
    opened.checkWhole();
    return {
      contents,
      manifest: ociManifest(files, sink.definition),
      document: (digest) => sink.document(digest),
    };
  } finally {
    progress.end();
  }
}

/**
 * Finds out what a package is by its definition and its signature. Its files are neither hashed nor,
 * in a tar, read.
 *
 * @throws {PackageError} when the agent would refuse it for what it is.
 * @throws {InspectError} PackageUnreadable.
 */
export async function scoutPackageFile(
  path: string,
  { trust, terminal }: PackageReadOptions,
): Promise<PackageScout> {
  using opened = attempt(path, () => openPackage(path));
  const progress = new ProgressLine(terminal, opened.source.size);
  try {
    return await scoutPackage(guarded(path, opened.source), {
      format: opened.format,
      trust,
      onProgress: (bytes) => progress.update(bytes),
    });
  } finally {
    progress.end();
  }
}

/** A source whose failures name the file. */
function guarded(path: string, source: ByteSource): ByteSource {
  const { skip } = source;
  return {
    size: source.size,
    read: (buffer) => attempt(path, () => source.read(buffer)),
    ...(skip === undefined
      ? {}
      : { skip: (bytes: number) => attempt(path, () => skip.call(source, bytes)) }),
  };
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw new InspectError({
      reason: "PackageUnreadable",
      message: `${path} cannot be read`,
      cause,
    });
  }
}
