import { statfsSync } from "node:fs";

/** The most that is kept free on the data disk for the rest of the node, in bytes. */
export const MAX_RESERVE = 256 << 20;
/** The share of a small disk that is kept free instead. */
const RESERVE_SHARE = 0.05;

/** Room on a disk, in bytes. */
export interface DiskSpace {
  readonly total: number;
  /** What this program may still take. */
  readonly free: number;
  /** Files that may still be made, where the file system has a number of them (inodes). */
  readonly freeFiles?: number;
}

/** A disk with fewer bytes is full. */
const FULL_BYTES = 1 << 20;
/** A disk with room for fewer files is full. */
const FULL_FILES = 16;
/** What a start needs, in bytes: the database's log grows to 4 MB before it is taken over. */
export const START_BYTES = 8 << 20;
/** What a start needs of files. */
export const START_FILES = 64;

/** Asks the file system that holds `path`. @throws what the file system throws. */
export function diskSpace(path: string): DiskSpace {
  const { bsize, blocks, bavail, files, ffree } = statfsSync(path);
  const counted = files > 0 ? { freeFiles: ffree } : {};
  return { total: bsize * blocks, free: bsize * bavail, ...counted };
}

/** What there is too little of; undefined where a disk is not full. */
export function fullness({ free, freeFiles = Infinity }: DiskSpace): "files" | "space" | undefined {
  if (freeFiles < FULL_FILES) return "files";
  return free < FULL_BYTES ? "space" : undefined;
}

/** Whether a store can be started there. */
export function hasStartRoom({ free, freeFiles = Infinity }: DiskSpace): boolean {
  return free >= START_BYTES && freeFiles >= START_FILES;
}

/** What is left free when a package is taken in: a full disk stops the whole node. */
export function reserveOf({ total }: DiskSpace): number {
  return Math.min(MAX_RESERVE, Math.floor(total * RESERVE_SHARE));
}
