import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { BootstrapError } from "./errors.ts";
import {
  blobOffset,
  CHUNK_BYTES,
  chunkCount,
  chunkName,
  chunkSlices,
  parseIndex,
  type PayloadIndex,
} from "./payload.ts";

const layer = { digest: digestOf("layer"), size: CHUNK_BYTES + 100 };
const config = { digest: digestOf("config"), size: 50 };
const manifest = { digest: digestOf("manifest"), size: 25 };
const blobs = [layer, config, manifest];

function index(): PayloadIndex {
  return {
    version: 1,
    image: {
      host: "docker.io",
      repository: "library/registry",
      tag: "3",
      zarfTag: "3-zarf-2874453864",
      descriptor: { mediaType: "application/vnd.oci.image.manifest.v1+json", ...manifest },
    },
    blobs,
    chunks: [
      { name: chunkName(0), digest: digestOf("0"), size: CHUNK_BYTES },
      { name: chunkName(1), digest: digestOf("1"), size: 175 },
    ],
  };
}

Deno.test("chunks are named as Zarf names them", () => {
  assert.equal(chunkName(0), "zarf-payload-000");
  assert.equal(chunkName(27), "zarf-payload-027");
});

Deno.test("a chunk that spans blobs is made of a slice of each", () => {
  assert.deepEqual(chunkSlices(blobs, 0), [
    { digest: layer.digest, offset: 0, length: CHUNK_BYTES },
  ]);
  assert.deepEqual(chunkSlices(blobs, 1), [
    { digest: layer.digest, offset: CHUNK_BYTES, length: 100 },
    { digest: config.digest, offset: 0, length: 50 },
    { digest: manifest.digest, offset: 0, length: 25 },
  ]);
  assert.deepEqual(chunkSlices(blobs, 2), []);
});

Deno.test("the slices of all chunks cover every blob once, whatever the sizes", () => {
  for (const sizes of [[1], [CHUNK_BYTES], [CHUNK_BYTES, 1], [0, 3], [CHUNK_BYTES * 3 - 1, 7, 2]]) {
    const parts = sizes.map((size, i) => ({ digest: digestOf(String(i)), size }));
    const total = sizes.reduce((a, b) => a + b, 0);
    const seen = new Map(parts.map((part) => [part.digest, 0]));
    for (let n = 0; n < chunkCount(total); n++) {
      for (const slice of chunkSlices(parts, n)) {
        assert.equal(slice.offset, seen.get(slice.digest), "slices follow each other");
        seen.set(slice.digest, slice.offset + slice.length);
      }
    }
    assert.deepEqual([...seen.values()], sizes);
  }
});

Deno.test("a blob's offset is the sum of what lies before it", () => {
  assert.equal(blobOffset(blobs, layer.digest), 0);
  assert.equal(blobOffset(blobs, manifest.digest), CHUNK_BYTES + 150);
  assert.throws(() => blobOffset(blobs, digestOf("stranger")), BootstrapError);
});

Deno.test("an index survives being written and read", () => {
  assert.deepEqual(parseIndex(JSON.stringify(index())), index());
});

const broken: readonly [string, (good: PayloadIndex) => unknown, RegExp][] = [
  ["not an index", () => ({ hello: 1 }), /version/],
  ["another version", (good) => ({ ...good, version: 2 }), /version/],
  ["a chunk too few", (good) => ({ ...good, chunks: good.chunks.slice(1) }), /bytes/],
  [
    "a digest that is none",
    (good) => ({ ...good, blobs: [{ digest: "sha256:12", size: 1 }] }),
    /digest/,
  ],
  [
    "a negative size",
    (good) => ({ ...good, blobs: [{ ...layer, size: -1 }, ...good.blobs.slice(1)] }),
    /size/,
  ],
  [
    "a manifest that is not carried",
    (good) => ({
      ...good,
      image: {
        ...good.image,
        descriptor: { ...good.image.descriptor, digest: digestOf("elsewhere") },
      },
    }),
    /manifest/,
  ],
  [
    "a short chunk before the last",
    (good) => ({
      ...good,
      chunks: [{ ...good.chunks[0], size: 175 }, { ...good.chunks[1], size: CHUNK_BYTES }],
    }),
    /chunk zarf-payload-000/,
  ],
];

for (const [what, spoil, says] of broken) {
  Deno.test(`an index with ${what} is refused`, () => {
    assert.throws(() => parseIndex(JSON.stringify(spoil(index()))), (error: unknown) => {
      assert(error instanceof BootstrapError);
      assert.equal(error.reason, "PayloadInvalid");
      assert.match(error.message, says);
      return true;
    });
  });
}

Deno.test("an index that is not JSON is refused", () => {
  assert.throws(() => parseIndex("{"), /not JSON/);
});
