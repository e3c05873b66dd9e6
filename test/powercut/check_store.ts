import { DatabaseSync } from "node:sqlite";
import { type Digest, digestHex, digestOf, isThere } from "../../src/std/mod.ts";
import { type Finding, findings } from "./findings.ts";
import type { GoodPackage } from "./packages.ts";

/** What is known outside of a store about what has to be in it. */
export interface StoreExpectation {
  /** Packages of which somebody was told that they are accepted. */
  readonly acknowledged: ReadonlySet<Digest>;
  /** Every package that was ever dropped, by digest. */
  readonly known: ReadonlyMap<Digest, GoodPackage>;
}

/** Records of packages, or why the database does not give them. */
interface Records {
  readonly digests: ReadonlySet<string>;
  readonly damage: readonly string[];
}

/**
 * Looks at a data directory that nobody has open, as it lies on the disk, without the program's help
 * and without changing it. An older package may be gone when a newer one of its name has a record.
 */
export function checkStore(dataDir: string, expected: StoreExpectation): Finding[] {
  const blobs = new Map(hashBlobs(dataDir));
  const records = readRecords(dataDir);
  const recorded = [...expected.known.values()].filter(({ digest }) => records.digests.has(digest));
  const names = new Set(recorded.map(({ name }) => name));
  const lost = [...expected.acknowledged].filter((digest) =>
    !records.digests.has(digest) && !names.has(expected.known.get(digest)?.name ?? "")
  );
  const strange = [...records.digests].filter((digest) => !expected.known.has(digest as Digest));
  return [
    ...findings("DatabaseDamaged", records.damage),
    ...findings("RecordLost", lost.map((digest) => expected.known.get(digest)?.file ?? digest)),
    ...findings("RecordUnknown", strange),
    ...damagedBlobs(blobs),
    ...recorded.flatMap((one) => [...lostBlobs(one, blobs), ...damagedFiles(one, dataDir)]),
    ...tornVerdicts(`${dataDir}/status`),
  ];
}

/** Whether every blob has the bytes of its name; may be asked while the agent runs. */
export function checkBlobs(dataDir: string): Finding[] {
  return damagedBlobs(hashBlobs(dataDir));
}

/** What lies in `tmp/`, of which nothing is left when all work is done. */
export function checkUnfinished(dataDir: string): Finding[] {
  const names = [...Deno.readDirSync(`${dataDir}/tmp`)].map((entry) => `tmp/${entry.name}`);
  return findings("Unfinished", names);
}

/** What each blob's name says and what its bytes say, and how many these are. */
function hashBlobs(
  dataDir: string,
): [string, { readonly digest: Digest; readonly size: number }][] {
  return filesBelow(`${dataDir}/blobs`).map(([path, absolute]) => {
    const bytes = Deno.readFileSync(absolute);
    return [path, { digest: digestOf(bytes), size: bytes.length }];
  });
}

function blobPath(digest: Digest): string {
  const hex = digestHex(digest);
  return `sha256/${hex.slice(0, 2)}/${hex}`;
}

type Blobs = Iterable<readonly [string, { readonly digest: Digest; readonly size: number }]>;

function damagedBlobs(blobs: Blobs): Finding[] {
  const bad = [...blobs].filter(([path, { digest }]) => path !== blobPath(digest));
  return findings("BlobDamaged", bad.map(([path, { size }]) => `${path} (${size} bytes)`));
}

function lostBlobs({ file, blobs }: GoodPackage, there: ReadonlyMap<string, unknown>): Finding[] {
  const lost = [...blobs].filter((digest) => !there.has(blobPath(digest)));
  return findings("BlobLost", lost.map((digest) => `${digest} of ${file}`));
}

function damagedFiles({ file, files, digest }: GoodPackage, dataDir: string): Finding[] {
  const there = new Map(filesBelow(`${dataDir}/packages/${digestHex(digest)}`));
  return [...files].flatMap(([path, expected]): Finding[] => {
    const absolute = there.get(path);
    if (absolute === undefined) return findings("FileLost", [`${path} of ${file}`]);
    const right = digestOf(Deno.readFileSync(absolute)) === expected;
    return right ? [] : findings("FileDamaged", [`${path} of ${file}`]);
  });
}

function tornVerdicts(directory: string): Finding[] {
  const torn = filesBelow(directory).filter(([path, absolute]) => {
    // What was being written beside it is swept away by the next start.
    if (!path.endsWith(".json")) return false;
    try {
      return JSON.parse(Deno.readTextFileSync(absolute)).kind !== "PackageStatus";
    } catch {
      return true;
    }
  });
  return findings("VerdictTorn", torn.map(([path]) => `status/${path}`));
}

/** Reads a copy of the database: opening the file itself would already repair it. */
function readRecords(dataDir: string): Records {
  const copy = Deno.makeTempDirSync({ prefix: "holdfast-database-" });
  try {
    for (const name of ["holdfast.db", "holdfast.db-wal"]) {
      if (isThere(`${dataDir}/${name}`)) Deno.copyFileSync(`${dataDir}/${name}`, `${copy}/${name}`);
    }
    if (!isThere(`${copy}/holdfast.db`)) return { digests: new Set(), damage: [] };
    return queryRecords(`${copy}/holdfast.db`);
  } catch (error) {
    return { digests: new Set(), damage: [`it cannot be read: ${error}`] };
  } finally {
    Deno.removeSync(copy, { recursive: true });
  }
}

function queryRecords(path: string): Records {
  const db = new DatabaseSync(path);
  try {
    const told = db.prepare("PRAGMA integrity_check").all().map((row) => row["integrity_check"]);
    const dangling = db.prepare("PRAGMA foreign_key_check").all();
    const made = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'packages'").get();
    const rows = made === undefined ? [] : db.prepare("SELECT digest FROM packages").all();
    return {
      digests: new Set(rows.map((row) => String(row["digest"]))),
      damage: [
        ...told.filter((line) => line !== "ok").map(String),
        ...dangling.map((row) => `a row of ${row["table"]} points at nothing`),
      ],
    };
  } finally {
    db.close();
  }
}

/** Every file below a directory, by relative and absolute path; none where there is no directory. */
export function filesBelow(directory: string, below = ""): [string, string][] {
  const found: [string, string][] = [];
  try {
    for (const entry of Deno.readDirSync(`${directory}/${below}`)) {
      const path = `${below}${entry.name}`;
      if (entry.isDirectory) found.push(...filesBelow(directory, `${path}/`));
      else found.push([path, `${directory}/${path}`]);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}
