/**
 * Every place in the store where a test may end the process. `…written`, `…synced` and `…renamed`
 * are passed once for each file or directory, right after the call of that name.
 */
export const STORE_FAILPOINTS = [
  "store.staging.created",
  "store.blob.written",
  "store.blob.synced",
  "store.blob.renamed",
  "store.blob.directory.synced",
  "store.package.written",
  "store.package.synced",
  "store.package.renamed",
  "store.package.directory.synced",
  "store.staging.removed",
  "store.record.committing",
  "store.record.committed",
] as const;

/** One of {@linkcode STORE_FAILPOINTS}. */
export type StoreFailpoint = typeof STORE_FAILPOINTS[number];

/** The same for what changes when a package takes the place of another. */
export const UPKEEP_FAILPOINTS = [
  "store.ledger.written",
  "store.ledger.renamed",
  "store.package.removed",
  "store.blob.removed",
] as const;

/**
 * Every place in which a test may end the process while a blob is handed to the in-cluster registry
 * or replaced there.
 */
export const REGISTRY_STORAGE_FAILPOINTS = [
  "store.registry.directory.made",
  "store.registry.linked",
  "store.registry.entry.written",
  "store.registry.entry.renamed",
  "store.registry.replacement.linked",
  "store.registry.replaced",
] as const;
