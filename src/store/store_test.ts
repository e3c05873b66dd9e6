import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { createLogger, digestOf } from "../std/mod.ts";
import { StoreError } from "./errors.ts";
import { Store } from "./store.ts";
import {
  bytesOf,
  fsWith,
  openFiles,
  osError,
  packageWith,
  permissions,
  treeOf,
  withDirectory,
} from "./testing.ts";

const DIGEST = digestOf("hello");
/** A script elsewhere finds the packages by it. */
const CONFIG = fileURLToPath(import.meta.resolve("../../deno.json"));

async function writeHello(store: Store): Promise<void> {
  await store.blobs.write(DIGEST, 5, new Blob(["hello"]).stream());
}

/** Leaves the store as a killed process does: without the clean mark, its lock free. */
function stopUncleanly(store: Store, dir: string): void {
  store.close();
  const db = new DatabaseSync(`${dir}/holdfast.db`);
  db.exec("DELETE FROM clean_stop; DELETE FROM marked_blobs;");
  db.close();
}

function overwrite(path: string, text: string): void {
  Deno.chmodSync(path, 0o644);
  Deno.writeFileSync(path, bytesOf(text));
}

Deno.test("a new store has its directories, and a database for its user only", () =>
  withDirectory((dir) => {
    using store = Store.open(`${dir}/deep/data`);
    const modeOf = (path: string) => permissions(`${store.dir}/${path}`).toString(8);
    assert.equal(modeOf("holdfast.db"), "600");
    assert.equal(modeOf("holdfast.db-wal"), "600");
    assert.equal(modeOf("tmp"), "700");
    for (const path of ["blobs/sha256", "packages"]) assert.equal(modeOf(path), "755");
  }));

Deno.test("opening empties tmp and keeps the rest", () =>
  withDirectory(async (dir) => {
    const first = Store.open(dir);
    await writeHello(first);
    first.close();
    Deno.mkdirSync(`${dir}/tmp/half/blobs`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/tmp/half/blobs/x`, "x");
    using second = Store.open(dir);
    assert.deepEqual(treeOf(`${dir}/tmp`), {});
    assert.deepEqual([...Deno.readDirSync(`${dir}/tmp`)], []);
    assert.deepEqual(second.blobs.stat(DIGEST), { size: 5 });
  }));

Deno.test("a second opener is told that the store is in use, and may have it afterwards", () =>
  withDirectory((dir) => {
    const first = Store.open(dir);
    Deno.writeTextFileSync(`${dir}/tmp/working`, "x");
    assert.throws(() => Store.open(dir), { reason: "InUse", disposition: "wait" });
    assert.deepEqual(treeOf(`${dir}/tmp`), { working: "x" });
    first.close();
    Store.open(dir).close();
  }));

Deno.test("after an unclean stop a damaged blob is moved aside before anybody sees it", () =>
  withDirectory(async (dir) => {
    const lines: string[] = [];
    const logger = createLogger({
      level: "info",
      format: "text",
      write: (line) => lines.push(line),
    });
    const first = Store.open(dir);
    await writeHello(first);
    await first.blobs.write(digestOf("good"), 4, new Blob(["good"]).stream());
    overwrite(first.blobs.path(DIGEST), "hell0");
    stopUncleanly(first, dir);
    using second = Store.open(dir, { logger });
    assert.equal(second.blobs.stat(DIGEST), undefined);
    assert.equal(second.blobs.quarantined, 1);
    assert.deepEqual(second.blobs.stat(digestOf("good")), { size: 4 });
    assert.match(lines.join(""), new RegExp(`damaged.*${DIGEST}`));
  }));

Deno.test("after an unclean stop only blobs since the last clean one are hashed", () =>
  withDirectory(async (dir) => {
    const first = Store.open(dir);
    await writeHello(first);
    first.close();
    const second = Store.open(dir);
    // Damage behind the mark is the scrub's to find; it shows here which blobs are looked at.
    overwrite(second.blobs.path(DIGEST), "hell0");
    await second.blobs.write(digestOf("new"), 3, new Blob(["new"]).stream());
    overwrite(second.blobs.path(digestOf("new")), "n3w");
    const marks = new DatabaseSync(`${dir}/holdfast.db`);
    assert.equal(marks.prepare("SELECT count(*) AS n FROM clean_stop").get()?.["n"], 0);
    const marked = marks.prepare("SELECT digest FROM marked_blobs").all();
    assert.deepEqual(marked.map((row) => row["digest"]), [DIGEST]);
    marks.close();
    second.close();
    const db = new DatabaseSync(`${dir}/holdfast.db`);
    db.exec("DELETE FROM clean_stop");
    db.prepare("DELETE FROM marked_blobs WHERE digest = ?").run(digestOf("new"));
    db.close();
    using third = Store.open(dir);
    assert.deepEqual(third.blobs.stat(DIGEST), { size: 5 });
    assert.equal(third.blobs.stat(digestOf("new")), undefined);
  }));

Deno.test("after a clean stop nothing is hashed", () =>
  withDirectory(async (dir) => {
    const first = Store.open(dir);
    await writeHello(first);
    overwrite(first.blobs.path(DIGEST), "hell0");
    first.close();
    using second = Store.open(dir);
    assert.deepEqual(second.blobs.stat(DIGEST), { size: 5 });
  }));

Deno.test("a database of a newer program is left alone", () =>
  withDirectory((dir) => {
    Store.open(dir).close();
    const db = new DatabaseSync(`${dir}/holdfast.db`);
    db.exec("PRAGMA user_version = 99");
    db.close();
    Deno.mkdirSync(`${dir}/tmp/begun`);
    const before = Deno.readFileSync(`${dir}/holdfast.db`);
    assert.throws(() => Store.open(dir), { reason: "DatabaseTooNew" });
    assert.deepEqual(Deno.readFileSync(`${dir}/holdfast.db`), before);
    assert(Deno.statSync(`${dir}/tmp/begun`), "what a newer program has begun is its own");
    // The failed opening has given the lock back.
    assert.throws(() => Store.open(dir), { reason: "DatabaseTooNew" });
  }));

Deno.test("a file that is no database is told, and kept", () =>
  withDirectory((dir) => {
    Deno.writeTextFileSync(`${dir}/holdfast.db`, "not a database at all".repeat(100));
    assert.throws(() => Store.open(dir), { reason: "DatabaseCorrupt", disposition: "terminal" });
    assert.match(Deno.readTextFileSync(`${dir}/holdfast.db`), /^not a database/);
  }));

Deno.test("a full disk while the store is opened is a reason to wait, and frees the lock", () =>
  withDirectory((dir) => {
    const fs = fsWith({
      fsyncDir: () => {
        throw osError("ENOSPC");
      },
    });
    assert.throws(() => Store.open(dir, { fs }), { reason: "DiskFull", disposition: "wait" });
    Store.open(dir).close();
  }));

Deno.test("records survive a store that is never closed", () =>
  withDirectory((dir) => {
    const script = `
      import { Store } from ${JSON.stringify(import.meta.resolve("./store.ts"))};
      import { packageWith } from ${JSON.stringify(import.meta.resolve("./testing.ts"))};
      const store = Store.open(Deno.args[0]);
      store.records.putPackage(packageWith("web", "1"));
      Deno.kill(Deno.pid, "SIGKILL");`;
    Deno.writeTextFileSync(`${dir}/kill.ts`, script);
    const { signal } = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", `--config=${CONFIG}`, `${dir}/kill.ts`, `${dir}/data`],
    }).outputSync();
    assert.equal(signal, "SIGKILL");
    using store = Store.open(`${dir}/data`);
    assert.deepEqual(store.records.listPackages().map((each) => each.digest), [
      packageWith("web", "1").digest,
    ]);
  }));

Deno.test("a closed store holds no file open, and leaves no log of the database behind", () =>
  withDirectory(async (dir) => {
    const store = Store.open(dir);
    await writeHello(store);
    store.records.putPackage(packageWith("web", "1"));
    assert.ok(openFiles(dir).includes("holdfast.db"));
    store.close();
    assert.deepEqual(openFiles(dir), []);
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name);
    assert.deepEqual(names.filter((name) => /-(wal|shm)$/.test(name)), []);
  }));

Deno.test("a store that cannot note that it is closed in order holds no file open either", () =>
  withDirectory((dir) => {
    const store = Store.open(dir);
    const other = new DatabaseSync(`${dir}/holdfast.db`);
    other.exec("DROP TABLE clean_stop");
    other.close();
    assert.throws(() => store.close(), StoreError);
    assert.deepEqual(openFiles(dir), []);
  }));

Deno.test("a store that could not be opened holds no file open, at whatever step it failed", () =>
  withDirectory((dir) => {
    Store.open(dir).close();
    let calls = 0;
    const fs = fsWith({
      fsyncDir: () => {
        calls++;
        throw osError("EIO");
      },
    });
    assert.throws(() => Store.open(dir, { fs }), { reason: "IoError", disposition: "retry" });
    assert.equal(calls, 1, "it failed after the database was opened");
    assert.deepEqual(openFiles(dir), []);
    Store.open(dir).close();
  }));

for (const code of ["EACCES", "EINVAL"]) {
  Deno.test(`a data directory in one that cannot be flushed (${code}) is opened`, () =>
    withDirectory((dir) => {
      const fs = fsWith({
        fsyncDir: (path) => {
          if (!path.startsWith(`${dir}/data`)) throw osError(code);
        },
      });
      Deno.mkdirSync(`${dir}/data`);
      Store.open(`${dir}/data`, { fs }).close();
    }));
}

Deno.test("a file where the data directory should be is told, and kept", () =>
  withDirectory((dir) => {
    Deno.writeTextFileSync(`${dir}/data`, "a file");
    assert.throws(
      () => Store.open(`${dir}/data`),
      (error: Error) =>
        "reason" in error && error.message.includes(`prepare the data directory ${dir}/data`),
    );
    assert.equal(Deno.readTextFileSync(`${dir}/data`), "a file");
  }));
