import { digestHex } from "../std/mod.ts";
import { CHECKSUMS, DEFINITION, SIGNATURES } from "./checksums.ts";
import { parseDefinition, type ZarfPackage } from "./definition.ts";
import { LAYOUT_FILES } from "./entries.ts";
import { packageError } from "./errors.ts";
import { checkDefinedImages, definedImages, hasIndex, nameImages } from "./images.ts";
import { type Held, PackageIntake } from "./intake.ts";
import { type Layout, walkLayout } from "./layout.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { pump } from "./pump.ts";
import { findSigner, type PackageTrust, unsigned } from "./signature.ts";
import { TarParser } from "./tar.ts";
import type { TrustedKey } from "./trusted_keys.ts";
import type {
  Architecture,
  ByteSource,
  PackageContents,
  PackageImage,
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
  const tar = new TarParser("the archive", limits, (entry) => intake.begin(entry));
  let archive: number;
  try {
    archive = await pump(source, options, limits, tar);
    tar.finish();
  } catch (error) {
    intake.abort();
    throw error;
  }
  return judge(intake, options, limits, archive);
}

function judge(
  intake: PackageIntake,
  options: ReadOptions,
  limits: Limits,
  archive: number,
): PackageContents {
  const yaml = intake.held(DEFINITION);
  if (yaml === undefined) {
    throw packageError("MissingFile", `${DEFINITION}: is not in the package`);
  }
  const signer = signerOf(intake, yaml, options.trust ?? []);
  const definition = parseDefinition(yaml.content, limits.definitionBytes);
  const trust = trustOf(definition, signer, signatureOf(intake) !== "none");
  checkIntegrity(intake, definition);
  const layout = readLayout(intake, options.sink, limits);
  const images = nameImages(layout);
  checkDefinedImages(definition, images);
  checkArchitecture(definition, images, options.architecture);
  return {
    definition,
    digest: yaml.digest,
    images,
    manifests: [...layout.manifests.values()],
    blobs: [...intake.blobs].map(([digest, size]) => ({ digest, size })),
    signature: signatureOf(intake),
    trust,
    bytes: { archive, content: intake.contentBytes },
  };
}

/** The trusted key that signed zarf.yaml; `undefined` where no keys are asked for. */
function signerOf(
  intake: PackageIntake,
  yaml: Held,
  keys: readonly TrustedKey[],
): TrustedKey | undefined {
  if (keys.length === 0) return undefined;
  const signed = {
    definition: yaml.content,
    digest: yaml.digest,
    bundle: intake.held(SIGNATURES.bundle)?.content,
    legacy: intake.held(SIGNATURES.legacy)?.content,
  };
  return findSigner(signed, keys);
}

/**
 * A package that says that it is not signed is not, whatever files it has (Zarf 0.84,
 * layout/package.go IsSigned).
 *
 * @throws {PackageError} Unsigned.
 */
function trustOf(
  { build }: ZarfPackage,
  signer: TrustedKey | undefined,
  hasSignature: boolean,
): PackageTrust {
  if (signer === undefined) {
    return { state: hasSignature || build.signed === true ? "Unverified" : "Unsigned" };
  }
  if (build.signed === false) throw unsigned(`${DEFINITION} says build.signed: false`);
  return { state: "Verified", signedBy: signer.fingerprint };
}

/** The chain of trust from zarf.yaml to every file (Zarf 0.84, validatePackageIntegrity). */
function checkIntegrity(intake: PackageIntake, definition: ZarfPackage): void {
  const list = intake.held(CHECKSUMS);
  if (list === undefined) {
    throw packageError("MissingFile", `${CHECKSUMS}: is not in the package`);
  }
  if (digestHex(list.digest) !== definition.aggregateChecksum) {
    throw packageError(
      "AggregateMismatch",
      `${CHECKSUMS}: sha256 is ${digestHex(list.digest)} but ${DEFINITION} says ${
        definition.aggregateChecksum || "nothing"
      }`,
    );
  }
  intake.ledger.finish(provenanceOf(definition, signatureOf(intake) !== "none"));
  checkComponentTars(intake, definition);
}

/** Files beside the list that a signed package names; only at the top, where no content is. */
function provenanceOf(definition: ZarfPackage, hasSignature: boolean): readonly string[] {
  if (!(definition.build.signed ?? hasSignature)) return [];
  return definition.build.provenanceFiles.filter((path) => !path.includes("/"));
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

function signatureOf(intake: PackageIntake): PackageContents["signature"] {
  if (intake.ledger.has(SIGNATURES.bundle)) return "bundle";
  return intake.ledger.has(SIGNATURES.legacy) ? "legacy" : "none";
}

function readLayout(intake: PackageIntake, sink: PackageSink, limits: Limits): Layout {
  const index = intake.held(LAYOUT_FILES.index);
  if (index === undefined) {
    if (intake.blobs.size === 0) return { roots: [], manifests: new Map() };
    throw packageError("MissingFile", `${LAYOUT_FILES.index}: is not in the package`);
  }
  return walkLayout({
    marker: intake.held(LAYOUT_FILES.marker)?.content,
    index: index.content,
    blobs: intake.blobs,
    read: (digest, limit) => sink.readBlob(digest, limit),
  }, limits);
}

/**
 * Zarf refuses a package whose architecture no node has, unless it has no images or keeps an image for
 * all its platforms (Zarf 0.84, src/pkg/packager/deploy.go verifyPackageIsDeployable). A skeleton has
 * unresolved imports and can be deployed nowhere.
 */
function checkArchitecture(
  definition: ZarfPackage,
  images: readonly PackageImage[],
  node: Architecture,
): void {
  const stated = [definition.build.architecture, definition.metadata.architecture]
    .filter((architecture) => architecture !== "");
  const free = definedImages(definition).length === 0 || hasIndex(images);
  const accepted = (built: string) =>
    built === node || built === "multi" || (free && built !== "skeleton");
  const wrong = stated.find((built) => !accepted(built));
  if (wrong === undefined && (stated.length > 0 || free)) return;
  throw packageError(
    "ArchitectureMismatch",
    `${DEFINITION}: the package is for ${wrong ?? "no architecture"}, this node is ${node}`,
  );
}
