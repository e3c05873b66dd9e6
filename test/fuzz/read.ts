import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { posix } from "node:path";
import {
  type PackageContents,
  type PackageSink,
  readPackage,
  type TrustedKey,
} from "../../src/package/mod.ts";
import { digestOf } from "../../src/std/mod.ts";
import { Staging } from "../../src/store/mod.ts";
import { MemorySink, sourceOf } from "../fixtures/package_sink.ts";
import { type Refusal, refusalOf } from "./oracle.ts";

/** How a file is read. */
export interface ReadManner {
  readonly format: "tar" | "tar.zst";
  readonly trust?: readonly TrustedKey[];
}

/** One input in so many goes through the store's real staging, too: that is slow. */
const STORE_SHARE = 32;
/** What a definition may become when it is posted or written down, in characters. */
const MAX_POSTED = 64 << 20;
/** Where names of generated packages try to go. */
const ESCAPES = ["/tmp/holdfast-fuzz-escape", "/tmp/evil"];

/**
 * Reads a package file in several ways, which must agree: at once, in small pieces, and now and then
 * into the real staging of a store. What is accepted is checked by other means.
 */
export async function readFuzzed(
  bytes: Uint8Array,
  manner: ReadManner,
): Promise<Refusal | undefined> {
  const sink = new MemorySink();
  let contents: PackageContents | undefined;
  const whole = await refusalOf(async () => contents = await read(bytes, manner, sink));
  assert.equal(sink.open, 0, "a file was left open");
  if (contents !== undefined) checkContents(contents, sink);
  const digest = createHash("sha256").update(bytes).digest();
  await checkPieces(bytes, manner, whole, 1 + digest.readUInt16LE(0) % 1_500);
  if ((digest[2] ?? 0) % STORE_SHARE === 0) await checkStaging(bytes, manner, whole);
  return whole;
}

function read(bytes: Uint8Array, manner: ReadManner, sink: PackageSink, step?: number) {
  return readPackage(sourceOf(bytes, step), { ...manner, architecture: "amd64", sink });
}

async function checkPieces(
  bytes: Uint8Array,
  manner: ReadManner,
  whole: Refusal | undefined,
  step: number,
): Promise<void> {
  const sink = new MemorySink();
  const pieces = await refusalOf(() => read(bytes, manner, sink, step));
  assert.equal(sink.open, 0, "a file was left open");
  // In small pieces the tar may be wrong before the compressed data is.
  const tar = manner.format === "tar";
  const differs = `${step} bytes at a time it was ${pieces?.message ?? "accepted"}`;
  assert.equal(pieces === undefined, whole === undefined, differs);
  if (tar) assert.equal(pieces?.message, whole?.message, differs);
}

/** Nothing is written but below tmp/<id>, and after a discard nothing is left. */
async function checkStaging(
  bytes: Uint8Array,
  manner: ReadManner,
  whole: Refusal | undefined,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "holdfast-fuzz-" });
  try {
    await Deno.mkdir(`${directory}/data/tmp`, { recursive: true });
    const staging = Staging.create(`${directory}/data`, "one");
    const stored = await refusalOf(() => read(bytes, manner, staging));
    assert.deepEqual(namesIn(directory), ["data"]);
    assert.deepEqual(namesIn(`${directory}/data`), ["tmp"]);
    assert.deepEqual(namesIn(`${directory}/data/tmp`).filter((name) => name !== "one"), []);
    for (const escape of ESCAPES) assert.throws(() => Deno.lstatSync(escape), Deno.errors.NotFound);
    staging.discard();
    assert.deepEqual(namesIn(`${directory}/data/tmp`), []);
    // The store may refuse first what the reader refuses as well, but nothing that it accepts.
    const seen = `with the store it was ${stored?.message ?? "accepted"}`;
    assert.equal(stored === undefined, whole === undefined, seen);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const namesIn = (directory: string) => [...Deno.readDirSync(directory)].map(({ name }) => name);

/** An accepted package is what it says, by other code than the reader's. */
function checkContents(contents: PackageContents, sink: MemorySink): void {
  for (const [digest, content] of sink.blobs) assert.equal(digestOf(content), digest);
  assert.equal(contents.blobs.length, sink.blobs.size);
  for (const path of [...sink.files.keys(), ...sink.directories.keys(), ...sink.links.keys()]) {
    const parts = path.split("/");
    const plain = parts.every((part) => part !== "" && part !== "." && part !== "..");
    assert.ok(plain && path.isWellFormed(), JSON.stringify(path));
    for (const above of parts.keys()) {
      const parent = parts.slice(0, above).join("/");
      assert.ok(!sink.files.has(parent) && !sink.links.has(parent), `${path} below ${parent}`);
    }
  }
  for (const [path, target] of sink.links) {
    const [components, name, ...rest] = path.split("/");
    const component = `${components}/${name}`;
    assert.ok(rest.length > 0, `${path} is a link`);
    const reached = posix.join(posix.dirname(path), target);
    assert.ok(`${reached}/`.startsWith(`${component}/`), `${path} -> ${target}`);
  }
  checkManifests(contents, sink);
  const file = (path: string) => sink.files.get(path)?.content ?? assert.fail(`no ${path}`);
  assert.equal(contents.digest, digestOf(file("zarf.yaml")));
  const list = new TextDecoder().decode(file("checksums.txt"));
  assert.equal(`sha256:${contents.definition.aggregateChecksum}`, digestOf(file("checksums.txt")));
  for (const line of list.split("\n").filter((line) => line !== "")) {
    const [hash = "", path = ""] = line.split(" ");
    const content = sink.files.get(path)?.content ?? sink.blobs.get(digestInPath(path));
    // Tars of components come unpacked.
    if (content !== undefined) assert.equal(`sha256:${hash}`, digestOf(content), path);
    else assert.match(path, /^components\/[^/]+\.tar$/);
  }
  assert.ok(JSON.stringify(structuredClone(contents)).length < MAX_POSTED);
}

/** Everything that a manifest names is there with its size. */
function checkManifests({ manifests, images }: PackageContents, sink: MemorySink): void {
  const known = new Set(manifests.map(({ digest }) => digest));
  for (const { descriptor } of images) assert.ok(known.has(descriptor.digest));
  for (const { digest, size } of manifests) {
    const content = sink.blobs.get(digest) ?? assert.fail(`${digest} is not there`);
    assert.equal(content.length, size);
    const { config, layers, manifests: children } = JSON.parse(new TextDecoder().decode(content));
    for (const part of [config, layers, children].flat()) {
      if (part === undefined || part === null || /foreign|nondistributable/.test(part.mediaType)) {
        continue;
      }
      assert.equal(sink.blobs.get(part.digest)?.length, part.size, `${part.digest} in ${digest}`);
    }
  }
}

function digestInPath(path: string): `sha256:${string}` {
  return `sha256:${path.slice(path.lastIndexOf("/") + 1)}`;
}
