import assert from "node:assert/strict";
import { type Digest, digestOf } from "../std/mod.ts";
import { BlobStore } from "./blobs.ts";
import { type StoreFs, systemStoreFs } from "./fs.ts";
import { Layout } from "./layout.ts";
import { Staging } from "./staging.ts";
import { Store } from "./store.ts";
import { bytesOf, chunks, osError, treeOf, withDirectory } from "./testing.ts";

const PACKAGE = digestOf("the package");
const FILES = ["zarf.yaml", "charts/a/Chart.yaml", "charts/b/values.yaml", "files/run.sh"];
const BLOBS = ["blob 0", "blob 1", "blob 2", ""];

/**
 * A disk of which is known what it would hold after a power cut: of files the bytes of their last
 * fsync, of directories the names of their last fsync. The real calls are made too.
 */
class ForgetfulDisk {
  readonly #root: string;
  readonly #contents = new Map<number, string>();
  readonly #names = new Map<number, ReadonlyMap<string, number>>();
  /** Called before each call that a power cut may prevent. */
  beforeCall: (call: string) => void = () => {};

  constructor(root: string) {
    this.#root = root;
  }

  readonly fs: StoreFs = {
    ...systemStoreFs,
    create: (path, mode) => {
      const sink = systemStoreFs.create(path, mode);
      return {
        close: () => sink.close(),
        write: (bytes) => {
          this.beforeCall("write");
          this.#contents.delete(inodeOf(path));
          sink.write(bytes);
        },
      };
    },
    fsyncFile: (path) => {
      this.beforeCall("fsyncFile");
      this.#contents.set(inodeOf(path), Deno.readTextFileSync(path));
    },
    fsyncDir: (path) => {
      this.beforeCall("fsyncDir");
      const entries = [...Deno.readDirSync(path)];
      const names = entries.map(({ name }) => [name, inodeOf(`${path}/${name}`)] as const);
      this.#names.set(inodeOf(path), new Map(names));
    },
    rename: (from, to) => {
      this.beforeCall("rename");
      systemStoreFs.rename(from, to);
    },
  };

  /** Every file that is certain to be below `path` after a power cut now; lost bytes as "LOST". */
  survivors(path: string): Record<string, string> {
    return this.#walk(
      `${this.#root}/${path}`,
      "",
      (inode, name) => this.#names.get(inode)?.has(name) === true,
    );
  }

  /** The same when every name that is visible now has reached the disk, as it may have by chance. */
  luckySurvivors(path: string): Record<string, string> {
    return this.#walk(`${this.#root}/${path}`, "", () => true);
  }

  #walk(
    directory: string,
    below: string,
    kept: (inode: number, name: string) => boolean,
  ): Record<string, string> {
    const found: Record<string, string> = {};
    const inode = inodeOf(directory);
    for (const entry of Deno.readDirSync(directory)) {
      if (!kept(inode, entry.name)) continue;
      const path = `${directory}/${entry.name}`;
      const name = `${below}${entry.name}`;
      if (entry.isDirectory) Object.assign(found, this.#walk(path, `${name}/`, kept));
      else if (entry.isSymlink) found[name] = `-> ${Deno.readLinkSync(path)}`;
      else found[name] = this.#contents.get(inodeOf(path)) ?? "LOST";
    }
    return found;
  }
}

function inodeOf(path: string): number {
  return Deno.lstatSync(path).ino ?? assert.fail();
}

function stage(dir: string, fs: StoreFs): Staging {
  const staging = Staging.create(dir, "ingest", { fs });
  for (const text of BLOBS) {
    const writer = staging.blob(digestOf(text), text.length);
    writer?.write(bytesOf(text));
    writer?.close();
  }
  for (const path of FILES) {
    const writer = staging.file(path, path.length, 0o644);
    writer.write(bytesOf(path));
    writer.close();
  }
  staging.directory("empty/inside", 0o755);
  staging.symlink("charts/link", "a/Chart.yaml");
  return staging;
}

async function withDisk(
  action: (store: Store, disk: ForgetfulDisk) => void | Promise<void>,
): Promise<void> {
  await withDirectory(async (root) => {
    const disk = new ForgetfulDisk(root);
    using store = Store.open(`${root}/data`, { fs: disk.fs });
    await action(store, disk);
  });
}

/** What is below the blobs or packages now; it must be the same after a power cut. */
function assertDurable(store: Store, disk: ForgetfulDisk): void {
  for (const part of ["blobs", "packages"]) {
    assert.deepEqual(disk.survivors(`data/${part}`), treeOf(`${store.dir}/${part}`));
  }
}

Deno.test("a power cut right after a commit takes nothing of the package", () =>
  withDisk((store, disk) => {
    stage(store.dir, disk.fs).commit(PACKAGE);
    assertDurable(store, disk);
    assert.equal(Object.keys(disk.survivors("data/blobs")).length, BLOBS.length);
    assert.equal(Object.keys(disk.survivors("data/packages")).length, FILES.length + 1);
  }));

Deno.test("a power cut anywhere in a commit leaves no blob and no package without its bytes", () =>
  withDisk((store, disk) => {
    let calls = 0;
    disk.beforeCall = () => {
      calls++;
      for (const part of ["blobs", "packages"]) {
        const lost = Object.entries(disk.luckySurvivors(`data/${part}`))
          .filter(([, content]) => content === "LOST");
        assert.deepEqual(lost, [], `before call ${calls}`);
      }
    };
    stage(store.dir, disk.fs).commit(PACKAGE);
    disk.beforeCall("");
    assert.ok(calls > 3 * (BLOBS.length + FILES.length), `${calls} calls`);
  }));

Deno.test("a package has its name only after all that is below it is durable", () =>
  withDisk((store, disk) => {
    const renames: string[][] = [];
    disk.beforeCall = (call) => {
      if (call !== "rename") return;
      renames.push(Object.keys(disk.survivors("data/tmp/ingest/package")).sort());
    };
    stage(store.dir, disk.fs).commit(PACKAGE);
    assert.equal(renames.length, BLOBS.length + 1, "the blobs come first, then the package");
    assert.deepEqual(renames.at(-1), [...FILES, "charts/link"].sort());
  }));

Deno.test("a power cut right after a blob was written takes none of it", () =>
  withDisk(async (store, disk) => {
    await store.blobs.write(digestOf("hello"), 5, chunks("hel", "lo"));
    assertDurable(store, disk);
    assert.deepEqual(Object.values(disk.survivors("data/blobs")), ["hello"]);
  }));

Deno.test("a power cut right after a blob was moved aside does not bring it back", () =>
  withDisk(async (store, disk) => {
    await store.blobs.write(digestOf("hello"), 5, chunks("hello"));
    store.blobs.quarantine(digestOf("hello"));
    assert.deepEqual(disk.survivors("data/blobs"), {});
  }));

Deno.test("the data directory and its parents survive a power cut right after the first start", () =>
  withDirectory((root) => {
    const disk = new ForgetfulDisk(root);
    using store = Store.open(`${root}/deep/er/data`, { fs: disk.fs });
    const names = Object.keys(disk.survivors(""));
    assert.ok(names.includes("deep/er/data/holdfast.db"), names.join(", "));
    assert.equal(store.dir, `${root}/deep/er/data`);
  }));

for (const unflushed of ["", "/data", "/data/blobs"]) {
  Deno.test(`a first start that ended before "${unflushed}" was flushed is made durable by the next one`, () =>
    withDirectory((root) => {
      const disk = new ForgetfulDisk(root);
      const fs = endedAt(disk, (path) => path === `${root}${unflushed}`);
      assert.throws(() => Store.open(`${root}/data`, { fs }), { reason: "IoError" });
      using store = Store.open(`${root}/data`, { fs: disk.fs });
      stage(store.dir, disk.fs).commit(PACKAGE);
      assertDurable(store, disk);
      assert.ok("data/holdfast.db" in disk.survivors(""));
    }));
}

/** Lets the commit end with an error at the `nth` fsync of a directory that `matches`. */
function endedAt(disk: ForgetfulDisk, matches: (path: string) => boolean): StoreFs {
  return {
    ...disk.fs,
    fsyncDir: (path) => {
      if (matches(path)) throw osError("EIO");
      disk.fs.fsyncDir(path);
    },
  };
}

for (
  const [what, matches] of [
    ["the directories of the blobs", (path: string) => /\/blobs\/sha256\/..$/.test(path)],
    ["the directory of the packages", (path: string) => path.endsWith("/packages")],
  ] as const
) {
  Deno.test(`a commit that ended before ${what} were flushed is made durable by the next one`, () =>
    withDisk((store, disk) => {
      const broken = endedAt(disk, matches);
      assert.throws(() => stage(store.dir, broken).commit(PACKAGE), { reason: "IoError" });
      const again = stage(store.dir, disk.fs);
      again.commit(PACKAGE);
      assertDurable(store, disk);
      for (const text of BLOBS) assert.equal(store.blobs.verify(digestOf(text) as Digest), true);
    }));
}

Deno.test("a directory of blobs that another run made and did not flush is durable before its blobs are", () =>
  withDisk(async (store, disk) => {
    const broken = endedAt(disk, (path) => path.endsWith("/blobs/sha256"));
    const blobs = new BlobStore(new Layout(store.dir), broken);
    const write = (to: BlobStore) => to.write(digestOf("hello"), 5, chunks("hello"));
    await assert.rejects(write(blobs), { reason: "IoError" });
    await write(store.blobs);
    assertDurable(store, disk);
  }));
