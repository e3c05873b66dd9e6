import assert from "node:assert/strict";
import { digestHex, digestOf } from "../std/mod.ts";
import { StoreError, type StoreReason } from "./errors.ts";
import { Staging } from "./staging.ts";
import { eventually } from "../../test/fakes/testing.ts";
import {
  bytesOf,
  fsWith,
  openFiles,
  osError,
  permissions,
  stageBlobs,
  treeOf,
  withStore,
} from "./testing.ts";
import type { StoreFs } from "./fs.ts";
import { systemStoreFs } from "./fs.ts";
import type { EntryWriter } from "./writer.ts";

const PACKAGE = digestOf("the package");
const HELLO = bytesOf("hello");
const HELLO_DIGEST = digestOf(HELLO);

function put(writer: EntryWriter | undefined, bytes: Uint8Array): void {
  assert.ok(writer);
  writer.write(bytes);
  writer.close();
}

function stageHello(dir: string, fs: StoreFs = systemStoreFs): Staging {
  const staging = Staging.create(dir, "one", { fs });
  const writer = staging.blob(HELLO_DIGEST, HELLO.length);
  if (writer !== undefined) put(writer, HELLO);
  put(staging.file("zarf.yaml", 5, 0o644), HELLO);
  put(staging.file("charts/a/Chart.yaml", 5, 0o600), HELLO);
  put(staging.file("files/run.sh", 5, 0o700), HELLO);
  staging.symlink("charts/link", "a/Chart.yaml");
  staging.directory("empty/", 0o755);
  return staging;
}

function refused(action: () => void, reason: StoreReason): StoreError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.reason, reason);
    return error;
  }
  throw new assert.AssertionError({ message: `nothing was thrown, expected ${reason}` });
}

Deno.test("a committed staging is blobs and a package directory, and nothing else", () =>
  withStore((store) => {
    stageHello(store.dir).commit(PACKAGE);
    assert.deepEqual(treeOf(`${store.dir}/blobs`), {
      [`sha256/${digestHex(HELLO_DIGEST).slice(0, 2)}/${digestHex(HELLO_DIGEST)}`]: "hello",
    });
    assert.deepEqual(treeOf(store.packagePath(PACKAGE)), {
      "zarf.yaml": "hello",
      "charts/a/Chart.yaml": "hello",
      "charts/link": "-> a/Chart.yaml",
      "files/run.sh": "hello",
    });
    assert.ok(Deno.statSync(`${store.packagePath(PACKAGE)}/empty`).isDirectory);
    assert.deepEqual(treeOf(`${store.dir}/tmp`), {});
    assert.equal(permissions(store.blobs.path(HELLO_DIGEST)), 0o444);
    const files = store.packagePath(PACKAGE);
    assert.equal(permissions(`${files}/files/run.sh`) & 0o100, 0o100);
    assert.equal(permissions(`${files}/zarf.yaml`) & 0o100, 0);
  }));

Deno.test("nothing is visible before the commit, and a discard leaves nothing", () =>
  withStore((store) => {
    const staging = stageHello(store.dir);
    assert.equal(store.blobs.stat(HELLO_DIGEST), undefined);
    staging.discard();
    assert.deepEqual(treeOf(`${store.dir}/blobs`), {});
    assert.deepEqual([...Deno.readDirSync(`${store.dir}/tmp`)], []);
  }));

Deno.test("a blob that is here already need not be written again", () =>
  withStore((store) => {
    stageHello(store.dir).commit(PACKAGE);
    const inode = Deno.statSync(store.blobs.path(HELLO_DIGEST)).ino;
    const again = Staging.create(store.dir, "two");
    assert.equal(again.blob(HELLO_DIGEST, HELLO.length), undefined);
    put(again.file("zarf.yaml", 5, 0o644), HELLO);
    again.commit(PACKAGE);
    assert.equal(Deno.statSync(store.blobs.path(HELLO_DIGEST)).ino, inode);
    assert.equal(treeOf(store.packagePath(PACKAGE))["files/run.sh"], "hello");
    assert.deepEqual(treeOf(`${store.dir}/tmp`), {});
  }));

Deno.test("a blob of the same digest and another size is written again", () =>
  withStore((store) => {
    Deno.mkdirSync(store.blobs.path(HELLO_DIGEST).replace(/\/[^/]+$/, ""), { recursive: true });
    Deno.writeTextFileSync(store.blobs.path(HELLO_DIGEST), "hel");
    stageHello(store.dir).commit(PACKAGE);
    assert.equal(Deno.readTextFileSync(store.blobs.path(HELLO_DIGEST)), "hello");
  }));

Deno.test("a blob that vanished while the package was read is missed, and retried", () =>
  withStore((store) => {
    stageHello(store.dir).commit(PACKAGE);
    const again = Staging.create(store.dir, "two");
    again.blob(HELLO_DIGEST, HELLO.length);
    store.blobs.quarantine(HELLO_DIGEST);
    const error = refused(() => again.commit(digestOf("another")), "BlobMissing");
    assert.equal(error.disposition, "retry");
    assert.throws(() => Deno.statSync(store.packagePath(digestOf("another"))));
  }));

Deno.test("a small blob can be read back, staged or stored, up to a limit", () =>
  withStore((store) => {
    const staging = stageHello(store.dir);
    assert.deepEqual(staging.readBlob(HELLO_DIGEST, 5), HELLO);
    refused(() => staging.readBlob(HELLO_DIGEST, 4), "TooLarge");
    refused(() => staging.readBlob(digestOf("other"), 4), "BlobMissing");
    staging.commit(PACKAGE);
    const again = Staging.create(store.dir, "two");
    assert.deepEqual(again.readBlob(HELLO_DIGEST, 5), HELLO);
    again.discard();
  }));

for (
  const [what, path] of [
    ["climbs", "../evil"],
    ["climbs in the middle", "a/../../evil"],
    ["is absolute", "/etc/evil"],
    ["is empty", ""],
    ["has a dot segment", "./a"],
    ["has an empty segment", "a//b"],
    ["has a NUL", "a\0b"],
    ["is endless", "a".repeat(2000)],
    ["goes through a link", "charts/link/x"],
    ["goes through a file", "zarf.yaml/x"],
    ["is there twice", "zarf.yaml"],
    ["is a directory already", "empty"],
  ] as const
) {
  Deno.test(`a file whose path ${what} is refused and the staging gone`, () =>
    withStore((store) => {
      const staging = stageHello(store.dir);
      refused(() => staging.file(path, 1, 0o644), "UnsafePath");
      assert.deepEqual(treeOf(`${store.dir}/tmp`), {});
      assert.throws(() => Deno.lstatSync(`${store.dir}/evil`), Deno.errors.NotFound);
    }));
}

for (
  const [path, target, allowed] of [
    ["a/link", "../zarf.yaml", true],
    ["a/link", "b/c", true],
    ["link", ".", true],
    ["a/link", "../../zarf.yaml", false],
    ["link", "..", false],
    ["link", "/etc/passwd", false],
    ["link", "charts/link/../../..", false],
    ["link", "a/..", false],
    ["link", "", false],
  ] as const
) {
  Deno.test(`a link ${path} to "${target}" is ${allowed ? "made" : "refused"}`, () =>
    withStore((store) => {
      const staging = stageHello(store.dir);
      if (allowed) staging.symlink(path, target);
      else refused(() => staging.symlink(path, target), "UnsafePath");
      staging.discard();
    }));
}

Deno.test("a staging's name cannot leave tmp", () =>
  withStore((store) => {
    for (const id of ["..", "a/b", "", "x".repeat(81)]) {
      refused(() => Staging.create(store.dir, id), "UnsafePath");
    }
  }));

Deno.test("too many and too few bytes are told, and nothing stays", () =>
  withStore((store) => {
    const long = Staging.create(store.dir, "long");
    refused(() => long.blob(HELLO_DIGEST, 4)?.write(HELLO), "SizeMismatch");
    const short = Staging.create(store.dir, "short");
    refused(() => put(short.file("a", 6, 0o644), HELLO), "SizeMismatch");
    assert.deepEqual([...Deno.readDirSync(`${store.dir}/tmp`)], []);
  }));

Deno.test("a staging with an open file cannot be committed; an aborted file leaves no trace", () =>
  withStore((store) => {
    const staging = stageHello(store.dir);
    const writer = staging.file("half", 5, 0o644);
    writer.write(bytesOf("ha"));
    refused(() => staging.commit(PACKAGE), "Unfinished");
    writer.abort();
    staging.commit(PACKAGE);
    assert.equal(treeOf(store.packagePath(PACKAGE))["half"], undefined);
  }));

Deno.test("chunks of all sizes arrive in order", () =>
  withStore((store) => {
    const bytes = new Uint8Array(5_000_000).map((_, index) => (index * 31) >> 3);
    const digest = digestOf(bytes);
    const staging = Staging.create(store.dir, "chunks");
    const writer = staging.blob(digest, bytes.length);
    let at = 0;
    for (const size of [1, 100, 70_000, 1 << 20, 1_048_575, 3, (1 << 20) + 1]) {
      // The caller may use its buffer again.
      const chunk = bytes.slice(at, at + size);
      writer?.write(chunk);
      chunk.fill(0);
      at += size;
    }
    writer?.write(bytes.subarray(at));
    writer?.close();
    staging.commit(PACKAGE);
    assert.equal(store.blobs.verify(digest), true);
  }));

for (
  const [code, reason, disposition] of [
    ["ENOSPC", "DiskFull", "wait"],
    ["EDQUOT", "DiskFull", "wait"],
    ["EIO", "IoError", "retry"],
    ["EACCES", "Permission", "wait"],
    ["EROFS", "ReadOnly", "wait"],
  ] as const
) {
  for (const call of ["create", "write", "fsyncFile", "fsyncDir", "rename"] as const) {
    Deno.test(`${code} in ${call} is ${reason}, and leaves nothing half done`, () =>
      withStore((store) => {
        const broken = fsWith(failing(call, code));
        const error = refused(() => stageHello(store.dir, broken).commit(PACKAGE), reason);
        assert.equal(error.disposition, disposition);
        assert.deepEqual([...Deno.readDirSync(`${store.dir}/tmp`)], []);
        assert.throws(() => Deno.statSync(store.packagePath(PACKAGE)));
        stageHello(store.dir).commit(PACKAGE);
        assert.equal(store.blobs.verify(HELLO_DIGEST), true);
      }));
  }
}

function failing(call: "create" | "write" | "fsyncFile" | "fsyncDir" | "rename", code: string) {
  const fail = () => {
    throw osError(code);
  };
  if (call !== "write") return { [call]: fail };
  return {
    create: (path: string, mode: number) => ({ ...systemStoreFs.create(path, mode), write: fail }),
  };
}

Deno.test("a blob is fsynced before it has its name, and its directory after", () =>
  withStore((store) => {
    const calls: string[] = [];
    const note = (call: string, path: string) =>
      calls.push(`${call} ${path.slice(store.dir.length + 1)}`);
    const recording = fsWith({
      create: (path, mode) => {
        const sink = systemStoreFs.create(path, mode);
        return {
          write: (bytes) => (note("write", path), sink.write(bytes)),
          close: () => sink.close(),
        };
      },
      fsyncFile: (path) => (note("fsync", path), systemStoreFs.fsyncFile(path)),
      fsyncDir: (path) => (note("fsyncdir", path), systemStoreFs.fsyncDir(path)),
      rename: (from, to) => (note("rename", to), systemStoreFs.rename(from, to)),
    });
    stageHello(store.dir, recording).commit(PACKAGE);
    const hex = digestHex(HELLO_DIGEST);
    const packageHex = digestHex(PACKAGE);
    const order = [
      `write tmp/one/blobs/${hex}`,
      `fsync tmp/one/blobs/${hex}`,
      `rename blobs/sha256/${hex.slice(0, 2)}/${hex}`,
      `fsyncdir blobs/sha256/${hex.slice(0, 2)}`,
      "fsync tmp/one/package/zarf.yaml",
      "fsyncdir tmp/one/package/charts",
      `rename packages/${packageHex}`,
      "fsyncdir packages",
    ].map((call) => calls.indexOf(call));
    assert.ok(!order.includes(-1), calls.join("\n"));
    assert.deepEqual(order, order.toSorted((a, b) => a - b), calls.join("\n"));
  }));

Deno.test("what a killed worker left under the same name is not taken for this package's", () =>
  withStore((store) => {
    // Left as it is by a worker that ended: neither committed nor discarded.
    stageHello(store.dir);
    const again = Staging.create(store.dir, "one");
    assert.deepEqual(treeOf(`${store.dir}/tmp/one`), {});
    put(again.file("zarf.yaml", 5, 0o644), HELLO);
    again.commit(PACKAGE);
    assert.deepEqual(treeOf(store.packagePath(PACKAGE)), { "zarf.yaml": "hello" });
    assert.deepEqual(treeOf(`${store.dir}/blobs`), {});
  }));

Deno.test("blobs that are whole get their names before the package is, and keep them", () =>
  withStore((store) => {
    const staging = stageBlobs(store.dir, ["12345", "67890", "abc"], { checkpointBytes: 10 });
    assert.deepEqual(staging.published, [digestOf("12345"), digestOf("67890")]);
    assert.deepEqual(new Set(store.blobs.list()), new Set(staging.published));
    staging.discard();
    assert.equal(
      [...store.blobs.list()].length,
      2,
      "an import that is tried again goes on from there",
    );
    const again = Staging.create(store.dir, "two");
    assert.equal(again.blob(digestOf("12345"), 5), undefined, "it need not be read again");
    assert.ok(again.blob(digestOf("abc"), 3));
    again.discard();
  }));

Deno.test("a package with checkpoints ends as one without", () =>
  withStore((store) => {
    const texts = ["12345", "67890", "abc", "12345", ""];
    const staging = stageBlobs(store.dir, texts, { checkpointBytes: 5 });
    assert.equal(new TextDecoder().decode(staging.readBlob(digestOf("67890"), 10)), "67890");
    assert.equal(new TextDecoder().decode(staging.readBlob(digestOf("abc"), 10)), "abc");
    staging.commit(PACKAGE);
    assert.deepEqual(new Set(store.blobs.list()), new Set(texts.map((text) => digestOf(text))));
    for (const digest of store.blobs.list()) assert.equal(store.blobs.verify(digest), true);
  }));

Deno.test("a disk that is filled to its reserve ends the import before it is full", () =>
  withStore(async (store) => {
    let free = 10e9;
    const disk = () => ({ total: 100e9, free });
    const staging = Staging.create(store.dir, "one", { disk });
    const size = 80 << 20;
    const writer = staging.blob(digestOf("large"), size) ?? assert.fail();
    const chunk = new Uint8Array(1 << 20);
    for (let written = 0; written < 40; written++) writer.write(chunk);
    free = 100e6;
    const error = refused(() => {
      for (let written = 0; written < 40; written++) writer.write(chunk);
    }, "DiskFull");
    assert.equal(error.disposition, "wait");
    assert.match(error.message, /100000000 bytes are free/);
    assert.deepEqual([...Deno.readDirSync(`${store.dir}/tmp`)], []);
    // The flush that was begun has the file open until it is done.
    await eventually(() => openFiles(`${store.dir}/tmp`).length === 0, 60_000);
  }));
