import { HoldfastError } from "../std/mod.ts";

/** Why something about Zarf's in-cluster state did not work. */
export type ZarfReason =
  /** The Secret is there, but its content is not what Zarf 0.84 writes. */
  | "StateInvalid"
  /** A package record is there, but its content is not what Zarf 0.84 writes. */
  | "PackageRecordInvalid"
  /** The namespace `zarf` got no ServiceAccount in time. */
  | "ServiceAccountMissing"
  /** The Gitea of an init package does not do what it is told. */
  | "GitServerRefused"
  /** The registry answered with an error that another attempt cannot change. */
  | "RegistryRefused"
  /** The registry could not be reached, or failed in a way that may pass. */
  | "RegistryUnavailable";

/** A failure around Zarf's in-cluster state or registry. */
export class ZarfError extends HoldfastError<ZarfReason> {}
