import { type PackageSpec, sha256 } from "../fixtures/make_package.ts";
import type { TarEntrySpec } from "../fixtures/tar_writer.ts";
import { add, type BadPackage, type BadSpec, badSpec, change, drop } from "./bad_package.ts";

const LAYER = `images/blobs/sha256/${sha256("not really a layer\n")}`;
const SBOMS = { files: { "sboms.tar": "SBOM content" } };

/** Archives that are whole, with entries that are missing, extra, wrong or impossible. */
export function badEntries(): BadPackage[] {
  return [...kinds(), ...names(), ...twice(), ...missing(), ...blobs()].map(badSpec);
}

const KINDS: readonly (readonly [name: string, type: NonNullable<TarEntrySpec["type"]>])[] = [
  ["symlink", "symlink"],
  ["hardlink", "hardlink"],
  ["character-device", "character device"],
  ["block-device", "block device"],
  ["fifo", "FIFO"],
];

function kinds(): BadSpec[] {
  return [
    ...KINDS.map(([name, type]): BadSpec => [
      name,
      "UnsupportedEntry",
      `extra: is a ${type}, not a file`,
      { hooks: add({ name: "extra", type, linkTarget: "zarf.yaml" }) },
    ]),
    ["symlink-absolute", "UnsupportedEntry", "extra: is a symlink", {
      hooks: add({ name: "extra", type: "symlink", linkTarget: "/etc/passwd" }),
    }],
    ["symlink-for-zarf-yaml", "UnsupportedEntry", "zarf.yaml: is a symlink", {
      hooks: change("zarf.yaml", { type: "symlink", content: "", linkTarget: "checksums.txt" }),
    }],
  ];
}

function names(): BadSpec[] {
  const named = (
    name: string,
    entry: string,
    part = JSON.stringify(entry),
    reason: BadPackage["reason"] = "UnsafePath",
  ): BadSpec => [`name-${name}`, reason, part, { hooks: add({ name: entry, content: "x" }) }];
  return [
    named("climbs", "../evil"),
    named("climbs-within", "images/../../evil"),
    named("climbs-nowhere", "images/../evil"),
    named("absolute", "/etc/holdfast-evil"),
    named("backslash", "..\\evil"),
    named("colon", "C:evil"),
    named("newline", "evil\nname"),
    named("escape", "evil\x1b[2J"),
    named("delete", "evil\x7f", '"evil\\u007f"'),
    named("trailing-dot", "images/evil."),
    named("trailing-space", "evil /x"),
    named("two-slashes", "images//evil"),
    named("dot", "images/./evil"),
    named("empty", "./", "a file has no name"),
    named("long-part", `images/${"n".repeat(256)}`, "has a part of more than 255 bytes"),
    named("long", "directory/".repeat(500), "a name has 5000 bytes", "LimitExceeded"),
  ];
}

function twice(): BadSpec[] {
  return [
    ["twice", "DuplicateEntry", '"zarf.yaml" is there twice', {
      hooks: { entries: (all) => [...all, ...all.slice(-1)] },
    }],
    ["twice-in-two-spellings", "DuplicateEntry", '"zarf.yaml" is there twice', {
      hooks: add({ name: "./zarf.yaml", content: "kind: Other" }),
    }],
    ["directory-twice", "DuplicateEntry", '"images" is there twice', {
      hooks: add({ name: "images/", type: "directory" }),
    }],
    ["directory-for-zarf-yaml", "DuplicateEntry", '"zarf.yaml" is there twice', {
      hooks: add({ name: "zarf.yaml", type: "directory" }),
    }],
    ["file-for-directory", "DuplicateEntry", '"images" is there twice', {
      hooks: add({ name: "images", content: "x" }),
    }],
    ["file-below-a-file", "UnsafePath", '"zarf.yaml/x" lies below "zarf.yaml", a file', {
      hooks: add({ name: "zarf.yaml/x", content: "x" }),
    }],
  ];
}

function missing(): BadSpec[] {
  const gone = (name: string, file: string, part = `${file}: is not in the package`): BadSpec => [
    name,
    "MissingFile",
    part,
    { ...SBOMS, hooks: drop(file) },
  ];
  const wrong = (name: string, file: string): BadSpec => [
    name,
    "ChecksumMismatch",
    `${file}: sha256 is`,
    { ...SBOMS, hooks: change(file, { content: "something else" }) },
  ];
  return [
    gone("no-zarf-yaml", "zarf.yaml"),
    gone("no-checksums", "checksums.txt"),
    gone("no-component", "components/web.tar"),
    gone("no-layer", LAYER),
    gone("no-sboms", "sboms.tar"),
    gone("no-index", "images/index.json"),
    gone("no-oci-layout", "images/oci-layout"),
    wrong("other-sboms", "sboms.tar"),
    wrong("other-index", "images/index.json"),
    wrong("other-layer", LAYER),
    ["zarf-yaml-is-a-directory", "MissingFile", "zarf.yaml: is not in the package", {
      hooks: change("zarf.yaml", { type: "directory", content: "" }),
    }],
    ["unlisted", "UnlistedFile", "extra.txt: is in the package", {
      hooks: add({ name: "extra.txt", content: "x" }),
    }],
    ["unlisted-component", "UnlistedFile", "components/more.tar: is in the package", {
      hooks: add({ name: "components/more.tar", content: new Uint8Array(1024) }),
    }],
  ];
}

function blobs(): BadSpec[] {
  const blob = (name: string, path: string, content = "x"): BadSpec => [
    `blob-${name}`,
    "InvalidImageLayout",
    `images/blobs/${path}: is not named by a sha256 digest`,
    { files: { [`images/blobs/${path}`]: content } },
  ];
  const hex = sha256("x");
  const unlisted: PackageSpec = {
    hooks: add({ name: `images/blobs/sha256/${hex}`, content: "x" }),
  };
  return [
    blob("short", "sha256/abc"),
    blob("not-hex", `sha256/${hex.slice(0, -1)}g`),
    blob("upper-case", `sha256/${hex.toUpperCase()}`),
    blob("sha512", `sha512/${hex}${hex}`),
    blob("beside", "readme.txt"),
    blob("below-a-digest", `sha256/${hex}/x`),
    blob("with-an-ending", `sha256/${hex}.tmp`),
    ["blob-unlisted", "UnlistedFile", hex, unlisted],
    [
      "blob-of-another-name",
      "ChecksumMismatch",
      "but its name says",
      { files: { [`images/blobs/sha256/${hex}`]: "y" } },
    ],
  ];
}
