import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { BlobStore } from "./blobs.ts";
import { CleanMark } from "./clean_mark.ts";
import { Database } from "./database.ts";
import { StoreError } from "./errors.ts";
import { systemStoreFs } from "./fs.ts";
import { Layout } from "./layout.ts";
import { Ledger } from "./ledger.ts";
import { Records } from "./records.ts";
import { packageWith, withFastDirectory } from "./testing.ts";
import { SEED_OWNER } from "./types.ts";

interface Bench {
  readonly db: Database;
  readonly layout: Layout;
  readonly records: Records;
}

/** More than fits on a page, so that a write needs new ones. */
const LONG = "x".repeat(20_000);
const BEFORE = packageWith("web", "1.0.0");
const ADDED = packageWith("db", "7");
/** A package of many images. */
const LARGE = {
  ...ADDED,
  images: Array.from({ length: 100 }, (_, index) => ({
    ...ADDED.images[0] ?? assert.fail(),
    repository: `library/${index}`,
  })),
};

/** Every call that writes into the database. */
const WRITES: readonly (readonly [string, (bench: Bench) => void])[] = [
  ["a package is recorded", ({ records }) => void records.putPackage(LARGE)],
  ["a package's state is set", ({ records }) => {
    records.setPackageState(BEFORE.digest, "failed", { reason: "ChartFailed", message: LONG });
  }],
  ["images of the seed are recorded", ({ records }) => {
    records.putImages(SEED_OWNER, LARGE.images, LARGE.manifests, LARGE.blobs);
  }],
  ["a dropped file is remembered", ({ records }) => {
    records.putDrop({ path: "/drop/a", size: 1, mtimeNs: 2n, inode: 3n, outcome: LONG });
  }],
  ["a line is added to the journal", ({ records }) => {
    records.appendJournal({ owner: "a", step: "b", state: "done", detail: LONG, at: "now" });
  }],
  ["a value is kept", ({ records }) => records.setValue("key", LONG)],
  ["the ledger notes a package", ({ db, layout }) => {
    const ledger = new Ledger(db, layout.ledger, systemStoreFs);
    ledger.note({ name: LONG, version: "1", digest: ADDED.digest });
  }],
  ["the clean mark is set", ({ db, layout }) => {
    new CleanMark(db, new BlobStore(layout, systemStoreFs)).set();
  }],
];

/** A database with something of everything in it, and no room in its pages. */
async function withBench(action: (bench: Bench) => void): Promise<void> {
  await withFastDirectory((dir) => {
    const layout = new Layout(dir);
    const db = Database.open(layout.database);
    try {
      const records = new Records(db);
      records.putPackage(BEFORE);
      records.setValue("before", "kept");
      for (let index = 0; index < 200; index++) {
        const digest = digestOf(`${index}`);
        const path = layout.blob(digest);
        Deno.mkdirSync(layout.blobDirectory(digest), { recursive: true });
        Deno.writeTextFileSync(path, `${index}`);
      }
      action({ db, layout, records });
    } finally {
      db.close();
    }
  });
}

/** Every row of every table. */
function rowsOf({ db }: Bench): unknown {
  const tables = db.all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
  return tables.map(({ name }) => [name, db.all(`SELECT * FROM "${name}"`)]);
}

/** Lets the database grow by so many pages. */
function limit({ db }: Bench, pages: number): void {
  const { page_count: count } = db.get("PRAGMA page_count") ?? {};
  db.get(`PRAGMA max_page_count = ${Number(count) + pages}`);
}

for (const [what, write] of WRITES) {
  Deno.test(`when the disk is full at any page while ${what}, nothing of it is there, and it passes`, async () => {
    let undisturbed: unknown;
    await withBench((bench) => {
      write(bench);
      undisturbed = rowsOf(bench);
    });
    await withBench((bench) => {
      const before = rowsOf(bench);
      let failures = 0;
      for (let pages = 0;; pages++) {
        limit(bench, pages);
        try {
          write(bench);
          break;
        } catch (error) {
          assert.ok(error instanceof StoreError, `${error}`);
          assert.deepEqual([error.reason, error.disposition], ["DiskFull", "wait"]);
          assert.deepEqual(rowsOf(bench), before, `with ${pages} pages`);
          failures++;
        }
      }
      assert.ok(failures > 1, "it needed more than one page");
      assert.deepEqual(rowsOf(bench), undisturbed);
    });
  });
}
