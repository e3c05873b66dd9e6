import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync, type ZstdOptions } from "node:zlib";
import { flipBit } from "../../test/fixtures/make_package.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import { FrameWalker } from "./frames.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { ZstdDecoder } from "./zstd.ts";

const LIMIT = 8 << 20;

/** Some of it compresses, some does not, and it is longer than one block and one output buffer. */
const PLAIN = (() => {
  const text = Buffer.from("holdfast ".repeat(200_000));
  const noise = new Uint8Array(700_000);
  for (let at = 0; at < noise.length; at += 50_000) {
    crypto.getRandomValues(noise.subarray(at, at + 50_000));
  }
  return Buffer.concat([text, noise]);
})();

const CHECKED = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const FRAME: Uint8Array = zstdCompressSync(PLAIN, CHECKED);

/** With its size in the header, and in a single segment where it fits. */
function sized(content: Uint8Array, params: ZstdOptions["params"] = {}): Uint8Array {
  // The types of Node 24.2 do not know it yet.
  const options = { pledgedSrcSize: content.length, params };
  return zstdCompressSync(content, options);
}

/** Pieces of every size from nothing on. */
const PIECES = Array.from({ length: 300 }, (_, at) => PLAIN.subarray(at, at + at * at % 4001));

function skippable(content: Uint8Array, kind = 0): Uint8Array {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(0x184d2a50 + kind, 0);
  header.writeUInt32LE(content.length, 4);
  return Buffer.concat([header, content]);
}

function decode(data: Uint8Array, step = 1 << 20, limit = LIMIT): Buffer {
  const chunks: Uint8Array[] = [];
  const decoder = new ZstdDecoder(limit, (chunk) => chunks.push(chunk.slice()));
  try {
    for (let at = 0; at < data.length; at += step) decoder.push(data.subarray(at, at + step));
    decoder.finish();
  } finally {
    decoder.close();
  }
  return Buffer.concat(chunks);
}

function refuses(reason: PackageErrorReason, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  });
}

Deno.test("zstd data comes out as it went in", async (t) => {
  const cases: [string, Uint8Array, Uint8Array][] = [
    ["one frame", FRAME, PLAIN],
    ["two frames", Buffer.concat([FRAME, FRAME]), Buffer.concat([PLAIN, PLAIN])],
    [
      "a skippable frame before it",
      Buffer.concat([skippable(PLAIN.subarray(0, 99)), FRAME]),
      PLAIN,
    ],
    ["skippable frames after it", Buffer.concat([FRAME, skippable(new Uint8Array(), 15)]), PLAIN],
    [
      "skippable frames of every kind before, between and after several frames",
      Buffer.concat([
        ...Array.from({ length: 16 }, (_, kind) => skippable(PLAIN.subarray(0, kind * 7), kind)),
        ...[FRAME, skippable(FRAME), skippable(new Uint8Array()), FRAME, skippable(PLAIN), FRAME],
        skippable(FRAME, 15),
      ]),
      Buffer.concat([PLAIN, PLAIN, PLAIN]),
    ],
    [
      "hundreds of small frames, some of them empty",
      Buffer.concat(PIECES.map((piece) => zstdCompressSync(piece, CHECKED))),
      Buffer.concat(PIECES),
    ],
    ["nothing but skippable frames", skippable(PLAIN), new Uint8Array()],
    ["its size in the header", sized(PLAIN, CHECKED.params), PLAIN],
    ["a size of one byte, without a window", sized(PLAIN.subarray(0, 200)), PLAIN.subarray(0, 200)],
    ["a size of two bytes", sized(PLAIN.subarray(0, 60_000)), PLAIN.subarray(0, 60_000)],
    [
      "the strongest compression",
      zstdCompressSync(PLAIN, { params: { [constants.ZSTD_c_compressionLevel]: 19 } }),
      PLAIN,
    ],
    ["no content checksum", zstdCompressSync(PLAIN), PLAIN],
    ["nothing in it", zstdCompressSync(new Uint8Array(), CHECKED), new Uint8Array()],
    ["one long run", zstdCompressSync(new Uint8Array(5_000_000)), new Uint8Array(5_000_000)],
  ];
  for (const [name, data, plain] of cases) {
    for (const step of [1 << 20, 4099]) {
      await t.step(`${name}, ${step} bytes at a time`, () => {
        assert(decode(data, step).equals(plain));
      });
    }
  }
});

Deno.test("zstd data may be cut anywhere between two pushes", () => {
  const plain = Buffer.from("a few bytes, then some more ".repeat(20));
  const data = Buffer.concat([skippable(plain), zstdCompressSync(plain, CHECKED)]);
  assert(decode(data, 1).equals(plain));
});

Deno.test("a zstd file that ends early is truncated, wherever it ends", async (t) => {
  const two = Buffer.concat([FRAME, FRAME]);
  const cases: [string, Uint8Array][] = [
    ["inside the magic number", FRAME.subarray(0, 3)],
    ["inside the frame header", FRAME.subarray(0, 5)],
    ["inside a block header", FRAME.subarray(0, 8)],
    ["inside a block", FRAME.subarray(0, FRAME.length >> 1)],
    ["inside the content checksum", FRAME.subarray(0, FRAME.length - 1)],
    ["before the content checksum", FRAME.subarray(0, FRAME.length - 4)],
    ["inside the second frame's magic number", two.subarray(0, FRAME.length + 2)],
    ["inside the second frame", two.subarray(0, FRAME.length + 50_000)],
    ["inside a skippable frame", Buffer.concat([FRAME, skippable(PLAIN)]).subarray(0, -1)],
  ];
  for (const [name, data] of cases) {
    await t.step(name, () => refuses("Truncated", () => decode(data)));
  }
});

Deno.test("a flipped bit in zstd data is caught where it is called, the process lives", async (t) => {
  const last = FRAME.length - 1;
  for (const at of [4, 6, 9, 40, FRAME.length >> 2, FRAME.length >> 1, last - 5, last - 3, last]) {
    await t.step(`byte ${at} of ${FRAME.length}`, () => {
      assert.throws(() => decode(flipBit(FRAME, at)), PackageError);
    });
  }
});

Deno.test("what is not zstd is refused with its own reason", async (t) => {
  const cases: [PackageErrorReason, string, Uint8Array][] = [
    ["NotZstd", "text", Buffer.from("apiVersion: v1\n")],
    ["NotZstd", "gzip", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0)],
    ["NotZstd", "one wrong byte", Uint8Array.of(1)],
    ["TrailingData", "text after the frame", Buffer.concat([FRAME, Buffer.from("and more")])],
    ["TrailingData", "zeros after the frame", Buffer.concat([FRAME, new Uint8Array(16)])],
    ["UnsupportedCompression", "a window over the limit", frameHeader(0x04, 0xa0)],
    ["UnsupportedCompression", "a whole size over the limit", frameHeader(0xa4, 0, 0, 0, 0x10)],
    ["UnsupportedCompression", "a dictionary", frameHeader(0x05, 0x50, 7)],
    ["Corrupt", "a reserved bit", frameHeader(0x0c, 0x50)],
    ["Corrupt", "a reserved block type", frameHeader(0x04, 0x50, 0x06, 0, 0)],
    ["Corrupt", "a block that is too long", frameHeader(0x04, 0x50, 0xf8, 0xff, 0xff)],
  ];
  for (const [reason, name, data] of cases) {
    await t.step(name, () => refuses(reason, () => decode(data)));
  }
});

function frameHeader(...bytes: number[]): Uint8Array {
  return Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, ...bytes);
}

Deno.test("what the decompressor still holds when its input is used up comes out", () => {
  // Eight run-length blocks fill one output buffer exactly; the frame before them shifts the seam.
  const runs = Array.from({ length: 8 }, (_, index) => {
    const header = ((128 << 10) << 3) | 2 | (index === 7 ? 1 : 0);
    return [header & 0xff, (header >> 8) & 0xff, header >> 16, 0x61];
  });
  const short = frameHeader(0x00, 0x50, 0x19, 0, 0, 1, 2, 3);
  const plain = Buffer.concat([Uint8Array.of(1, 2, 3), Buffer.alloc(1 << 20, "a")]);
  assert(decode(Buffer.concat([short, frameHeader(0x00, 0x50, ...runs.flat())])).equals(plain));
});

Deno.test("the walker alone refuses blocks that no decompressor should see", () => {
  const cases: [RegExp, Uint8Array][] = [
    [/reserved type/, frameHeader(0x04, 0x50, 0x06, 0, 0)],
    [/a block has 2097151 bytes/, frameHeader(0x04, 0x50, 0xf8, 0xff, 0xff)],
    [/reserved bit/, frameHeader(0x0c)],
  ];
  for (const [message, data] of cases) {
    assert.throws(() => new FrameWalker(LIMIT).push(data), message);
  }
});

Deno.test("the walker reads sizes and dictionaries of every width", async (t) => {
  // Descriptor: two bits for the size's width, one for "single segment", two for the dictionary's.
  const cases: [string, number[]][] = [
    ["one byte of size", [0x20, 200]],
    ["two bytes of size, counted from 256", [0x60, 0xff, 0xff]],
    ["four bytes of size", [0xa0, 0, 0, 0x80, 0]],
    ["eight bytes of size", [0xe0, 0, 0, 0x80, 0, 0, 0, 0, 0]],
    ["a window and eight bytes of size", [0xc0, 0x50, 1, 2, 3, 4, 5, 6, 7, 8]],
    ["an empty dictionary number of four bytes", [0x23, 0, 0, 0, 0, 9]],
  ];
  for (const [name, header] of cases) {
    await t.step(name, () => {
      const walker = new FrameWalker(LIMIT);
      // One last raw block of two bytes.
      walker.push(frameHeader(...header, 0x11, 0, 0, 7, 7));
      walker.finish();
    });
  }
});

Deno.test("the walker accepts a window at the limit and names one above it", () => {
  const exact = new FrameWalker(8 << 20);
  // Window descriptor: exponent 13, mantissa 0 is 2^23 bytes (RFC 8878, section 3.1.1.1.2).
  exact.push(frameHeader(0x00, 13 << 3));
  const less = new FrameWalker((8 << 20) - 1);
  assert.throws(() => less.push(frameHeader(0x00, 13 << 3)), /8388608 bytes, the limit is 8388607/);
});

/** Random bytes twice: only a window that reaches back over all of them finds the second as a copy. */
function farCopy(windowLog: number): { readonly plain: Buffer; readonly data: Uint8Array } {
  const noise = Buffer.alloc(9 << 20);
  for (let at = 0; at < noise.length; at += 65_536) {
    crypto.getRandomValues(noise.subarray(at, at + 65_536));
  }
  const plain = Buffer.concat([noise, noise]);
  const data = zstdCompressSync(plain, {
    params: {
      [constants.ZSTD_c_compressionLevel]: 1,
      [constants.ZSTD_c_windowLog]: windowLog,
      [constants.ZSTD_c_enableLongDistanceMatching]: 1,
    },
  });
  return { plain, data };
}

Deno.test("what lies further back than the usual window is found up to the limit", () => {
  const { plain, data } = farCopy(24);
  assert(data.length < plain.length * 0.6, "the copy was not found by the compressor");
  assert(decode(data, 1 << 20, 16 << 20).equals(plain));
  refuses("UnsupportedCompression", () => decode(data, 1 << 20, (16 << 20) - 1));
});

/** The exponent of the largest window that a package may ask for. */
const LARGEST = Math.floor(Math.log2(DEFAULT_LIMITS.zstdWindowBytes));

Deno.test("windows up to the limit are decompressed, larger ones refused by their size", async (t) => {
  const plain = Buffer.alloc(300_000, "window ");
  const compress = (log: number) =>
    zstdCompressSync(plain, { params: { [constants.ZSTD_c_windowLog]: log } });
  const MiB = 1 << 20;
  const cases: [log: number, limit: number, accepted: boolean][] = [
    [10, 1024, true],
    [20, MiB, true],
    [20, MiB - 1, false],
    // What a package may ask for, and one step more.
    [LARGEST, DEFAULT_LIMITS.zstdWindowBytes, true],
    [LARGEST + 1, DEFAULT_LIMITS.zstdWindowBytes, false],
    [31, DEFAULT_LIMITS.zstdWindowBytes, false],
    // More than libzstd takes without being told.
    [28, 256 * MiB, true],
    [31, 2048 * MiB, true],
    [31, 2 ** 40, true],
  ];
  for (const [log, limit, accepted] of cases) {
    await t.step(`2^${log} bytes where ${limit} are allowed`, () => {
      const data = compress(log);
      if (accepted) return assert(decode(data, 4099, limit).equals(plain));
      refuses("UnsupportedCompression", () => decode(data, 4099, limit));
      // At once, from the header alone.
      refuses("UnsupportedCompression", () => decode(data.subarray(0, 6), 1, limit));
    });
  }
});

Deno.test("a limit between two powers of two lets windows between them through", () => {
  // Exponent 17 and mantissa 4: one and a half times 2^27 bytes.
  const data = frameHeader(0x00, (17 << 3) | 4, 0x19, 0, 0, 1, 2, 3);
  assert(decode(data, 1, 1.5 * 2 ** 27).equals(Uint8Array.of(1, 2, 3)));
});

Deno.test("a whole size over the limit counts as a window only where there is no other", () => {
  const large = Buffer.alloc(LIMIT + 1);
  // In one segment the decompressor must hold all of it; with a window it need not.
  const windowed = sized(large, { [constants.ZSTD_c_windowLog]: 20 });
  assert(decode(windowed).equals(large));
  const single = frameHeader(0xa0, ...new Uint8Array(Uint32Array.of(LIMIT + 1).buffer));
  refuses("UnsupportedCompression", () => decode(single));
});

Deno.test("a frame that says another size than it has is corrupt", () => {
  const data = new Uint8Array(sized(PLAIN.subarray(0, 200)));
  const [descriptor, size] = [data[4], data[5]];
  assert.deepEqual([descriptor, size], [0x20, 200], "not a single segment with one byte of size");
  for (const wrong of [199, 201, 255]) {
    data[5] = wrong;
    refuses("Corrupt", () => decode(data));
  }
});
