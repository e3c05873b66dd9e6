import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { Faults } from "../../test/fakes/faults.ts";
import { FullDisk } from "../../test/fakes/full_disk.ts";
import { digestOf, watchFailpoints } from "../std/mod.ts";
import { StoreError, type StoreReason } from "./errors.ts";
import { type StoreFs, systemStoreFs } from "./fs.ts";
import { START_BYTES, START_FILES } from "./space.ts";
import { Store } from "./store.ts";
import { bytesOf, fsWith, osError, withFastDirectory } from "./testing.ts";
import { copyTree, stateOf } from "./testing_kill.ts";
import { blobTree, importPackage, testPackage } from "./testing_packages.ts";

const WEB = testPackage("web", "1.0.0", ["manifest", "layer"], ["zarf.yaml"]);
const DB = testPackage("db", "7", ["other", "layer"], ["zarf.yaml"]);
const LAYER = digestOf("layer");
const STORES = new URL("../../test/fixtures/stores/", import.meta.url);

function refused(action: () => unknown, reason: StoreReason): StoreError {
  try {
    action();
  } catch (error) {
    assert(error instanceof StoreError, String(error));
    assert.equal(error.reason, reason);
    return error;
  }
  throw new assert.AssertionError({ message: `nothing was thrown, expected ${reason}` });
}

/** What is left of a store with a package when it was closed, or killed. */
function leave(dir: string, how: "stopped" | "killed"): void {
  if (how === "stopped") {
    using store = Store.open(dir);
    importPackage(store, WEB);
    return;
  }
  const store = Store.open(`${dir}-running`);
  importPackage(store, WEB);
  // As it lies there, with what is only in SQLite's log.
  copyTree(`${dir}-running`, dir);
  store.close();
}

/**
 * Everything below a directory, to the byte, but what SQLite makes on a disk with room to look at the
 * file's version: its index, and a log that is empty.
 */
function bytesIn(dir: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(path)) {
      const below = `${path}/${name}`;
      if (isDirectory) walk(below);
      else if (!/-shm$/.test(name) && Deno.statSync(below).size > 0) {
        found[below.slice(dir.length)] = digestOf(Deno.readFileSync(below));
      }
    }
  };
  walk(dir);
  return found;
}

for (const how of ["stopped", "killed"] as const) {
  Deno.test(`a store that was ${how} opens on a full disk, is read, and not a byte is written`, () =>
    withFastDirectory((root) => {
      const dir = `${root}/data`;
      leave(dir, how);
      const before = bytesIn(dir);
      const disk = new FullDisk();
      refused(() => Store.open(dir, { ...disk.options, mayFreeze: false }), "DiskFull");
      const store = Store.open(dir, disk.options);
      assert.match(store.frozen?.message ?? "", /was full when the agent started/);
      assert.deepEqual(store.records.listPackages().map(({ name }) => name), ["web"]);
      assert.equal(store.blobs.open(LAYER)?.file.close(), undefined);
      assert.deepEqual(store.blobs.stat(LAYER), { size: 5 });
      assert.deepEqual(store.damage.blobs, []);
      assert.deepEqual(store.ledger.entries().map(({ name }) => name), ["web"]);
      const error = refused(() => store.records.setValue("a", 1), "DiskFull");
      assert.deepEqual([error, error.disposition], [store.frozen, "wait"]);
      assert.equal(store.thaw(), false);
      assert.deepEqual(bytesIn(dir), before);
      store.close();
      assert.deepEqual(disk.lines.filter((line) => line.startsWith("error")).length, 1);
      using again = Store.open(dir);
      assert.equal(again.frozen, undefined);
      assert.deepEqual(again.records.listPackages().map(({ name }) => name), ["web"]);
    }));

  Deno.test(`a store that was ${how} goes on when there is room, as after any start`, () =>
    withFastDirectory(async (root) => {
      const dir = `${root}/data`;
      leave(dir, how);
      copyTree(dir, `${root}/undisturbed`);
      {
        using store = Store.open(`${root}/undisturbed`);
        importPackage(store, DB);
      }
      const disk = new FullDisk();
      {
        using store = Store.open(dir, disk.options);
        const writing = store.blobs.write(digestOf("x"), 1, new Blob(["x"]).stream());
        await assert.rejects(writing, { reason: "DiskFull" });
        disk.free();
        await assert.rejects(
          store.blobs.write(digestOf("x"), 1, new Blob(["x"]).stream()),
          { reason: "DiskFull" },
          "until it is thawed",
        );
        assert.equal(store.thaw(), true);
        assert.equal(store.frozen, undefined);
        assert.equal(store.thaw(), true);
        importPackage(store, DB);
      }
      assert.deepEqual(stateOf(dir), stateOf(`${root}/undisturbed`));
      assert.match(disk.lines.at(-1) ?? "", /there is room on the data disk again/);
    }));
}

Deno.test("a store that has nothing yet opens on a full disk as an empty one", () =>
  withFastDirectory((root) => {
    const [dir, disk] = [`${root}/data`, new FullDisk()];
    Deno.mkdirSync(dir);
    {
      using store = Store.open(dir, disk.options);
      assert.deepEqual(store.records.listPackages(), []);
      assert.deepEqual([...store.blobs.list()], []);
      refused(() => store.records.setValue("a", 1), "DiskFull");
      disk.free();
      assert.equal(store.thaw(), true);
      importPackage(store, WEB);
    }
    using again = Store.open(dir);
    assert.deepEqual(again.records.listPackages().map(({ name }) => name), ["web"]);
  }));

for (const schema of [1, 2]) {
  for (const hasLog of [false, true]) {
    Deno.test(`data of schema ${schema}${hasLog ? " with a log" : ""} are read on a full disk as if they were taken over`, () =>
      withFastDirectory(async (dir) => {
        const archive = fileURLToPath(new URL(`schema-${schema}.tar.gz`, STORES));
        const args = ["-xzf", archive, "-C", dir, "--strip-components=1"];
        assert((await new Deno.Command("tar", { args }).output()).success);
        if (hasLog) withLog(dir);
        const disk = new FullDisk();
        using store = Store.open(dir, disk.options);
        const [web = assert.fail()] = store.records.listPackages();
        assert.deepEqual([web.name, web.signedBy], ["web", undefined]);
        assert.notEqual(store.records.resolveTag("library/sample", "1.0"), undefined);
        assert.deepEqual(store.ledger.entries(), []);
        disk.free();
        assert.equal(store.thaw(), true);
        assert.deepEqual(store.records.listPackages(), [web]);
        store.records.setValue("a", 1);
      }));
  }
}

/** Has the last change in SQLite's log only. */
function withLog(dir: string): void {
  const database = `${dir}/holdfast.db`;
  const db = new DatabaseSync(database);
  db.exec("INSERT INTO key_values (key, value) VALUES ('b', '2')");
  const files = ["", "-wal"].map((end) => [end, Deno.readFileSync(database + end)] as const);
  db.close();
  for (const [end, bytes] of files) Deno.writeFileSync(database + end, bytes);
}

Deno.test("a blob that the unclean stop has damaged is not served, with or without a place for it", () =>
  withFastDirectory((root) => {
    const dir = `${root}/data`;
    leave(dir, "killed");
    const path = `${dir}/blobs/${Object.keys(blobTree(["layer"]))[0]}`;
    Deno.chmodSync(path, 0o644);
    Deno.writeFileSync(path, bytesOf("LAYER"));
    const disk = new FullDisk();
    using store = Store.open(dir, disk.options);
    assert.equal(store.blobs.stat(LAYER), undefined);
    assert.deepEqual(store.damage.blobs, [{ digest: LAYER, size: 5 }]);
    assert.match(disk.lines.join("\n"), /damaged by the unclean stop/);
    disk.free();
    assert.equal(store.thaw(), true);
    assert.deepEqual(store.damage.blobs, [{ digest: LAYER, size: 5 }]);
  }));

Deno.test("a store thaws only where there is room for a start, in bytes and in files", () =>
  withFastDirectory((root) => {
    const [dir, disk] = [`${root}/data`, new FullDisk()];
    leave(dir, "stopped");
    using store = Store.open(dir, disk.options);
    disk.isFull = false;
    for (
      const [space, works] of [
        [{ total: 10e9, free: START_BYTES - 1, freeFiles: 1e6 }, false],
        [{ total: 10e9, free: 1e9, freeFiles: START_FILES - 1 }, false],
        [{ total: 10e9, free: START_BYTES }, true],
      ] as const
    ) {
      disk.space = space;
      assert.equal(store.thaw(), works, JSON.stringify(space));
    }
  }));

Deno.test("what is too little is said: space, or files", () =>
  withFastDirectory((root) => {
    const dir = `${root}/data`;
    leave(dir, "stopped");
    for (
      const [freeFiles, remedy] of [
        [1e6, "free space on the data disk; it goes on by itself"],
        [0, "remove files on the data disk, it has no free inodes; it goes on by itself"],
      ] as const
    ) {
      const disk = new FullDisk();
      disk.space = { total: 10e9, free: 0, freeFiles };
      using store = Store.open(dir, disk.options);
      assert.equal(store.frozen?.remedy, remedy);
    }
  }));

Deno.test("other trouble than a full disk is thrown, and the data of a newer program are left alone", () =>
  withFastDirectory((root) => {
    const [dir, disk] = [`${root}/data`, new FullDisk()];
    leave(dir, "stopped");
    const touch: StoreFs["touch"] = (path, mode) => {
      if (path.endsWith(".db")) throw osError("EIO");
      systemStoreFs.touch(path, mode);
    };
    refused(() => Store.open(dir, { ...disk.options, fs: fsWith({ touch }) }), "IoError");
    const db = new DatabaseSync(`${dir}/holdfast.db`);
    db.exec("PRAGMA user_version = 99");
    db.close();
    const before = bytesIn(dir);
    refused(() => Store.open(dir, disk.options), "DatabaseTooNew");
    assert.deepEqual(bytesIn(dir), before);
  }));

Deno.test("a disk that is full again at any call of the thaw leaves the store as it was, and it passes", () =>
  withFastDirectory((root) => {
    leave(`${root}/before`, "killed");
    Deno.removeSync(`${root}/before/tmp`, { recursive: true });
    let failed = 0;
    for (let nth = 1;; nth++) {
      const dir = `${root}/${nth}`;
      copyTree(`${root}/before`, dir);
      const disk = new FullDisk();
      const faults = new Faults();
      using store = Store.open(dir, { ...disk.options, fs: faults.over(disk.fs) });
      disk.free();
      faults.arm(nth, () => osError("ENOSPC"));
      const thawed = store.thaw();
      if (faults.failed === undefined) {
        assert.equal(thawed, true);
        break;
      }
      failed++;
      assert.equal(thawed, false, `${faults.failed} failed`);
      assert.deepEqual(store.records.listPackages().map(({ name }) => name), ["web"]);
      faults.disarm();
      assert.equal(store.thaw(), true);
      importPackage(store, DB);
      assert.equal(store.records.listPackages().length, 2);
    }
    assert(failed > 3, `${failed}`);
  }));

Deno.test("a process that is killed at any place of the thaw has lost nothing", () =>
  withFastDirectory((root) => {
    leave(`${root}/before`, "killed");
    copyTree(`${root}/before`, `${root}/whole`);
    Store.open(`${root}/whole`).close();
    const whole = stateOf(`${root}/whole`);
    let places = 0;
    for (let nth = 1;; nth++) {
      const dir = `${root}/${nth}`;
      copyTree(`${root}/before`, dir);
      const disk = new FullDisk();
      const store = Store.open(dir, disk.options);
      disk.free();
      let passed = 0;
      watchFailpoints(() => {
        if (++passed >= nth) throw new Error("killed");
      });
      try {
        assert.equal(store.thaw(), true);
        break;
      } catch (error) {
        assert(passed >= nth, String(error));
        places++;
        // What lies on the disk at that moment is what the next process finds.
        copyTree(dir, `${dir}-left`);
      } finally {
        watchFailpoints(undefined);
        letGo(store);
      }
      Store.open(`${dir}-left`, { mayFreeze: true }).close();
      assert.deepEqual(stateOf(`${dir}-left`), whole, `killed at place ${nth}`);
    }
    assert(places > 5, `${places}`);
  }));

/** Its state does not matter any more. */
function letGo(store: Store): void {
  try {
    store.close();
  } catch {
    // It was killed in the middle of something.
  }
}
