import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage, type PackageSpec } from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { unpackPackage } from "../../test/fixtures/unpack_package.ts";
import { type ByteSource, openPackage, type PackageContents, readPackage } from "./mod.ts";
import { MAX_TREE_DEPTH } from "./tree_source.ts";

const LARGE: PackageSpec = {
  name: "web",
  images: [{ reference: "docker.io/library/web:1", layers: [{ size: 3_000_000, seed: 1 }, "end"] }],
  files: { "sboms.tar": "S", "documentation.tar": "" },
};

const SMALL: PackageSpec = { name: "web", files: { "sboms.tar": "S" } };

function unpacked(
  action: (path: string, dir: string) => void | Promise<void>,
  spec: PackageSpec = LARGE,
): Promise<void> {
  return withDirectory(async (dir) => {
    unpackPackage(`${dir}/web`, spec);
    await action(`${dir}/web`, dir);
  });
}

async function read(path: string, sink = new MemorySink()): Promise<PackageContents> {
  using opened = openPackage(path);
  const options = { format: opened.format, architecture: "amd64", sink } as const;
  const contents = await readPackage(opened.source, options);
  opened.checkWhole();
  assert.equal(contents.bytes.archive, opened.source.size);
  return contents;
}

Deno.test("an unpacked package is read as the archive that it was", () =>
  unpacked(async (path) => {
    const [tree, archive] = [new MemorySink(), new MemorySink()];
    const found = await read(path, tree);
    const expected = await readPackage(sourceOf(buildPackage({ ...LARGE, format: "tar" })), {
      format: "tar",
      architecture: "amd64",
      sink: archive,
    });
    assert.deepEqual({ ...found, bytes: {} }, { ...expected, bytes: {} });
    assert.equal(found.bytes.content, expected.bytes.content);
    assert.deepEqual([...tree.files].sort(), [...archive.files].sort());
    assert.deepEqual([...tree.blobs].sort(), [...archive.blobs].sort());
  }));

Deno.test("its bytes are a tar that GNU tar unpacks to the same files", () =>
  unpacked(async (path, dir) => {
    Deno.mkdirSync(`${path}/${"long".repeat(30)}`);
    Deno.writeTextFileSync(`${path}/${"long".repeat(30)}/é`, "accent");
    using opened = openPackage(path);
    using tar = await Deno.create(`${dir}/web.tar`);
    const buffer = new Uint8Array(70_000);
    for (let count; (count = opened.source.read(buffer)) > 0;) {
      tar.writeSync(buffer.subarray(0, count));
    }
    assert.equal(tar.statSync().size, opened.source.size);
    await Deno.mkdir(`${dir}/again`);
    const extracted = await new Deno.Command("tar", {
      args: ["--extract", "--file", `${dir}/web.tar`, "--directory", `${dir}/again`],
    }).output();
    assert(extracted.success);
    const same = await new Deno.Command("diff", {
      args: ["--recursive", path, `${dir}/again`],
    }).output();
    assert.equal(new TextDecoder().decode(same.stdout), "");
  }));

for (const name of ["web/", "web///", "./web"]) {
  Deno.test(`it is found as ${name}`, () =>
    unpacked(async (_path, dir) => {
      assert.equal((await read(`${dir}/${name}`)).definition.metadata.name, "web");
    }));
}

Deno.test("what lies in a store already can be skipped without being opened", () =>
  unpacked((path) => {
    using opened = openPackage(path);
    const { source } = opened;
    for (const { name } of Deno.readDirSync(`${path}/images/blobs/sha256`)) {
      Deno.removeSync(`${path}/images/blobs/sha256/${name}`);
    }
    const buffer = new Uint8Array(512);
    const blocks: string[] = [];
    while (source.read(buffer) > 0) {
      blocks.push(new TextDecoder().decode(buffer.subarray(0, 100)).replace(/\0+$/, ""));
      const size = Number.parseInt(new TextDecoder().decode(buffer.subarray(124, 135)), 8);
      if (blocks.at(-1) !== "") source.skip?.(size + (512 - size % 512) % 512);
    }
    assert.equal(blocks.filter((name) => name.startsWith("images/blobs/sha256/")).length, 4);
    assert.deepEqual(blocks.slice(-3), ["zarf.yaml", "", ""]);
  }));

const refusals: readonly [string, (path: string) => void, string, RegExp][] = [
  [
    "an extra file",
    (path) => Deno.writeTextFileSync(`${path}/notes.txt`, "x"),
    "UnlistedFile",
    /^notes\.txt: /,
  ],
  [
    "a hidden extra file",
    (path) => Deno.writeTextFileSync(`${path}/images/.DS_Store`, "x"),
    "UnlistedFile",
    /^images\/\.DS_Store: /,
  ],
  [
    "a file that is gone",
    (path) => Deno.removeSync(`${path}/sboms.tar`),
    "MissingFile",
    /^sboms\.tar: is not/,
  ],
  [
    "a file with other content",
    (path) => Deno.writeTextFileSync(`${path}/sboms.tar`, "T"),
    "ChecksumMismatch",
    /^sboms\.tar: /,
  ],
  [
    "a link in place of a file",
    (path) => {
      Deno.renameSync(`${path}/sboms.tar`, `${path}/../sboms.tar`);
      Deno.symlinkSync("../sboms.tar", `${path}/sboms.tar`);
    },
    "UnsupportedEntry",
    /^sboms\.tar: is a symlink/,
  ],
  [
    "a link in place of a directory",
    (path) => {
      Deno.renameSync(`${path}/images`, `${path}/../images`);
      Deno.symlinkSync("../images", `${path}/images`);
    },
    "UnsupportedEntry",
    /^images: is a symlink/,
  ],
  [
    "a definition that is a link",
    (path) => {
      Deno.renameSync(`${path}/zarf.yaml`, `${path}/../zarf.yaml`);
      Deno.symlinkSync("../zarf.yaml", `${path}/zarf.yaml`);
    },
    "UnsupportedEntry",
    /^zarf\.yaml: is a symlink/,
  ],
  [
    "a FIFO",
    (path) => void new Deno.Command("mkfifo", { args: [`${path}/pipe`] }).outputSync(),
    "UnsupportedEntry",
    /^pipe: is a FIFO/,
  ],
  [
    "a name that is no name everywhere",
    (path) => Deno.writeTextFileSync(`${path}/a:b`, ""),
    "UnsafePath",
    /a:b/,
  ],
  [
    "directories without an end",
    (path) => Deno.mkdirSync(`${path}${"/d".repeat(MAX_TREE_DEPTH + 1)}`, { recursive: true }),
    "LimitExceeded",
    /^d\/d.*: is more than \d+ directories deep/,
  ],
];

for (const [what, change, reason, says] of refusals) {
  Deno.test(`an unpacked package with ${what} is refused: ${reason}`, () =>
    unpacked(async (path) => {
      change(path);
      await assert.rejects(read(path), { reason, message: says, disposition: "terminal" });
    }, SMALL));
}

const half: readonly [string, string[]][] = [
  ["neither", ["zarf.yaml", "checksums.txt"]],
  ["no definition", ["zarf.yaml"]],
  ["no checksums", ["checksums.txt"]],
];

for (const [what, removed] of half) {
  Deno.test(`a directory with ${what} is no package`, () =>
    unpacked((path) => {
      for (const name of removed) Deno.removeSync(`${path}/${name}`);
      assert.throws(() => openPackage(path), {
        reason: "MissingFile",
        message: "web: is a directory without zarf.yaml and checksums.txt",
      });
    }));
}

/** Three files, the first of which fills several reads. */
function started(action: (source: ByteSource, first: string) => void): Promise<void> {
  return withDirectory((dir) => {
    for (const name of ["zarf.yaml", "checksums.txt"]) Deno.writeTextFileSync(`${dir}/${name}`, "");
    Deno.writeFileSync(`${dir}/a`, new Uint8Array(100_000));
    using opened = openPackage(dir);
    action(opened.source, `${dir}/a`);
  });
}

function drain(source: ByteSource): number {
  const buffer = new Uint8Array(10_000);
  let sum = 0;
  for (let count; (count = source.read(buffer)) > 0;) sum += count;
  return sum;
}

const accidents: readonly [string, (path: string) => void, object, "also later"?][] = [
  ["is removed", (path) => Deno.removeSync(path), { name: "NotFound" }],
  ["shrinks", (path) => Deno.truncateSync(path, 50_000), { reason: "FileChanged" }, "also later"],
  [
    "grows",
    (path) => Deno.writeTextFileSync(path, "more", { append: true }),
    { reason: "FileChanged", disposition: "retry", message: /^a: was changed/ },
    "also later",
  ],
  [
    "becomes a link",
    (path) => {
      Deno.removeSync(path);
      Deno.symlinkSync("/etc/passwd", path);
    },
    { reason: "FileChanged" },
  ],
];

for (const [what, change, expected, later] of accidents) {
  Deno.test(`a file that ${what} before its turn is an error that may pass`, () =>
    started((source, first) => {
      source.read(new Uint8Array(512));
      change(first);
      assert.throws(() => drain(source), expected);
    }));
  if (later === undefined) continue;
  Deno.test(`a file that ${what} while it is read is an error that may pass`, () =>
    started((source, first) => {
      source.read(new Uint8Array(60_000));
      change(first);
      assert.throws(() => drain(source), expected);
    }));
}

Deno.test("a file that is removed while it is read is read to its end", () =>
  started((source, first) => {
    source.read(new Uint8Array(60_000));
    Deno.removeSync(first);
    assert.equal(drain(source), source.size - 60_000);
  }));

Deno.test("a file that is added while others are read is not in the archive", () =>
  started((source, first) => {
    source.read(new Uint8Array(60_000));
    Deno.writeTextFileSync(`${first}.more`, "more");
    assert.equal(drain(source), source.size - 60_000);
  }));
