/**
 * Every place in the store where a test may end the process. `…written`, `…synced` and `…renamed`
 * are passed once for each file or directory, right after the call of that name.
 */
export const STORE_FAILPOINTS = [
  "store.directory.made",
  "store.directory.synced",
  "store.database.created",
  "store.database.migrated",
  "store.database.synced",
  "store.staging.created",
  "store.blob.written",
  "store.blob.directory.made",
  "store.blobs.synced",
  "store.blob.synced",
  "store.blob.renamed",
  "store.blob.directory.synced",
  "store.package.written",
  "store.package.synced",
  "store.package.tree.synced",
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
  "store.ledger.synced",
  "store.package.removed",
  "store.package.removal.synced",
  "store.package.removal.done",
  "store.blob.removed",
] as const;

/** The same for what is not whole or not wanted, and for the end. */
export const CLEANING_FAILPOINTS = [
  "store.tmp.removed",
  "store.staging.discarded",
  "store.quarantine.renamed",
  "store.quarantine.synced",
  "store.quarantine.trimmed",
  "store.closed",
] as const;

/**
 * Every place in which a test may end the process while a blob is handed to the in-cluster registry
 * or replaced there.
 */
export const REGISTRY_STORAGE_FAILPOINTS = [
  "store.registry.directory.made",
  "store.registry.directory.synced",
  "store.registry.link.made",
  "store.registry.linked",
  "store.registry.entry.written",
  "store.registry.entry.renamed",
  "store.registry.entry.synced",
  "store.registry.replacement.linked",
  "store.registry.replaced",
  "store.registry.replacement.synced",
] as const;
