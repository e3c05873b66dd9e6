import { failpoint, removeQuietly, systemFs } from "../std/mod.ts";

/** Where a test may end the process while such data is taken away. */
export const ETCD_VOID_FAILPOINTS = ["etcd.void.renamed"] as const;

/** etcd's own directory below its data directory, and what becomes of it on the way out. */
const MEMBER = "member";
const TRASH = ".holdfast-void";
/** Bytes of a log's begin that are read; what an etcd writes before its first entry is far less. */
const MAX_BEGIN = 64 * 1024;
/** Bytes of a record's length, and the bits of it that are the length. */
const FRAME = 8;
const LENGTH_BITS = 56n;
/** Kinds of records: metadata, checksum and where a snapshot was made (storage/wal/wal.go). */
const [METADATA, CHECKSUM, SNAPSHOT] = [1, 4, 5] as const;
/** How a record of a snapshot ends that is of nothing: index 0, term 0. */
const OF_NOTHING: readonly number[] = [0x08, 0, 0x10, 0];
/** Tag of a record's kind, as protobuf has it: field 1, a number. */
const KIND_TAG = 0x08;

/**
 * Whether nothing was ever decided by the etcd whose data this is: its log has no entry and no state,
 * and there is no snapshot. An etcd of a new cluster that loses its power between making the log and
 * writing the first entries leaves this. It never gets any further: it finds its log, in which it
 * has no members, not even itself (etcd 3.6, server/etcdserver/bootstrap.go and server/storage/wal).
 * What cannot be read counts as decided.
 *
 * @param directory etcd's data directory.
 */
export function isVoid(directory: string): boolean {
  try {
    const names = namesIn(directory);
    if (names === undefined || names.some((name) => name !== MEMBER && name !== TRASH)) {
      return false;
    }
    if (namesIn(`${directory}/${MEMBER}/snap`)?.some((name) => name.endsWith(".snap"))) {
      return false;
    }
    const log = `${directory}/${MEMBER}/wal`;
    const segments = (namesIn(log) ?? []).filter((name) => name.endsWith(".wal"));
    if (segments.length > 1) return false;
    return segments.every((name) => hasDecidedNothing(beginOf(`${log}/${name}`)));
  } catch {
    return false;
  }
}

/**
 * Takes away data that {@linkcode isVoid}, in one step, so that a power cut leaves all of it or none.
 * An etcd that runs on it may go on running.
 *
 * @throws what the file system throws.
 */
export function removeVoid(directory: string): void {
  const [member, trash] = [`${directory}/${MEMBER}`, `${directory}/${TRASH}`];
  removeQuietly(trash);
  if (namesIn(member) !== undefined) systemFs.rename(member, trash);
  systemFs.fsyncDir(directory);
  failpoint("etcd.void.renamed");
  removeQuietly(trash);
  systemFs.fsyncDir(directory);
}

function namesIn(directory: string): string[] | undefined {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function beginOf(path: string): Uint8Array {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(MAX_BEGIN);
  let length = 0;
  for (let read: number | null = 0; read !== null && length < bytes.length; length += read ?? 0) {
    read = file.readSync(bytes.subarray(length));
  }
  return bytes.subarray(0, length);
}

/** Reads the records up to the first empty length, which is where a log that was laid out ends. */
function hasDecidedNothing(log: Uint8Array): boolean {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  let at = 0;
  while (at + FRAME <= log.length) {
    const field = view.getBigUint64(at, true);
    if (field === 0n) return true;
    // The length's highest byte says how many bytes follow the record to align the next one.
    const padding = Number(field >> LENGTH_BITS) & 0x07;
    const length = Number(BigInt.asUintN(Number(LENGTH_BITS), field));
    const record = at + FRAME;
    if (record + length > log.length) return false;
    if (!isBeforeAnything(log.subarray(record, record + length))) return false;
    at = record + length + padding;
  }
  // A log of which only the records are there, without what is laid out for more.
  return at === log.length;
}

function isBeforeAnything(record: Uint8Array): boolean {
  const [tag, kind] = record;
  if (tag !== KIND_TAG) return false;
  if (kind === METADATA || kind === CHECKSUM) return true;
  const end = record.subarray(-OF_NOTHING.length);
  return kind === SNAPSHOT && OF_NOTHING.every((byte, at) => end[at] === byte);
}
