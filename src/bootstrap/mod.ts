/**
 * Brings up the in-cluster registry where there is none, with nothing but the API server between the
 * nodes: the registry's image travels as ConfigMaps, every agent puts it together and serves it, the
 * registry starts from there on whatever node it is given, and the ConfigMaps go away.
 *
 * - Everything is level-based: a kill at any moment and a new start end in the same state.
 * - What is published is paced by what the API server bears.
 * - Nothing that was assembled is used before its digest is right.
 * - A registry is replaced while it goes on answering; one that does not start replaces nothing.
 *
 * @module
 */
export { SEED_ANNOTATION } from "./acknowledge.ts";
export {
  BOOTSTRAP_FAILPOINTS,
  type BootstrapOptions,
  type BootstrapStage,
  ensureRegistry,
  type RegistryAccess,
} from "./bootstrap.ts";
export { BootstrapError, type BootstrapReason } from "./errors.ts";
export { CHUNK_BYTES, type Seed } from "./payload.ts";
export {
  REGISTRY_GID,
  REGISTRY_UID,
  registryDeployment,
  type RegistryPlan,
  registrySecret,
  type RegistryWishes,
} from "./registry_objects.ts";
export {
  parseRegistryImage,
  registryAddress,
  type RegistryImage,
  registryImage,
  registryIsHere,
} from "./registry.ts";
export {
  REPLACE_FAILPOINTS,
  type Replaced,
  type ReplaceOptions,
  replaceRegistry,
} from "./replace_registry.ts";
export { knownSeed, manifestBlobs, rememberSeed } from "./seed.ts";
export { SeedFollower, type SeedFollowerOptions, type SeedRegistry } from "./seed_follower.ts";
