import { DatabaseSync } from "node:sqlite";
import { type Clock, systemClock, watchFailpoints } from "../std/mod.ts";
import { exists, lookAt, type StoreFs, systemStoreFs } from "./fs.ts";
import { Store } from "./store.ts";
import { type DatabaseImage, readDatabase, writeDatabase } from "./testing_database.ts";

/** What a process does with a store between its start and its end; done again it goes on. */
export type Life = (store: Store, fs: StoreFs) => void | Promise<void>;

/** Where a life may end: any change of the disk, before it is made, or a failpoint. */
export type Place = string;

/** How a life ends. */
export interface Ending {
  /** The place, counted from 1. @default none: it ends by itself */
  readonly at?: number;
  /** Which places count. @default all */
  readonly counts?: (place: Place) => boolean;
}

/** Long after every grace. */
const LATE_CLOCK: Clock = { ...systemClock, monotonic: () => performance.now() + 1e9 };

class Killed extends Error {}

/**
 * Opens the store at `dir`, lives and closes it; ended at a place, the disk is left as SIGKILL leaves
 * it. It costs milliseconds where a process costs hundreds.
 *
 * @returns the places that were passed; the last one is where it was ended.
 */
export async function live(dir: string, life: Life, ending: Ending = {}): Promise<Place[]> {
  const { at = Infinity, counts = () => true } = ending;
  const places: Place[] = [];
  let isDead = false;
  let image: DatabaseImage | undefined;
  const pass = (place: Place) => {
    if (isDead) throw new Killed();
    if (!counts(place)) return;
    places.push(place);
    if (places.length < at) return;
    isDead = true;
    image = readDatabase(dir);
    throw new Killed();
  };
  let store: Store | undefined;
  watchFailpoints(pass);
  try {
    const fs = watched(pass);
    store = Store.open(dir, { fs, clock: LATE_CLOCK });
    await life(store, fs);
    store.close();
    store = undefined;
  } catch (error) {
    if (!isDead) throw error;
  } finally {
    watchFailpoints(undefined);
    letGo(store);
    // What giving back has done to the database is undone.
    if (image !== undefined && exists(`${dir}/holdfast.db`)) writeDatabase(dir, image);
  }
  return places;
}

/**
 * Files with their modes and owners, and rows: everything that counts of a data directory that nobody
 * has open. What is chosen by chance in names is left out.
 */
export function stateOf(
  dir: string,
): { files: Record<string, string>; tables: Record<string, string[]> } {
  const database = `${dir}/holdfast.db`;
  return {
    files: exists(dir) ? Object.fromEntries(filesBelow(dir, "")) : {},
    tables: exists(database) ? tablesOf(database) : {},
  };
}

/** Makes `to` a copy of the data directory `from`, if it is there; nobody has it open. */
export function copyTree(from: string, to: string): void {
  const info = lookAt(from);
  if (info === undefined) return;
  if (info.isSymlink) return Deno.symlinkSync(Deno.readLinkSync(from), to);
  if (info.isDirectory) {
    Deno.mkdirSync(to);
    for (const { name } of Deno.readDirSync(from)) copyTree(`${from}/${name}`, `${to}/${name}`);
  } else Deno.copyFileSync(from, to);
  const { mode, uid, gid, atime, mtime } = info;
  Deno.chmodSync(to, mode ?? 0o755);
  Deno.chownSync(to, uid, gid);
  Deno.utimeSync(to, atime ?? 0, mtime ?? 0);
}

function watched(pass: (place: Place) => void): StoreFs {
  const passing = <F extends (...args: never[]) => unknown>(place: Place, call: F): F =>
    ((...args: Parameters<F>) => {
      pass(place);
      return call(...args);
    }) as F;
  const calls = Object.entries(systemStoreFs)
    .map(([name, call]) => [name, passing(name, call)] as const);
  const fs: StoreFs = { ...systemStoreFs, ...Object.fromEntries(calls) };
  return {
    ...fs,
    remove: (path) => {
      pass(exists(path) ? "remove" : "remove nothing");
      systemStoreFs.remove(path);
    },
    create: (path, mode) => {
      const sink = fs.create(path, mode);
      return { close: () => sink.close(), write: passing("write", (bytes) => sink.write(bytes)) };
    },
  };
}

function letGo(store: Store | undefined): void {
  try {
    store?.close();
  } catch {
    // It belongs to a process that is gone.
  }
}

function* filesBelow(dir: string, below: string): Generator<[string, string]> {
  for (const { name, isDirectory, isSymlink } of Deno.readDirSync(`${dir}/${below}`)) {
    const path = `${below}${name}`;
    if (path.startsWith("holdfast.db")) continue;
    const { mode, uid } = Deno.lstatSync(`${dir}/${path}`);
    const rights = `${((mode ?? 0) & 0o777).toString(8)} of ${uid}`;
    const known = path.replace(BY_CHANCE, "*");
    if (isDirectory) {
      yield [`${known}/`, rights];
      yield* filesBelow(dir, `${path}/`);
    } else if (isSymlink) yield [known, `-> ${Deno.readLinkSync(`${dir}/${path}`)}`];
    else yield [known, `${rights}: ${Deno.readTextFileSync(`${dir}/${path}`)}`];
  }
}

/** The names of blobs below `tmp/`, and what is behind those of files that are replaced. */
const BY_CHANCE = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|[0-9a-f]{8}(?=\.tmp$)/;

/** SQLite's own counters are left out: a record that is put again takes a number for nothing. */
function tablesOf(path: string): Record<string, string[]> {
  const db = new DatabaseSync(path);
  try {
    const names = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .all().map(({ name }) => String(name)).filter((name) => name !== "sqlite_sequence");
    return Object.fromEntries(names.map((name) => [
      name,
      db.prepare(`SELECT * FROM "${name}"`).all().map((row) => JSON.stringify(row)).sort(),
    ]));
  } finally {
    db.close();
  }
}
