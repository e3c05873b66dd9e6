import { HoldfastError } from "../../../src/std/mod.ts";

/** Why the extension image cannot be built. */
export type ExtensionReason =
  | "NotElf"
  | "WrongArchitecture"
  | "PackageMissing"
  | "LibraryMissing"
  | "BaseMissing"
  | "LicenceMissing"
  | "OriginUnknown";

/** The extension image cannot be built. */
export class ExtensionError extends HoldfastError<ExtensionReason> {}
