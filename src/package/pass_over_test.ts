import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  buildPackage,
  flipBit,
  type PackageSpec,
  positionOf,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, SeekableSource, sourceOf } from "../../test/fixtures/package_sink.ts";
import type { Digest } from "../std/mod.ts";
import { type ByteSource, type PackageContents, PackageError, readPackage } from "./mod.ts";

/*
 * Blobs that the store holds already: what an import does not read again after it was interrupted.
 */

const MARK = "the layer begins here";
/** Large enough to be worth skipping; the mark finds it in a tar. */
const LAYER = Buffer.concat([Buffer.from(MARK), Buffer.alloc(3_000_000, "layer ")]);
const SPEC: PackageSpec = {
  images: [
    { reference: "docker.io/library/a:1", layers: [LAYER] },
    { reference: "docker.io/library/b:1", layers: [{ size: 2_000_000, seed: 2 }, "small"] },
  ],
};

type Format = "tar" | "tar.zst";

function read(source: ByteSource, sink: MemorySink, format: Format = "tar") {
  return readPackage(source, { format, architecture: "amd64", sink });
}

/** What the package holds when nothing of it is in the store, and the store after that. */
async function first(
  spec: PackageSpec = SPEC,
): Promise<{ contents: PackageContents; blobs: ReadonlyMap<Digest, Uint8Array> }> {
  const sink = new MemorySink();
  const contents = await read(sourceOf(buildPackage({ ...spec, format: "tar" })), sink);
  return { contents, blobs: sink.blobs };
}

async function refused(reading: Promise<unknown>): Promise<PackageError> {
  const error = await reading.then(() => assert.fail("accepted"), (error) => error);
  assert(error instanceof PackageError, String(error));
  return error;
}

for (const format of ["tar", "tar.zst"] as const) {
  Deno.test(`blobs that the store has are not written and count all the same (.${format})`, async () => {
    const { contents, blobs } = await first();
    const bytes = buildPackage({ ...SPEC, format });
    for (const source of [sourceOf(bytes), sourceOf(bytes, 4099), new SeekableSource(bytes)]) {
      const sink = new MemorySink(blobs);
      const again = await read(source, sink, format);
      assert.equal(sink.blobs.size, 0);
      assert.deepEqual(again, { ...contents, bytes: { ...again.bytes } });
      assert.deepEqual(again.bytes, { archive: bytes.length, content: contents.bytes.content });
    }
  });
}

Deno.test("in a tar the bytes of what the store has are not even read", async () => {
  const { blobs } = await first();
  const bytes = buildPackage({ ...SPEC, format: "tar" });
  const source = new SeekableSource(bytes);
  await read(source, new MemorySink(blobs));
  // One whole read before anything could be skipped, then short ones.
  assert(source.bytesRead < 1_300_000, `${source.bytesRead} of ${bytes.length}`);
  const all = new SeekableSource(bytes);
  await read(all, new MemorySink());
  assert.equal(all.bytesRead, bytes.length);
});

Deno.test("only the blobs that the store lacks are written after an interruption", async () => {
  const { contents, blobs } = await first();
  const [lacking] = contents.blobs.filter(({ size }) => size === 2_000_000);
  assert(lacking !== undefined);
  const present = new Map(blobs);
  present.delete(lacking.digest);
  const sink = new MemorySink(present);
  const source = new SeekableSource(buildPackage({ ...SPEC, format: "tar" }));
  assert.deepEqual(await read(source, sink), contents);
  assert.deepEqual([...sink.blobs.keys()], [lacking.digest]);
});

Deno.test("skipping comes out the same wherever reads end", async () => {
  const { contents, blobs } = await first();
  const bytes = buildPackage({ ...SPEC, format: "tar" });
  for (const step of [511, 512, 4099, 65_536, 100_000]) {
    const source = new SeekableSource(bytes, step);
    assert.deepEqual(await read(source, new MemorySink(blobs)), contents);
  }
});

Deno.test("blobs of every size around the shortest skip are passed over exactly", async () => {
  const sizes = [0, 1, 511, 512, 513, 65_535, 65_536, 65_537, 66_048, 200_000];
  const layers = sizes.map((size, index) => ({ size, seed: index + 10 }));
  const spec: PackageSpec = { images: [{ reference: "docker.io/library/a:1", layers }] };
  const { contents, blobs } = await first(spec);
  const source = new SeekableSource(buildPackage({ ...spec, format: "tar" }), 700);
  assert.deepEqual(await read(source, new MemorySink(blobs)), contents);
});

Deno.test("the file's copy of a blob that the store has is not judged", async () => {
  const { contents, blobs } = await first();
  const bytes = buildPackage({ ...SPEC, format: "tar" });
  const damaged = flipBit(bytes, positionOf(bytes, MARK) + 2_000_000);
  assert.deepEqual(await read(sourceOf(damaged), new MemorySink(blobs)), contents);
  // To whoever asks for every blob it is another one.
  const error = await refused(read(sourceOf(damaged), new MemorySink()));
  assert.equal(error.reason, "ChecksumMismatch");
});

Deno.test("the list of checksums holds for what is passed over, by its name", async (t) => {
  const { contents, blobs } = await first();
  const [layer] = contents.blobs.filter(({ size }) => size === LAYER.length);
  const hex = layer?.digest.slice(7) ?? assert.fail();
  const cases: readonly (readonly [string, string, string])[] = [
    ["another sha256", `${"0".repeat(64)} images/blobs/sha256/${hex}\n`, "ChecksumMismatch"],
    ["none", "", "UnlistedFile"],
  ];
  for (const [name, line, reason] of cases) {
    await t.step(name, async () => {
      const checksums = (text: string) => text.replace(`${hex} images/blobs/sha256/${hex}\n`, line);
      const bytes = buildPackage({ ...SPEC, format: "tar", hooks: { checksums } });
      const sink = new MemorySink(blobs);
      assert.equal((await refused(read(new SeekableSource(bytes), sink))).reason, reason);
      assert.equal(sink.open, 0);
    });
  }
});

Deno.test("a file that ends inside what is passed over is truncated", async () => {
  const { blobs } = await first();
  const bytes = buildPackage({ ...SPEC, format: "tar" });
  const inside = positionOf(bytes, MARK) + 2_000_000;
  for (const end of [inside, positionOf(bytes, MARK) + LAYER.length]) {
    const cut = bytes.subarray(0, end);
    for (const source of [sourceOf(cut), new SeekableSource(cut), new SeekableSource(cut, 5000)]) {
      assert.equal((await refused(read(source, new MemorySink(blobs)))).reason, "Truncated");
    }
  }
});

Deno.test("a file that becomes shorter while it is read is truncated", async () => {
  const { blobs } = await first();
  const bytes = buildPackage({ ...SPEC, format: "tar" });
  const cut = bytes.subarray(0, positionOf(bytes, MARK) + 1_500_000);
  const inner = sourceOf(cut);
  // As a file: seeking past its end is no failure, reading there gives nothing.
  const source = { size: bytes.length, read: inner.read, skip: () => void inner.read(cut.slice()) };
  assert.equal((await refused(read(source, new MemorySink(blobs)))).reason, "Truncated");
});

Deno.test("what the source's skip throws comes out unchanged", async () => {
  const { blobs } = await first();
  const inner = sourceOf(buildPackage({ ...SPEC, format: "tar" }));
  const broken = new Error("input/output error");
  const skip = () => {
    throw broken;
  };
  const sink = new MemorySink(blobs);
  await assert.rejects(read({ ...inner, skip }, sink), (error) => error === broken);
  assert.equal(sink.open, 0);
});

Deno.test("progress counts what is passed over, and ends at the size of the file", async () => {
  const { blobs } = await first();
  const bytes = buildPackage({ ...SPEC, format: "tar" });
  const seen: number[] = [];
  await readPackage(new SeekableSource(bytes), {
    format: "tar",
    architecture: "amd64",
    sink: new MemorySink(blobs),
    onProgress: (count) => seen.push(count),
  });
  assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
  assert.equal(seen.at(-1), bytes.length);
});
