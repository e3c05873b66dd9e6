import type { FileIdentity } from "./types.ts";

/**
 * A file that has not changed for this long (milliseconds) is taken to be whole, and is read. Linux
 * makes whoever writes more than the disk takes pause for up to 200 (mm/page-writeback.c, MAX_PAUSE).
 */
export const SETTLE_TIME = 250;
/**
 * The same for a file that was read before in vain (milliseconds): it comes from something slow, and
 * reading it too early once costs nothing but work.
 */
export const SETTLE_TIME_AGAIN = 1_000;
/**
 * A file that was read and found wanting is refused only when it has not changed for this long
 * (milliseconds): until then somebody may still be copying it.
 */
export const REFUSE_TIME = 5_000;

/** Files as they were seen, and since when each has not changed. */
export class SettleWatch {
  readonly #seen = new Map<string, { readonly identity: FileIdentity; readonly since: number }>();

  /**
   * Notes what a file looks like at monotonic time `now` and says for how many milliseconds it has
   * looked so; 0 when it is new or has changed. The file's own time is not used: clocks lie.
   */
  unchangedFor(identity: FileIdentity, now: number): number {
    const last = this.#seen.get(identity.path);
    if (last !== undefined && sameFile(last.identity, identity)) return now - last.since;
    this.#seen.set(identity.path, { identity, since: now });
    return 0;
  }

  /** Forgets every file that is not in `paths`. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const path of this.#seen.keys()) if (!paths.has(path)) this.#seen.delete(path);
  }
}

/** Whether nothing tells the two apart. */
export function sameFile(one: FileIdentity, other: FileIdentity): boolean {
  return one.path === other.path && one.size === other.size && one.mtimeNs === other.mtimeNs &&
    one.inode === other.inode;
}
