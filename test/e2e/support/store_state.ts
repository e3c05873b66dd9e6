import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

/** Everything durable of an agent, in a form in which two of them can be compared. */
export interface StoreState {
  /** sha256 by path below the data directory; links by their target. */
  readonly files: Readonly<Record<string, string>>;
  /** Rows by table. */
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
}

/** The database's own files change with every look, the lock has no content. */
const OWN_FILES = /^holdfast\.(db|db-wal|db-shm|lock)$/;
/** What says when, and which copy of a file: different in any two runs. */
const UNSTEADY = new Set(["accepted_at", "at", "mtime_ns", "inode"]);
/** SQLite's own: the highest numbers given away. A record that is put again takes one for nothing. */
const COUNTERS = "sqlite_sequence";

/** Reads the data directory of an agent, also of one that runs. */
export function storeState(dataDir: string): StoreState {
  return { files: fileDigests(dataDir), tables: tableRows(dataDir) };
}

/** What must not change when a package is refused: everything but what is said about its file. */
export function stateBesideDrops(dataDir: string): StoreState {
  const { files, tables } = storeState(dataDir);
  const { drops: _, ...rest } = tables;
  const kept = Object.entries(files).filter(([path]) => !path.startsWith("status/"));
  return { files: Object.fromEntries(kept), tables: rest };
}

function fileDigests(dataDir: string): Record<string, string> {
  const files: Record<string, string> = {};
  const walk = (below: string) => {
    for (const entry of Deno.readDirSync(`${dataDir}/${below}`)) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (OWN_FILES.test(path)) continue;
      if (entry.isDirectory) walk(path);
      else if (entry.isSymlink) files[path] = `-> ${Deno.readLinkSync(`${dataDir}/${path}`)}`;
      else files[path] = digestOfFile(dataDir, path);
    }
  };
  walk("");
  return Object.fromEntries(Object.entries(files).sort());
}

function digestOfFile(dataDir: string, path: string): string {
  if (path.startsWith("status/")) {
    // A verdict says when it was made and where the file was dropped.
    const { observedAt: _, file, ...verdict } = JSON.parse(
      Deno.readTextFileSync(`${dataDir}/${path}`),
    );
    return JSON.stringify({ ...verdict, file: file.slice(file.lastIndexOf("/") + 1) });
  }
  return createHash("sha256").update(Deno.readFileSync(`${dataDir}/${path}`)).digest("hex");
}

function tableRows(dataDir: string): Record<string, Record<string, unknown>[]> {
  const db = new DatabaseSync(`${dataDir}/holdfast.db`, { readOnly: true });
  try {
    const names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .all().map((row) => String(row["name"])).filter((name) => name !== COUNTERS);
    return Object.fromEntries(names.map((name) => {
      const rows = db.prepare(`SELECT * FROM "${name}"`).all().map(steady);
      return [name, rows.sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)];
    }));
  } finally {
    db.close();
  }
}

function steady(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).filter(([column]) => !UNSTEADY.has(column)).map(([column, value]) => [
      column,
      column === "path" ? String(value).replace(/^.*\//, "") : value,
    ]),
  );
}
