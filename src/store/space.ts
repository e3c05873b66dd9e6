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
}

/** Asks the file system that holds `path`. @throws what the file system throws. */
export function diskSpace(path: string): DiskSpace {
  const { bsize, blocks, bavail } = statfsSync(path);
  return { total: bsize * blocks, free: bsize * bavail };
}

/** What is left free when a package is taken in: a full disk stops the whole node. */
export function reserveOf({ total }: DiskSpace): number {
  return Math.min(MAX_RESERVE, Math.floor(total * RESERVE_SHARE));
}
