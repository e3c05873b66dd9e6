import { removeQuietly } from "../std/mod.ts";

/** SQLite's files as they are, or would be after a power cut. */
export interface DatabaseImage {
  readonly main: Uint8Array;
  /** The write-ahead log; absent when there is none. */
  readonly log?: Uint8Array;
}

/** Bytes that a disk writes as one. */
const SECTOR = 512;

/** Reads the database of a data directory between two transactions; undefined when there is none. */
export function readDatabase(dir: string): DatabaseImage | undefined {
  const main = readIfThere(`${dir}/holdfast.db`);
  const log = readIfThere(`${dir}/holdfast.db-wal`);
  return main === undefined ? undefined : { main, ...(log === undefined ? {} : { log }) };
}

/** Makes an image the database of a data directory that nobody has open. */
export function writeDatabase(dir: string, { main, log }: DatabaseImage): void {
  removeQuietly(`${dir}/holdfast.db-shm`);
  removeQuietly(`${dir}/holdfast.db-wal`);
  Deno.writeFileSync(`${dir}/holdfast.db`, main);
  if (log !== undefined) Deno.writeFileSync(`${dir}/holdfast.db-wal`, log, { mode: 0o600 });
}

/**
 * What a power cut in the middle of a commit leaves: any sectors of the log that differ are old or
 * new, and it ends anywhere. The database itself is written when the log is flushed, so that it is
 * as before.
 */
export function tornCommit(
  before: DatabaseImage,
  after: DatabaseImage,
  random: () => number,
): DatabaseImage {
  const old = before.log ?? new Uint8Array();
  const fresh = after.log ?? old;
  const shortest = Math.min(old.length, fresh.length);
  const log = new Uint8Array(shortest + Math.floor(random() * (fresh.length - shortest + 1)));
  const share = random();
  for (let at = 0; at < log.length; at += SECTOR) {
    const source = random() < share ? fresh : old;
    log.set(source.subarray(at, Math.min(at + SECTOR, log.length)), at);
  }
  return { main: before.main, log };
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
