import { archive, checksums, component, tar, zstd } from "./archive_targets.ts";
import { definition, images, signature } from "./content_targets.ts";
import type { Target } from "./target.ts";

/** Everything that is fuzzed, by name. */
export const TARGETS: readonly Target[] = [
  zstd,
  tar,
  component,
  checksums,
  definition,
  images,
  signature,
  archive,
];
