import * as v from "valibot";
import {
  compareVersions,
  describeError,
  type Digest,
  dirname,
  type DurableFs,
  isDigest,
  type Logger,
  removeUnfinished,
  writeFileAtomic,
} from "../std/mod.ts";
import type { Database, Row } from "./database.ts";
import { guarded } from "./errors.ts";
import { digestIn, numberIn, textIn } from "./rows.ts";

/** Entries that are kept of one name; the oldest go first, but never the highest version. */
export const LEDGER_LIMIT = 256;
/** The largest copy that is read, in bytes; what this program writes of 1000 names is smaller. */
const MAX_COPY = 64 << 20;

/** What a signed package says of itself, as far as its place in the ledger matters. */
export interface LedgerEntry {
  /** The package's name. */
  readonly name: string;
  /** Empty when the package has none. */
  readonly version: string;
  /** Of its definition. */
  readonly digest: Digest;
}

/** Why a package must not come back. */
export interface LedgerRefusal {
  readonly reason: "OlderVersion" | "AlreadySuperseded";
  /** The entry that stands against it. */
  readonly by: LedgerEntry;
}

interface PlacedEntry extends LedgerEntry {
  /** Grows with each acceptance of the name. */
  readonly position: number;
}

const copySchema = v.object({
  entries: v.array(v.object({
    name: v.string(),
    version: v.string(),
    digest: v.custom<Digest>((value) => typeof value === "string" && isDigest(value)),
    position: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  })),
});

/**
 * Which signed packages this node has accepted, so that an old one cannot be played again. No clock
 * is asked: order is that of acceptance, and of versions.
 *
 * It is kept twice, in the database and in a file beside it, and read as the union of both: whoever
 * puts back an older copy of one of them does not make the node forget.
 */
export class Ledger {
  readonly #db: Database;
  readonly #path: string;
  readonly #fs: DurableFs;

  /** @param path of the copy beside the database. */
  constructor(db: Database, path: string, fs: DurableFs) {
    this.#db = db;
    this.#path = path;
    this.#fs = fs;
  }

  /**
   * Brings database and copy together; call it once, before anything is judged. A copy that cannot
   * be read is said and written anew.
   *
   * @throws {StoreError} what the disk says.
   */
  open(logger: Logger): void {
    const directory = dirname(this.#path);
    removeUnfinished(directory, this.#path.slice(directory.length + 1), this.#fs);
    const known = new Map(this.#rows().map((entry) => [keyOf(entry), entry.position]));
    const copied = readCopy(this.#path, logger);
    const lost = copied?.filter((entry) => entry.position > (known.get(keyOf(entry)) ?? -1)) ?? [];
    if (lost.length > 0) {
      this.#db.transaction(() => lost.forEach((entry) => this.#put(entry)));
      logger.warn("the database had forgotten packages that were accepted; the ledger has them", {
        entries: lost.length,
      });
    }
    const now = this.#rows();
    if (now.length > 0 && JSON.stringify(copied) !== JSON.stringify(now)) this.#writeCopy();
  }

  /**
   * Whether the package may be accepted: it is the one that was accepted last, or was never seen and
   * has no lower version than any before it. Versions that cannot be compared are not held against
   * it.
   */
  judge(entry: LedgerEntry): LedgerRefusal | undefined {
    const accepted = this.#rows(entry.name);
    const current = accepted.at(-1);
    if (current === undefined || current.digest === entry.digest) return undefined;
    if (accepted.some(({ digest }) => digest === entry.digest)) {
      return { reason: "AlreadySuperseded", by: current };
    }
    const highest = highestOf(accepted);
    const order = compareVersions(entry.version, highest.version);
    return order !== undefined && order < 0 ? { reason: "OlderVersion", by: highest } : undefined;
  }

  /**
   * Records an acceptance; durable in both places when this returns.
   *
   * @throws {StoreError} what the disk says.
   */
  note(entry: LedgerEntry): void {
    const accepted = this.#rows(entry.name);
    const current = accepted.at(-1);
    if (current?.digest !== entry.digest) {
      this.#db.transaction(() => {
        this.#put({ ...entry, position: (current?.position ?? 0) + 1 });
        this.#trim(entry.name);
      });
    }
    // Also when it was there: the run that recorded it may have ended before this.
    this.#writeCopy();
  }

  /** All entries, by name and in the order of their acceptance. */
  entries(): LedgerEntry[] {
    return this.#rows().map(({ name, version, digest }) => ({ name, version, digest }));
  }

  #rows(name?: string): PlacedEntry[] {
    return this.#db.all(
      `SELECT * FROM ledger WHERE ?1 IS NULL OR name = ?1 ORDER BY name, position`,
      name ?? null,
    ).map(entryOf);
  }

  #put({ name, version, digest, position }: PlacedEntry): void {
    this.#db.run(
      "INSERT OR REPLACE INTO ledger (name, digest, version, position) VALUES (?, ?, ?, ?)",
      name,
      digest,
      version,
      position,
    );
  }

  #trim(name: string): void {
    const rows = this.#rows(name);
    const highest = highestOf(rows);
    const kept = rows.filter((row) => row !== highest).slice(-(LEDGER_LIMIT - 1));
    for (const row of rows) {
      if (row === highest || kept.includes(row)) continue;
      this.#db.run("DELETE FROM ledger WHERE name = ? AND digest = ?", name, row.digest);
    }
  }

  #writeCopy(): void {
    const text = `${JSON.stringify({ entries: this.#rows() })}\n`;
    guarded(
      "keep the ledger",
      () => writeFileAtomic(this.#path, text, { fs: this.#fs, name: "store.ledger" }),
    );
  }
}

function highestOf(entries: readonly PlacedEntry[]): PlacedEntry {
  return entries.reduce((highest, entry) =>
    (compareVersions(entry.version, highest.version) ?? 0) > 0 ? entry : highest
  );
}

function keyOf({ name, digest }: LedgerEntry): string {
  return `${name} ${digest}`;
}

function entryOf(row: Row): PlacedEntry {
  return {
    name: textIn(row, "name"),
    version: textIn(row, "version"),
    digest: digestIn(row, "digest"),
    position: numberIn(row, "position"),
  };
}

/** What the copy holds; `undefined` where there is none, or none that can be read. */
function readCopy(path: string, logger: Logger): PlacedEntry[] | undefined {
  try {
    if (Deno.statSync(path).size > MAX_COPY) throw new Error("it is too large");
    return v.parse(copySchema, JSON.parse(Deno.readTextFileSync(path))).entries;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    logger.error(
      `the copy of the ledger cannot be read and is written anew: ${describeError(error)}`,
    );
    return undefined;
  }
}
