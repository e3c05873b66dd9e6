/**
 * Notices package files in the drop directories and takes each into the store once.
 *
 * - A package is a file, the parts of a split one, or an unpacked directory, in the drop directory
 *   or in folders below it.
 * - It is read when it has stopped changing; a half-copied one is never taken for whole.
 * - A file at fault is refused with a reason, and changes nothing in the store. Trusted keys are
 *   asked when a package is taken in: what they refuse is read again when there are other keys.
 * - A failure that may pass (no space, an I/O error) is tried again for ever, ever more slowly.
 * - Removing a file changes nothing.
 *
 * @module
 */
export { parseOutcome } from "./outcome.ts";
export { REFUSE_TIME, SETTLE_TIME, SETTLE_TIME_AGAIN } from "./settle.ts";
export type { DropOutcome, DroppedFile, FileIdentity } from "./types.ts";
export { DROP_FAILPOINTS, type DropOptions, DropWatcher } from "./watcher.ts";
