/**
 * Fills a disk up to a few pages, lets the store write there, and frees it again: with a page more each
 * time, until what is written fits. Its argument is the disk's directory; it prints a
 * {@linkcode FullDisk} for each thing that the store does.
 *
 * @module
 */
import { digestOf } from "../../../src/std/mod.ts";
import { Staging, Store, StoreError } from "../../../src/store/mod.ts";
import { type StoreState, storeState } from "./store_state.ts";

/** What came of one thing that was done on a full disk. */
export interface FullDisk {
  /** How often it was told that the disk is full. */
  readonly told: number;
  /** Other errors, and what was lost. */
  readonly faults: readonly string[];
  /** Whether it ended as on a disk with room. */
  readonly passed: boolean;
}

const PAGE = 4096;
const MAX_ROUNDS = 300;
/** More than one page. */
const LONG = "x".repeat(5 * PAGE);

type Deed = (store: Store) => void | Promise<void>;

const DEEDS: Readonly<Record<string, Deed>> = {
  record: (store) => store.records.setValue("key", LONG),
  ledger: (store) => store.ledger.note({ name: LONG, version: "1", digest: digestOf(LONG) }),
  blob: (store) => store.blobs.write(digestOf(LONG), LONG.length, once(LONG)),
  package: importPackage,
  start: (store) => Store.open(`${store.dir}/inner`).close(),
};

const [root = ""] = Deno.args;
const results: Record<string, FullDisk> = {};
for (const [name, deed] of Object.entries(DEEDS)) results[name] = await sweep(name, deed);
for (const left of ["stopped", "killed"] as const) {
  for (const what of ["pages", "files"] as const) {
    results[`${left}, ${what}`] = frozen(left, what);
  }
}
// deno-lint-ignore no-console
console.log(JSON.stringify(results));

async function sweep(name: string, deed: Deed): Promise<FullDisk> {
  const undisturbed = await onDisk(`${root}/undisturbed`, async (store) => {
    await deed(store);
    return JSON.stringify(stateOf(store));
  });
  return await onDisk(`${root}/${name}`, async (store) => {
    const before = stateOf(store);
    const faults: string[] = [];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const error = await onFullDisk(round * PAGE, () => deed(store));
      const after = stateOf(store);
      if (error === undefined) {
        return { told: round, faults, passed: JSON.stringify(after) === undisturbed };
      }
      if (!(error instanceof StoreError && error.reason === "DiskFull")) {
        faults.push(`with ${round} pages: ${error}`);
      }
      faults.push(...lost(before, after).map((what) => `with ${round} pages: ${what}`));
    }
    return { told: MAX_ROUNDS, faults, passed: false };
  });
}

/**
 * Starts a store that was left so with room for any number of pages, or of files: it must be read each
 * time, and told is how often nothing could be written.
 */
function frozen(left: "stopped" | "killed", what: "pages" | "files"): FullDisk {
  const [dir, before] = [`${root}/frozen`, `${root}/before`];
  leave(before, left);
  const faults: string[] = [];
  copy(before, dir);
  Store.open(dir).close();
  const expected = JSON.stringify(storeState(dir));
  Deno.removeSync(dir, { recursive: true });
  for (let round = 0; round < MAX_ROUNDS; round++) {
    copy(before, dir);
    const undo = what === "pages" ? filled(round * PAGE) : filledFiles(round);
    let isFrozen = true;
    try {
      using store = Store.open(dir, { mayFreeze: true });
      isFrozen = store.frozen !== undefined;
      if (store.records.getValue("before") !== "kept") {
        faults.push(`with ${round}: nothing is read`);
      }
      if (isFrozen && store.thaw()) faults.push(`with ${round}: it thaws`);
      undo();
      if (!store.thaw()) faults.push(`with ${round}: it does not thaw`);
    } catch (error) {
      undo();
      faults.push(`with ${round}: ${error}`);
    }
    if (JSON.stringify(storeState(dir)) !== expected) faults.push(`with ${round}: it is another`);
    Deno.removeSync(dir, { recursive: true });
    if (!isFrozen || faults.length > 0) {
      Deno.removeSync(before, { recursive: true });
      return { told: round, faults, passed: !isFrozen };
    }
  }
  return { told: MAX_ROUNDS, faults, passed: false };
}

/** Makes a store, closed or as a killed process leaves it; then its log is not in its database yet. */
function leave(dir: string, how: "stopped" | "killed"): void {
  const at = how === "stopped" ? dir : `${dir}-running`;
  const store = Store.open(at);
  store.records.setValue("before", "kept");
  if (how === "killed") {
    copy(at, dir);
    Deno.removeSync(`${dir}/holdfast.db-shm`);
  }
  store.close();
  if (at !== dir) Deno.removeSync(at, { recursive: true });
}

function copy(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copy(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Leaves so many bytes until what is returned is called. */
function filled(left: number): () => void {
  const filler = `${root}/filler`;
  fill(filler, left);
  return () => removed(filler);
}

/** Leaves so many inodes. */
function filledFiles(left: number): () => void {
  const names = `${root}/names`;
  Deno.mkdirSync(names);
  let count = 0;
  try {
    for (;; count++) Deno.writeFileSync(`${names}/${count}`, new Uint8Array(), { createNew: true });
  } catch {
    for (let free = 0; free < left; free++) Deno.removeSync(`${names}/${--count}`);
  }
  return () => removed(names);
}

function removed(path: string): void {
  if (exists(path)) Deno.removeSync(path, { recursive: true });
}

async function onDisk<T>(dir: string, action: (store: Store) => Promise<T>): Promise<T> {
  try {
    using store = Store.open(dir);
    store.records.setValue("before", "kept");
    return await action(store);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** What the action throws when so many bytes are left. */
async function onFullDisk(left: number, action: () => void | Promise<void>): Promise<unknown> {
  const filler = `${root}/filler`;
  fill(filler, left);
  try {
    await action();
    return undefined;
  } catch (error) {
    return error;
  } finally {
    Deno.removeSync(filler);
  }
}

function fill(path: string, left: number): void {
  using file = Deno.openSync(path, { write: true, create: true });
  const page = new Uint8Array(PAGE);
  try {
    for (;;) file.writeSync(page);
  } catch {
    file.truncateSync(Math.max(0, file.statSync().size - left));
  }
}

/** Files and rows; a store that was started inside is removed. */
function stateOf({ dir }: Store): StoreState {
  const inner = `${dir}/inner`;
  if (exists(inner)) Deno.removeSync(inner, { recursive: true });
  return storeState(dir);
}

/** What was there and is not, or is unfinished. */
function lost(before: StoreState, after: StoreState): string[] {
  const files = Object.keys(before.files).filter((path) =>
    after.files[path] !== before.files[path]
  );
  const unfinished = Object.keys(after.files).filter((path) => /^tmp\/|\.tmp$/.test(path));
  const rows = Object.entries(before.tables).filter(([name, rows]) => {
    const kept = new Set(after.tables[name]?.map((row) => JSON.stringify(row)));
    return rows.some((row) => !kept.has(JSON.stringify(row)));
  });
  return [...files, ...unfinished, ...rows.map(([name]) => name)];
}

function importPackage(store: Store): void {
  const staging = Staging.create(store.dir, "ingest");
  try {
    const blob = staging.blob(digestOf(LONG), LONG.length);
    blob?.write(new TextEncoder().encode(LONG));
    blob?.close();
    const file = staging.file("charts/a/Chart.yaml", 1, 0o644);
    file.write(new Uint8Array(1));
    file.close();
    staging.commit(digestOf("a package"));
  } catch (error) {
    staging.discard();
    throw error;
  }
  store.records.setValue("package", LONG);
}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(new TextEncoder().encode(text));
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
