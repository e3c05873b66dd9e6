import { Buffer } from "node:buffer";
import {
  buildPackage,
  flipBit,
  type PackageHooks,
  type PackageSpec,
  positionOf,
  sha256,
  type TarEntrySpec,
} from "../../fixtures/make_package.ts";

/** A file that is to be refused. */
export interface BadPackage {
  /** As a file name, without what the format adds. */
  readonly name: string;
  readonly format: "tar.zst" | "tar";
  readonly bytes: Uint8Array;
  readonly reason: RegExp;
  /** What the message must name. */
  readonly part: string | RegExp;
}

const LAYER = { size: 600_000, seed: 7 };
const LAYER_FILE = `images/blobs/sha256/${sha256(LAYER)}`;
const SPEC: PackageSpec = {
  name: "bad",
  images: [{ reference: "docker.io/library/sample:1.0", layers: [LAYER, "the last layer\n"] }],
  files: { "sboms.tar": "SBOM content" },
};

/** One file for each way in which a package can be wrong; none shares a name with another. */
export function badPackages(): BadPackage[] {
  return [...wholeFiles(), ...truncated(), ...flipped(), ...entries(), ...definitions()];
}

function wholeFiles(): BadPackage[] {
  const tar = buildPackage({ ...SPEC, format: "tar" });
  const bad = (
    name: string,
    bytes: Uint8Array,
    reason: RegExp,
    part: RegExp,
    format: BadPackage["format"] = "tar.zst",
  ) => ({ name, format, bytes, reason, part });
  return [
    bad("empty", new Uint8Array(), /^EmptyFile$/, /is empty/),
    bad("empty", new Uint8Array(), /^EmptyFile$/, /is empty/, "tar"),
    bad("a-tar-called-zst", tar, /^NotZstd$/, /not zstd|zstd/),
    bad("a-web-page", Buffer.from("<html>".repeat(500)), /^NotZstd$/, /zstd/),
    bad("a-zst-called-tar", buildPackage(SPEC), /^NotTar$/, /tar/, "tar"),
    bad("zeros", new Uint8Array(10_000), /^(NotTar|Truncated|MissingFile|EmptyFile)$/, /./, "tar"),
  ];
}

function truncated(): BadPackage[] {
  return (["tar", "tar.zst"] as const).flatMap((format) => {
    const bytes = buildPackage({ ...SPEC, format });
    const last = format === "tar" ? bytes.length - 600 : bytes.length - 1;
    const ends = [3, 700, 100_000, bytes.length >> 1, bytes.length - 10_000, last];
    return ends.map((end) => ({
      name: `truncated-at-${end}`,
      format,
      bytes: bytes.slice(0, end),
      reason: /^Truncated$/,
      part: /ends|end of/,
    }));
  });
}

/** In an uncompressed package the part can be chosen, and is named. */
const PARTS: readonly (readonly [needle: string, names: string | RegExp])[] = [
  ["components/web.tar\n", "checksums.txt"],
  ["aggregateChecksum: ", "checksums.txt"],
  ["kind: ConfigMap", "components/web.tar"],
  ["web/manifests/web-0.yaml", "components/web.tar"],
  ["SBOM content", "sboms.tar"],
  ["org.opencontainers.image.ref.name", "images/index.json"],
  ["imageLayoutVersion", "images/oci-layout"],
  ["the last layer", /images\/blobs\/sha256\/[0-9a-f]{64}: sha256 is/],
  ['"rootfs"', /images\/blobs\/sha256\/[0-9a-f]{64}: sha256 is/],
  ['"layers"', /images\/blobs\/sha256\/[0-9a-f]{64}: sha256 is/],
  ["zarf.yaml\0", /tar header|header/],
];

function flipped(): BadPackage[] {
  const tar = buildPackage({ ...SPEC, format: "tar" });
  const zst = buildPackage(SPEC);
  const inTar = PARTS.map(([needle, part], at): BadPackage => ({
    name: `bit-in-part-${at}`,
    format: "tar",
    bytes: flipBit(
      tar,
      positionOf(tar, needle) + needle.length - (needle.endsWith(" ") ? 0 : 1),
    ),
    reason:
      /^(ChecksumMismatch|AggregateMismatch|Corrupt|InvalidChecksums|UnlistedFile|MissingFile)$/,
    part,
  }));
  const places = [0.01, 0.3, 0.6, 0.99].map((share) => Math.floor(zst.length * share));
  const compressed = places.map((at): BadPackage => ({
    name: `bit-at-${at}`,
    format: "tar.zst",
    bytes: flipBit(zst, at),
    reason: /^(Corrupt|ChecksumMismatch|NotTar|Truncated)$/,
    part: /./,
  }));
  return [...inTar, ...compressed];
}

/** Reason, part, and how the archive comes to be so. */
type Change = readonly [name: string, reason: string, part: string, hooks: PackageHooks];

function entries(): BadPackage[] {
  const drop = (name: string): PackageHooks => ({
    entries: (all) => all.filter((entry) => entry.name !== name),
  });
  const add = (entry: TarEntrySpec): PackageHooks => ({ entries: (all) => [...all, entry] });
  const changes: readonly Change[] = [
    ["no-zarf-yaml", "MissingFile", "zarf.yaml", drop("zarf.yaml")],
    ["no-checksums", "MissingFile", "checksums.txt", drop("checksums.txt")],
    ["no-component", "MissingFile", "components/web.tar", drop("components/web.tar")],
    ["no-layer", "MissingFile", LAYER_FILE, drop(LAYER_FILE)],
    ["no-sboms", "MissingFile", "sboms.tar", drop("sboms.tar")],
    ["unlisted", "UnlistedFile", "extra.txt", add({ name: "extra.txt", content: "x" })],
    ["left-out", "UnlistedFile", "sboms.tar", {
      checksums: (text) => text.replace(/.* sboms.tar\n/, ""),
    }],
    ["listed-only", "MissingFile", "gone.txt", {
      checksums: (text) => `${text}${sha256("")} gone.txt\n`,
    }],
    ["climbs", "UnsafePath", "../evil", add({ name: "../evil", content: "x" })],
    ["climbs-within", "UnsafePath", "images/../../evil", add({ name: "images/../../evil" })],
    ["absolute", "UnsafePath", "/etc/holdfast-evil", add({ name: "/etc/holdfast-evil" })],
    [
      "symlink",
      "UnsupportedEntry",
      "link: is a symlink",
      add({
        name: "link",
        type: "symlink",
        linkTarget: "/etc/passwd",
      }),
    ],
    [
      "hardlink",
      "UnsupportedEntry",
      "link: is a hardlink",
      add({
        name: "link",
        type: "hardlink",
        linkTarget: "zarf.yaml",
      }),
    ],
    [
      "device",
      "UnsupportedEntry",
      "null: is a character device",
      add({
        name: "null",
        type: "character device",
      }),
    ],
    ["twice", "DuplicateEntry", "zarf.yaml", {
      entries: (all) => [...all, ...all.slice(-1)],
    }],
  ];
  return changes.map(([name, reason, part, hooks]) => bad(name, reason, part, { ...SPEC, hooks }));
}

function definitions(): BadPackage[] {
  const inComponent = (...entries: TarEntrySpec[]): PackageSpec => ({
    images: [],
    components: [{ name: "web", entries }],
  });
  return [
    bad("arm64", "ArchitectureMismatch", "arm64", { ...SPEC, architecture: "arm64" }),
    bad("other-list", "AggregateMismatch", "checksums.txt", {
      ...SPEC,
      hooks: { definition: (d) => d.metadata["aggregateChecksum"] = sha256("other") },
    }),
    bad("not-yaml", "InvalidDefinition", "zarf.yaml", {
      ...SPEC,
      hooks: { definitionText: () => "a: [" },
    }),
    bad(
      "component-climbs",
      "UnsafePath",
      "components/web.tar",
      inComponent({ name: "web/../../evil", content: "x" }),
    ),
    bad(
      "component-link",
      "UnsafePath",
      "components/web.tar",
      inComponent({ name: "web/l", type: "symlink", linkTarget: "../../evil" }),
    ),
    bad(
      "component-through-link",
      "UnsafePath",
      "components/web.tar",
      inComponent(
        { name: "web/l", type: "symlink", linkTarget: "d" },
        { name: "web/l/x", content: "x" },
      ),
    ),
  ];
}

function bad(name: string, reason: string, part: string, spec: PackageSpec): BadPackage {
  return {
    name,
    format: "tar.zst",
    bytes: buildPackage(spec),
    reason: new RegExp(`^${reason}$`),
    part,
  };
}
