import { DeployError, selectComponents, unsupported } from "../deploy/mod.ts";
import type { PackageContents, PackageTrust, ZarfPackage } from "../package/mod.ts";
import { type Digest, renderBytes } from "../std/mod.ts";
import type { ReadPackage } from "./package_read.ts";
import { pairs, table } from "./table.ts";

/** The most keys of a definition that are named in a warning. */
const MAX_NAMED = 10;

/** What is known of a package that was read. */
export interface PackageOverview {
  readonly name: string;
  readonly kind: string;
  readonly version: string;
  readonly architecture: string;
  readonly flavor: string;
  readonly description: string;
  /** sha256 of zarf.yaml: what the agent knows the package by. */
  readonly digest: Digest;
  /** What Zarf knows it by: the digest of its OCI manifest. */
  readonly ociDigest: Digest;
  readonly signature: PackageTrust["state"];
  /** Fingerprint of the trusted key that signed it. */
  readonly signedBy?: string;
  readonly bytes: PackageContents["bytes"];
  readonly images: number;
  readonly blobs: number;
  readonly components: readonly ComponentOverview[];
  /** What is no reason to refuse the package, but may not be what its author meant. */
  readonly warnings: readonly string[];
}

/** What is known of a component. */
export interface ComponentOverview {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  readonly default: boolean;
  readonly images: number;
  readonly charts: number;
  readonly manifests: number;
}

/** Gathers what is known of a package. */
export function overviewOf({ contents, manifest }: ReadPackage): PackageOverview {
  const { definition, trust } = contents;
  const { metadata, build } = definition;
  return {
    name: metadata.name,
    kind: definition.kind,
    version: metadata.version,
    architecture: definition.architecture,
    flavor: build.flavor,
    description: metadata.description,
    digest: contents.digest,
    ociDigest: manifest.digest,
    signature: trust.state,
    ...(trust.state === "Verified" ? { signedBy: trust.signedBy } : {}),
    bytes: contents.bytes,
    images: contents.images.length,
    blobs: contents.blobs.length,
    components: definition.components.map((component) => ({
      name: component.name,
      description: component.description,
      required: component.required,
      default: component.default,
      images: component.images.length +
        component.imageArchives.reduce((sum, { images }) => sum + images.length, 0),
      charts: component.charts.length,
      manifests: component.manifests.length,
    })),
    warnings: warningsOf(contents),
  };
}

function warningsOf({ definition, unknownFields: unknown }: PackageContents): string[] {
  const more = unknown.length > MAX_NAMED ? ` and ${unknown.length - MAX_NAMED} more` : "";
  const fields = unknown.slice(0, MAX_NAMED).join(", ") + more;
  return [
    ...(unknown.length === 0 ? [] : [`zarf.yaml has fields that nobody looks at: ${fields}`]),
    ...obstacles(definition).map((obstacle) => `the agent would not deploy it: ${obstacle}`),
  ];
}

function obstacles(definition: ZarfPackage): string[] {
  try {
    return unsupported(definition, selectComponents(definition), { git: true });
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    return [error.message];
  }
}

/** The overview for people. */
export function overviewText(overview: PackageOverview): string {
  const { bytes, signedBy } = overview;
  return pairs([
    ["name", overview.name],
    ["kind", overview.kind === "ZarfPackageConfig" ? "" : overview.kind],
    ["description", overview.description],
    ["version", overview.version],
    ["architecture", overview.architecture],
    ["flavor", overview.flavor],
    ["digest", overview.digest],
    ["OCI digest", overview.ociDigest],
    ["signature", overview.signature + (signedBy === undefined ? "" : ` by ${signedBy}`)],
    ["size", `${renderBytes(bytes.archive)}, unpacked ${renderBytes(bytes.content)}`],
    ["images", `${overview.images}, in ${overview.blobs} blobs`],
    ...overview.warnings.map((warning) => ["warning", warning] as const),
  ]) + "\n" + table(
    ["COMPONENT", "DEPLOYED", "IMAGES", "CHARTS", "MANIFESTS"],
    overview.components.map((component) => [
      component.name,
      component.required ? "always" : component.default ? "by default" : "no",
      ...[component.images, component.charts, component.manifests].map(String),
    ]),
  );
}
