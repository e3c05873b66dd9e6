import type { PackageContents } from "../package/mod.ts";
import type { NewPackage } from "../store/mod.ts";
import type { FileIdentity } from "./types.ts";

/** The store's record of a package that was just read from `file`. */
export function packageRecord(
  file: FileIdentity,
  contents: PackageContents,
  acceptedAt: Date,
): NewPackage {
  const { definition, digest, images, manifests, blobs, trust } = contents;
  return {
    digest,
    name: definition.metadata.name,
    version: definition.metadata.version,
    architecture: definition.architecture,
    kind: definition.kind,
    signature: trust.state,
    ...(trust.state === "Verified" ? { signedBy: trust.signedBy } : {}),
    acceptedAt: acceptedAt.toISOString(),
    fileName: file.path.slice(file.path.lastIndexOf("/") + 1),
    bytes: file.size,
    images,
    manifests,
    blobs,
  };
}
