/**
 * The durable state of a node (design.md §4): blobs by digest, packages as unpacked, and the records
 * that tie them together.
 *
 * It promises that a blob is visible only when it is complete, verified and durable; that every
 * record is on the disk when the call returns; and that whatever ends the process in between, the
 * next {@linkcode Store.open} finds the state before or after, and nothing unfinished.
 *
 * {@linkcode Staging} is the way in for a package and runs in a worker; {@linkcode Store} is the
 * rest and belongs to one process.
 *
 * @module
 */
export { BlobStore, type OpenBlob, QUARANTINE_LIMIT } from "./blobs.ts";
export type { Collected, Collector } from "./collector.ts";
export type { Damage } from "./damage.ts";
export { StoreError, type StoreReason } from "./errors.ts";
export {
  CLEANING_FAILPOINTS,
  REGISTRY_STORAGE_FAILPOINTS,
  STORE_FAILPOINTS,
  type StoreFailpoint,
  UPKEEP_FAILPOINTS,
} from "./failpoints.ts";
export { type FileSink, type StoreFs, systemStoreFs } from "./fs.ts";
export type { Ledger, LedgerEntry, LedgerRefusal } from "./ledger.ts";
export { availableBytes, type SpaceNeed } from "./preflight.ts";
export { JOURNAL_LIMIT, Records } from "./records.ts";
export { type LinkedImage, type RegistryOwner, RegistryStorage } from "./registry_storage.ts";
export type { Scrubber } from "./scrub.ts";
export { type BlobSource, blobSource } from "./source.ts";
export { type DiskSpace, reserveOf } from "./space.ts";
export { Staging } from "./staging.ts";
export { Store, type StoreOptions } from "./store.ts";
export * from "./types.ts";
export type { EntryWriter } from "./writer.ts";
