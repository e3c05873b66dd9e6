import { HoldfastError } from "../std/mod.ts";

/** Why a package that is not at fault could not be inspected. */
export type InspectReason =
  /** The file cannot be opened or read. */
  | "PackageUnreadable"
  /** More manifests than this program keeps in memory. */
  | "TooManyManifests"
  /** It holds no SBOM. */
  | "NoSbom"
  /** It holds no documentation, or none under that key. */
  | "NoDocumentation"
  /** A component was named that the package does not have. */
  | "NoSuchComponent"
  /** A variable that somebody has to set has no value. */
  | "VariableMissing"
  /** A file with package values cannot be read. */
  | "ValuesUnreadable"
  /** There is no helm to render charts with. */
  | "ChartsNotRendered";

/** The package could not be looked at as it was asked. */
export class InspectError extends HoldfastError<InspectReason> {}
