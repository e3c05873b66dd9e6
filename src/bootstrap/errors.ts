import { HoldfastError } from "../std/mod.ts";

/** Why bringing up the registry did not work. */
export type BootstrapReason =
  | "NoSeedImage"
  | "SeedUnreadable"
  | "PayloadInvalid"
  | "PayloadIncomplete"
  | "NodeUnknown"
  | "RegistryNotReady"
  | "RegistryReplacementFailed"
  /** The site has a registry of its own, outside of the cluster. */
  | "RegistryOutside"
  | "RegistryRefused";

/** A failure of the bootstrap; everything that was done before it is kept and used again. */
export class BootstrapError extends HoldfastError<BootstrapReason> {}
