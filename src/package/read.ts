import { digestHex, digestOf } from "../std/mod.ts";
import { CHECKSUMS, DEFINITION } from "./checksums.ts";
import type { ZarfPackage } from "./definition.ts";
import { ARCHIVE, LAYOUT_FILES } from "./entries.ts";
import { packageError } from "./errors.ts";
import { checkDefinedImages, nameImages } from "./images.ts";
import { PackageIntake } from "./intake.ts";
import { checkArchitecture, judgeDefinition } from "./judge.ts";
import { hasIndex, type Layout, walkLayout } from "./layout.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { safePath } from "./names.ts";
import { pump } from "./pump.ts";
import { TarParser } from "./tar.ts";
import type {
  ByteSource,
  PackageContents,
  PackageIdentity,
  PackageSink,
  ReadOptions,
} from "./types.ts";

/**
 * Reads a package from its first to its last byte, once, and judges it. Only blobs that the sink has
 * already are passed over ({@linkcode PackageSink.blob}).
 *
 * It computes without pause for seconds: call it in a worker. Every 16 MiB it lets the event loop
 * turn, so that a message can come in.
 *
 * @throws {PackageError} when the package is refused.
 * @throws whatever the source or the sink throws, unchanged. In both cases the file that was being
 * written has been aborted; what was closed before is the sink's to throw away.
 */
export async function readPackage(
  source: ByteSource,
  options: ReadOptions,
): Promise<PackageContents> {
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const intake = new PackageIntake(options.sink, limits);
  const sizes = new Map<string, number>();
  const tar = new TarParser(ARCHIVE, limits, (entry) => {
    const body = intake.begin(entry);
    if (options.onFile !== undefined && entry.type === "file") {
      sizes.set(safePath(ARCHIVE, entry.name), entry.size);
    }
    return body;
  });
  let archive: number;
  try {
    archive = await pump(source, options, limits, tar);
    tar.finish();
  } catch (error) {
    intake.abort();
    throw error;
  }
  const contents = judge(intake, options, limits, archive);
  for (const [path, size] of sizes) {
    const digest = intake.ledger.digestOf(path);
    if (digest !== undefined) options.onFile?.({ path, size, digest });
  }
  return contents;
}

function judge(
  intake: PackageIntake,
  options: ReadOptions,
  limits: Limits,
  archive: number,
): PackageContents {
  const held = (path: string) => intake.held(path);
  const judged = judgeDefinition(held, options.trust ?? [], limits);
  const { definition } = judged;
  checkIntegrity(intake, judged);
  const layout = readLayout(intake, options.sink, limits);
  const images = nameImages(layout);
  checkDefinedImages(definition, images);
  checkArchitecture(definition, () => hasIndex(layout.roots), options.architecture);
  return {
    ...judged,
    images,
    manifests: [...layout.manifests.values()],
    blobs: [...intake.blobs].map(([digest, size]) => ({ digest, size })),
    bytes: { archive, content: intake.contentBytes },
  };
}

/** The chain of trust from zarf.yaml to every file (Zarf 0.84, validatePackageIntegrity). */
function checkIntegrity(intake: PackageIntake, judged: PackageIdentity): void {
  const { definition } = judged;
  const list = intake.held(CHECKSUMS);
  if (list === undefined) {
    throw packageError("MissingFile", `${CHECKSUMS}: is not in the package`);
  }
  const found = digestHex(digestOf(list));
  if (found !== definition.aggregateChecksum) {
    throw packageError(
      "AggregateMismatch",
      `${CHECKSUMS}: sha256 is ${found} but ${DEFINITION} says ${
        definition.aggregateChecksum || "nothing"
      }`,
    );
  }
  intake.ledger.finish(provenanceOf(judged));
  checkComponentTars(intake, definition);
}

/** Files beside the list that a signed package names; only at the top, where no content is. */
function provenanceOf({ definition: { build }, signature }: PackageIdentity): readonly string[] {
  if (!(build.signed ?? signature !== "none")) return [];
  return build.provenanceFiles.filter((path) => !path.includes("/"));
}

/** A component with content has a tar; a package without it would fail half-way. */
function checkComponentTars(intake: PackageIntake, definition: ZarfPackage): void {
  for (const component of definition.components) {
    const { charts, manifests, files, repos, dataInjections } = component;
    const content = [charts, manifests, files, repos, dataInjections];
    const path = `components/${component.name}.tar`;
    if (content.every((list) => list.length === 0) || intake.ledger.has(path)) continue;
    throw packageError(
      "MissingFile",
      `${path}: is not in the package, but ${DEFINITION} has content for it`,
    );
  }
}

function readLayout(intake: PackageIntake, sink: PackageSink, limits: Limits): Layout {
  const index = intake.held(LAYOUT_FILES.index);
  if (index === undefined) {
    if (intake.blobs.size === 0) return { roots: [], manifests: new Map() };
    throw packageError("MissingFile", `${LAYOUT_FILES.index}: is not in the package`);
  }
  return walkLayout({
    marker: intake.held(LAYOUT_FILES.marker),
    index,
    blobs: intake.blobs,
    read: (digest, limit) => sink.readBlob(digest, limit),
  }, limits);
}
