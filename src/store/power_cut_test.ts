import assert from "node:assert/strict";
import { type Digest, digestOf } from "../std/mod.ts";
import { BlobStore } from "./blobs.ts";
import type { StoreFs } from "./fs.ts";
import { Layout } from "./layout.ts";
import { RegistryStorage } from "./registry_storage.ts";
import { Staging } from "./staging.ts";
import { Store } from "./store.ts";
import { bytesOf, chunks, osError, treeOf, withDirectory } from "./testing.ts";
import { LossyDisk, type Luck } from "./testing_disk.ts";

const PACKAGE = digestOf("the package");
const FILES = ["zarf.yaml", "charts/a/Chart.yaml", "charts/b/values.yaml", "files/run.sh"];
const BLOBS = ["blob 0", "blob 1", "blob 2", ""];

const LOST = bytesOf("LOST");
/** Only what was flushed is there. */
const NO_LUCK: Luck = {
  keeps: () => false,
  bytes: () => LOST,
  mode: (_set, flushed = 0) => flushed,
};
/** Every name has reached the disk, as it may by chance, and no byte that was not flushed. */
const LUCKY_NAMES: Luck = { ...NO_LUCK, keeps: () => true };

/** Every file and link that is below `path` after a power cut, by relative path. */
function survivors(disk: LossyDisk, path: string, luck: Luck = NO_LUCK): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, survivor] of disk.survivors(luck, path)) {
    if (survivor.kind === "link") found[name] = `-> ${survivor.target}`;
    if (survivor.kind === "file") found[name] = new TextDecoder().decode(survivor.bytes);
  }
  return found;
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
  action: (store: Store, disk: LossyDisk) => void | Promise<void>,
): Promise<void> {
  await withDirectory(async (root) => {
    const disk = new LossyDisk(root);
    using store = Store.open(`${root}/data`, { fs: disk.fs });
    await action(store, disk);
  });
}

/** What is below the blobs or packages now; it must be the same after a power cut. */
function assertDurable(store: Store, disk: LossyDisk): void {
  for (const part of ["blobs", "packages"]) {
    assert.deepEqual(survivors(disk, `data/${part}`), treeOf(`${store.dir}/${part}`));
  }
}

Deno.test("a power cut right after a commit takes nothing of the package", () =>
  withDisk((store, disk) => {
    stage(store.dir, disk.fs).commit(PACKAGE);
    assertDurable(store, disk);
    assert.equal(Object.keys(survivors(disk, "data/blobs")).length, BLOBS.length);
    assert.equal(Object.keys(survivors(disk, "data/packages")).length, FILES.length + 1);
  }));

Deno.test("a power cut anywhere in a commit leaves no blob and no package without its bytes", () =>
  withDisk((store, disk) => {
    let calls = 0;
    disk.beforeCall = () => {
      calls++;
      for (const part of ["blobs", "packages"]) {
        const lost = Object.entries(survivors(disk, `data/${part}`, LUCKY_NAMES))
          .filter(([, content]) => content === "LOST");
        assert.deepEqual(lost, [], `before call ${calls}`);
      }
    };
    stage(store.dir, disk.fs).commit(PACKAGE);
    disk.beforeCall("write", "");
    assert.ok(calls > 3 * (BLOBS.length + FILES.length), `${calls} calls`);
  }));

Deno.test("a package has its name only after all that is below it is durable", () =>
  withDisk((store, disk) => {
    const renames: string[][] = [];
    disk.beforeCall = (call) => {
      if (call !== "rename") return;
      renames.push(Object.keys(survivors(disk, "data/tmp/ingest/package")).sort());
    };
    stage(store.dir, disk.fs).commit(PACKAGE);
    assert.equal(renames.length, BLOBS.length + 1, "the blobs come first, then the package");
    assert.deepEqual(renames.at(-1), [...FILES, "charts/link"].sort());
  }));

Deno.test("a power cut right after a blob was written takes none of it", () =>
  withDisk(async (store, disk) => {
    await store.blobs.write(digestOf("hello"), 5, chunks("hel", "lo"));
    assertDurable(store, disk);
    assert.deepEqual(Object.values(survivors(disk, "data/blobs")), ["hello"]);
  }));

Deno.test("a power cut right after a blob was moved aside does not bring it back", () =>
  withDisk(async (store, disk) => {
    await store.blobs.write(digestOf("hello"), 5, chunks("hello"));
    store.blobs.quarantine(digestOf("hello"));
    assert.deepEqual(survivors(disk, "data/blobs"), {});
  }));

Deno.test("a blob is durably aside before anything else about it can fail", () =>
  withDisk(async (store, disk) => {
    await store.blobs.write(digestOf("hello"), 5, chunks("hello"));
    const fs: StoreFs = {
      ...disk.fs,
      utime: () => {
        throw osError("EIO");
      },
    };
    const blobs = new BlobStore(new Layout(store.dir), fs);
    assert.throws(() => blobs.quarantine(digestOf("hello")), { reason: "IoError" });
    assert.deepEqual(survivors(disk, "data/blobs"), {});
  }));

Deno.test("the data directory and its parents survive a power cut right after the first start", () =>
  withDirectory((root) => {
    const disk = new LossyDisk(root);
    using store = Store.open(`${root}/deep/er/data`, { fs: disk.fs });
    const names = Object.keys(survivors(disk, ""));
    assert.ok(names.includes("deep/er/data/holdfast.db"), names.join(", "));
    assert.equal(store.dir, `${root}/deep/er/data`);
  }));

for (const unflushed of ["", "/data", "/data/blobs"]) {
  Deno.test(`a first start that ended before "${unflushed}" was flushed is made durable by the next one`, () =>
    withDirectory((root) => {
      const disk = new LossyDisk(root);
      const fs = endedAt(disk, (path) => path === `${root}${unflushed}`);
      assert.throws(() => Store.open(`${root}/data`, { fs }), { reason: "IoError" });
      using store = Store.open(`${root}/data`, { fs: disk.fs });
      stage(store.dir, disk.fs).commit(PACKAGE);
      assertDurable(store, disk);
      assert.ok("data/holdfast.db" in survivors(disk, ""));
    }));
}

/** Lets the commit end with an error at the `nth` fsync of a directory that `matches`. */
function endedAt(disk: LossyDisk, matches: (path: string) => boolean): StoreFs {
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

Deno.test("what an ended run has linked into the registry is durable after the next one", () =>
  withDisk(async (store, disk) => {
    const layer = { digest: digestOf("layer"), size: 5 };
    const manifest = JSON.stringify({ layers: [layer] });
    for (const text of ["layer", manifest]) {
      await store.blobs.write(digestOf(text), undefined, chunks(text));
    }
    const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
    const root = `${store.dir}/registry`;
    const link = (fs: StoreFs) =>
      new RegistryStorage(root, store.blobs, owner, fs)
        .link([{ repository: "web", digest: digestOf(manifest) }]);
    for (let ended = 1;; ended++) {
      let calls = 0;
      const isEnded = () => ++calls === ended;
      try {
        link(endedAt(disk, isEnded));
      } catch (error) {
        assert.equal((error as { code?: string }).code, "EIO");
      }
      link(disk.fs);
      assert.deepEqual(survivors(disk, "data/registry"), treeOf(root), `flush ${ended}`);
      disk.fs.remove(root);
      if (calls < ended) break;
    }
  }));
