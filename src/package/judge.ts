import { digestOf } from "../std/mod.ts";
import { DEFINITION, SIGNATURES } from "./checksums.ts";
import { parseDefinition, type ZarfPackage } from "./definition.ts";
import { packageError } from "./errors.ts";
import { canonicalImages, definedImages } from "./images.ts";
import type { Limits } from "./limits.ts";
import { findSigner, type PackageTrust, unsigned } from "./signature.ts";
import type { TrustedKey } from "./trusted_keys.ts";
import { unknownFields } from "./unknown_fields.ts";
import type { Architecture, PackageIdentity } from "./types.ts";

/**
 * Judges what a package is by its definition: first whether a trusted key signed it, then the rest.
 *
 * @param held A file that was kept, by its path.
 * @param keys None: every package is trusted as far as it goes.
 * @throws {PackageError} MissingFile, Unsigned, SignatureInvalid, SignatureUnreadable, and what
 * {@linkcode parseDefinition} throws.
 */
export function judgeDefinition(
  held: (path: string) => Uint8Array | undefined,
  keys: readonly TrustedKey[],
  limits: Limits,
): PackageIdentity {
  const yaml = held(DEFINITION);
  if (yaml === undefined) {
    throw packageError("MissingFile", `${DEFINITION}: is not in the package`);
  }
  const digest = digestOf(yaml);
  const [bundle, legacy] = [held(SIGNATURES.bundle), held(SIGNATURES.legacy)];
  const signer = keys.length === 0
    ? undefined
    : findSigner({ definition: yaml, digest, bundle, legacy }, keys);
  const definition = parseDefinition(yaml, limits.definitionBytes);
  canonicalImages(definition);
  const signature = bundle !== undefined ? "bundle" : legacy !== undefined ? "legacy" : "none";
  const trust = trustOf(definition, signer, signature !== "none");
  return { definition, digest, signature, trust, unknownFields: unknownFields(definition.raw) };
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

/**
 * Zarf refuses a package whose architecture no node has, unless it has no images or keeps an image for
 * all its platforms (Zarf 0.84, src/pkg/packager/deploy.go verifyClusterCompatibility). A skeleton has
 * unresolved imports and can be deployed nowhere.
 *
 * @param node Left out, it is a node as the package wants it.
 * @param hasIndex Whether images/index.json names an index; asked only where that matters.
 * @throws {PackageError} ArchitectureMismatch.
 */
export function checkArchitecture(
  definition: ZarfPackage,
  hasIndex: () => boolean,
  node: Architecture | undefined,
): void {
  const wanted = node ?? definition.architecture;
  const stated = [definition.build.architecture, definition.metadata.architecture]
    .filter((architecture) => architecture !== "");
  const foreign = stated.filter((built) =>
    built === "skeleton" || (built !== wanted && built !== "multi")
  );
  if (foreign.length === 0 && stated.length > 0) return;
  const free = definedImages(definition).length === 0 || hasIndex();
  if (free && !foreign.includes("skeleton")) return;
  const [other] = foreign;
  const here = wanted === "" || wanted === other ? "" : `, this node is ${wanted}`;
  throw packageError(
    "ArchitectureMismatch",
    `${DEFINITION}: the package is for ${other ?? "no architecture"}${here}`,
  );
}
