import { digestOf } from "../../src/std/mod.ts";
import type { ImageRecord, NewPackage, PackageRecord } from "../../src/store/mod.ts";

/** A package as the store is given it: of nothing, and called `web` unless it is said otherwise. */
export function newPackage(more: Partial<NewPackage> = {}): NewPackage {
  const { name = "web", version = "1.0.0" } = more;
  return {
    digest: digestOf(`${name}-${version}`),
    name,
    version,
    architecture: "amd64",
    kind: "ZarfPackageConfig",
    signature: "Unsigned",
    acceptedAt: "2026-01-02T03:04:05Z",
    fileName: `${name}.tar.zst`,
    bytes: 1,
    images: [],
    manifests: [],
    blobs: [],
    ...more,
  };
}

/** A package as the store knows it, which waits to be deployed unless it is said otherwise. */
export function packageRecord(more: Partial<PackageRecord> = {}): PackageRecord {
  const { images: _, manifests: __, blobs: ___, ...added } = newPackage(more);
  return {
    ...added,
    state: "accepted",
    sequence: 1,
    reason: "",
    message: "",
    components: [],
    ...more,
  };
}

/** An image of the Docker Hub's library, by its digest alone where it has no tag. */
export function imageRecord(name: string, tag?: string): ImageRecord {
  return {
    reference: `docker.io/library/${name}${tag === undefined ? "" : `:${tag}`}`,
    host: "docker.io",
    repository: `library/${name}`,
    ...(tag === undefined ? {} : { tag, zarfTag: `${tag}-zarf-1` }),
    descriptor: {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: digestOf(name),
      size: 2,
    },
  };
}
