import { Buffer } from "node:buffer";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { buildPackage, flipBit, type PackageSpec, positionOf } from "../fixtures/make_package.ts";
import { badFile, type BadPackage } from "./bad_package.ts";
import { frame, rawBlock, skippable } from "./zstd_writer.ts";

const LAYER = { size: 600_000, seed: 7 };
const SPEC: PackageSpec = {
  name: "bad",
  images: [{ reference: "docker.io/library/sample:1.0", layers: [LAYER, "the last layer\n"] }],
  files: { "sboms.tar": "SBOM content" },
};
const TAR: PackageSpec = { ...SPEC, format: "tar" };

/** Files that are no package as a whole: empty, of another kind, cut off, damaged. */
export function badArchives(): BadPackage[] {
  return [...ofAnotherKind(), ...truncated(), ...compressed(), ...flipped()];
}

function ofAnotherKind(): BadPackage[] {
  const page = () => Buffer.from("<html>".repeat(500));
  const tar = () => buildPackage(TAR);
  return [
    badFile("empty", "EmptyFile", "the file: is empty", () => new Uint8Array()),
    badFile("empty", "EmptyFile", "the file: is empty", () => new Uint8Array(), "tar"),
    badFile("a-tar-called-zst", "NotZstd", "does not begin with a zstd frame", tar),
    badFile("a-web-page", "NotZstd", "does not begin with a zstd frame", page),
    badFile("gzip", "NotZstd", "does not begin with a zstd frame", () => gzipSync(tar())),
    badFile("a-zst-called-tar", "NotTar", "is not a tar archive", () => buildPackage(SPEC), "tar"),
    badFile("a-web-page", "NotTar", "is not a tar archive", page, "tar"),
    badFile("compressed-twice", "NotTar", "is not a tar archive", () => {
      return zstdCompressSync(buildPackage(SPEC));
    }),
    badFile("zeros", "MissingFile", "zarf.yaml", () => new Uint8Array(10_000), "tar"),
  ];
}

function truncated(): BadPackage[] {
  return (["tar", "tar.zst"] as const).flatMap((format) => {
    const whole = buildPackage({ ...SPEC, format });
    // A tar's last 1024 bytes are its end mark; a frame's last 4 are its checksum.
    const last = format === "tar" ? whole.length - 600 : whole.length - 1;
    const ends: readonly (readonly [string, number])[] = [
      ["magic", 3],
      ["header", 700],
      ["first-part", 100_000],
      ["half", whole.length >> 1],
      ["last-part", whole.length - 10_000],
      ["end", last],
    ];
    return ends.map(([where, end]) =>
      badFile(
        `truncated-in-${where}`,
        "Truncated",
        format === "tar" ? "without the end mark" : "the file ends inside a frame",
        () => buildPackage({ ...SPEC, format }).slice(0, end),
        format,
      )
    );
  });
}

/** What follows is damage that only zstd data can have. */
function compressed(): BadPackage[] {
  const whole = () => buildPackage(SPEC);
  const tar = () => buildPackage(TAR);
  const joined = (...parts: readonly Uint8Array[]) => Buffer.concat(parts);
  const zeros = zstdCompressSync(Buffer.alloc(32 << 20));
  return [
    badFile("zstd-dictionary", "UnsupportedCompression", "needs a dictionary", () => {
      return frame({ dictionary: 7 }, rawBlock(tar()));
    }),
    badFile("zstd-window", "UnsupportedCompression", "needs a window of 134217728", () => {
      return frame({ windowLog: 27 }, rawBlock(tar()));
    }),
    badFile("zstd-huge-segment", "UnsupportedCompression", "needs a window of", () => {
      return frame({ contentSize: 2n ** 63n }, rawBlock(tar()));
    }),
    badFile("zstd-reserved-bit", "Corrupt", "a reserved bit of a frame is set", () => {
      return frame({ reserved: true }, rawBlock(tar()));
    }),
    badFile("zstd-reserved-block", "Corrupt", "a block has the reserved type", () => {
      return frame({}, [Buffer.from([7, 0, 0])]);
    }),
    badFile("zstd-large-block", "Corrupt", "a block has 200000 bytes", () => {
      return frame({}, rawBlock(new Uint8Array(200_000), 200_000));
    }),
    badFile("zstd-wrong-size", "Corrupt", "cannot be decompressed", () => {
      return frame({ contentSize: 100n }, rawBlock(tar()));
    }),
    badFile("zstd-wrong-checksum", "Corrupt", "cannot be decompressed", () => {
      return flipBit(whole(), whole().length - 1);
    }),
    badFile("zstd-trailing-text", "TrailingData", "follows the last frame", () => {
      return joined(whole(), Buffer.from("and this"));
    }),
    badFile("zstd-trailing-zeros", "TrailingData", "follows the last frame", () => {
      return joined(whole(), new Uint8Array(512));
    }),
    badFile("zstd-second-frame-cut", "Truncated", "ends inside a frame", () => {
      return joined(whole(), zstdCompressSync("more").subarray(0, 6));
    }),
    badFile("zstd-skippable-cut", "Truncated", "ends inside a frame", () => {
      return joined(whole(), skippable(Buffer.from("a comment")).subarray(0, 12));
    }),
    badFile("zstd-only-skippable", "Truncated", "ends before its first entry", () => {
      return joined(skippable(whole()), skippable(new Uint8Array()));
    }),
    badFile("zstd-only-empty-frames", "Truncated", "ends before its first entry", () => {
      return joined(...Array(50).fill(zstdCompressSync("")));
    }),
    badFile("zstd-endless-zeros", "TrailingData", "something follows its end mark", () => {
      return joined(whole(), zeros, zeros);
    }),
    badFile("zstd-two-packages", "TrailingData", "something follows its end mark", () => {
      return joined(whole(), whole());
    }),
  ];
}

/** In an uncompressed package the part of a flipped bit can be chosen, and is named. */
const PARTS: readonly (readonly [name: string, needle: string, ...BadPart])[] = [
  ["list", "components/web.tar\n", "InvalidChecksums", "checksums.txt: line"],
  ["aggregate", "aggregateChecksum: ", "AggregateMismatch", "checksums.txt: sha256 is"],
  ["file", "kind: ConfigMap", "ChecksumMismatch", "components/web.tar: sha256 is"],
  ["tar", "web/manifests/web-0.yaml", "Corrupt", "components/web.tar: a header has a wrong"],
  ["sboms", "SBOM content", "ChecksumMismatch", "sboms.tar: sha256 is"],
  ["index", "image.ref.name", "ChecksumMismatch", "images/index.json: sha256 is"],
  ["marker", "imageLayoutVersion", "ChecksumMismatch", "images/oci-layout: sha256 is"],
  ["layer", "the last layer", "ChecksumMismatch", "images/blobs/sha256/"],
  ["config", '"rootfs"', "ChecksumMismatch", "images/blobs/sha256/"],
  ["manifest", '"layers"', "ChecksumMismatch", "images/blobs/sha256/"],
  ["header", "zarf.yaml\0", "Corrupt", "the archive: a header has a wrong checksum"],
];
type BadPart = [reason: BadPackage["reason"], part: string];

function flipped(): BadPackage[] {
  const inTar = PARTS.map(([name, needle, reason, part]) =>
    badFile(`bit-in-${name}`, reason, part, () => {
      const tar = buildPackage(TAR);
      const at = positionOf(tar, needle) + needle.length - (needle.endsWith(" ") ? 0 : 1);
      return flipBit(tar, at);
    }, "tar")
  );
  // Random bytes stand in the compressed file as they are; its own checksum finds the bit.
  const inFrame = [200_000, 400_000].map((at) =>
    badFile(`bit-at-${at}`, "Corrupt", "cannot be decompressed", () => {
      return flipBit(compress(buildPackage(TAR)), at);
    })
  );
  return [
    ...inTar,
    ...inFrame,
    badFile("bit-in-magic", "NotZstd", "does not begin with a zstd frame", () => {
      return flipBit(buildPackage(SPEC), 2);
    }),
  ];
}

function compress(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
  });
}
