import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync } from "node:zlib";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { DEFAULT_LIMITS, type PackageContents, readPackage, scoutPackage } from "./mod.ts";

/*
 * The same package, compressed by different programs in different ways.
 */

const TAR = buildPackage({
  format: "tar",
  images: [{
    reference: "docker.io/library/a:1",
    layers: [{ size: 700_000, seed: 1 }, "text ".repeat(100_000)],
  }],
});

const frame = (part: Uint8Array, params: Record<number, number> = {}) =>
  zstdCompressSync(part, { params });

/** As parallel compressors write: independent frames of a fixed amount each. */
function frames(bytes: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < TAR.length; at += bytes) parts.push(frame(TAR.subarray(at, at + bytes)));
  return parts;
}

function skippable(content: string): Uint8Array {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a5e, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, Buffer.from(content)]);
}

/** The exponent of the largest window that a package may ask for. */
const LARGEST = Math.floor(Math.log2(DEFAULT_LIMITS.zstdWindowBytes));

const WAYS: readonly (readonly [string, Uint8Array])[] = [
  ["one frame, without a checksum", frame(TAR)],
  ["one frame, with a checksum", frame(TAR, { [constants.ZSTD_c_checksumFlag]: 1 })],
  ["a strong level", frame(TAR, { [constants.ZSTD_c_compressionLevel]: 19 })],
  ["the largest window", frame(TAR, { [constants.ZSTD_c_windowLog]: LARGEST })],
  ["many frames", Buffer.concat(frames(100_000))],
  ["frames that end inside tar headers", Buffer.concat(frames(777))],
  ["an empty frame at the end", Buffer.concat([frame(TAR), frame(new Uint8Array())])],
  // As pzstd and seekable zstd write them.
  [
    "a skippable frame before each frame",
    Buffer.concat(
      frames(300_000).flatMap((one) => [
        skippable(`${one.length}`),
        one,
      ]),
    ),
  ],
  ["a table of frames at the end", Buffer.concat([...frames(300_000), skippable("seek table")])],
];

for (const [name, bytes] of WAYS) {
  Deno.test(`a package is the same when it is compressed with ${name}`, async () => {
    const options = { architecture: "amd64", sink: new MemorySink() } as const;
    const plain = await readPackage(sourceOf(TAR), { ...options, format: "tar" });
    const packed: PackageContents = await readPackage(sourceOf(bytes), {
      ...options,
      format: "tar.zst",
      sink: new MemorySink(),
    });
    const { content } = plain.bytes;
    assert.deepEqual(packed, { ...plain, bytes: { archive: bytes.length, content } });
    const scouted = await scoutPackage(sourceOf(bytes, 4099), { ...options, format: "tar.zst" });
    assert.deepEqual([scouted.digest, scouted.blobs], [plain.digest, plain.blobs]);
  });
}
