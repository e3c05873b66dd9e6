import { zstdCompressSync } from "node:zlib";
import type { ComponentSpec, PackageSpec } from "../fixtures/make_package.ts";
import { type Content, paxRecord, tarBytes, type TarEntrySpec } from "../fixtures/tar_writer.ts";
import { type BadPackage, type BadSpec, badSpec } from "./bad_package.ts";

const TAR = "components/web.tar: ";
const ROOT: TarEntrySpec = { name: "web", type: "directory" };
/** A component whose files somebody will want. */
const WEB: ComponentSpec = {
  name: "web",
  definition: { manifests: [{ name: "web", namespace: "web", files: ["web.yaml"] }] },
};
/** What it wants. */
const MANIFEST: TarEntrySpec = {
  name: "web/manifests/web-0.yaml",
  content: "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\n",
};

/** Packages whose component's tar is wrong inside; everything around it is right. */
export function badComponents(): BadPackage[] {
  return [...entries(), ...links(), ...tars()].map(badSpec);
}

/** A package with one component of these entries. */
function inside(...entries: readonly TarEntrySpec[]): PackageSpec {
  return { images: [], components: [{ ...WEB, entries: [ROOT, MANIFEST, ...entries] }] };
}

/** A package with one component of these bytes. */
function instead(content: Content): PackageSpec {
  return { images: [], components: [WEB], files: { "components/web.tar": content } };
}

const KINDS = ["hardlink", "character device", "block device", "FIFO"] as const;

function entries(): BadSpec[] {
  const entry = (
    name: string,
    reason: BadPackage["reason"],
    part: string,
    ...all: readonly TarEntrySpec[]
  ): BadSpec => [`component-${name}`, reason, TAR + part, inside(...all)];
  const file = { name: "web/a", content: "x" };
  return [
    entry("climbs", "UnsafePath", 'the name "web/../../evil"', { name: "web/../../evil" }),
    entry("climbs-at-once", "UnsafePath", 'the name "../evil"', { name: "../evil" }),
    entry("absolute", "UnsafePath", 'the name "/etc/holdfast-evil"', {
      name: "/etc/holdfast-evil",
    }),
    entry("outside", "UnsafePath", '"db/a" is outside of web/', { name: "db/a" }),
    entry("beside", "UnsafePath", '"a" is outside of web/', { name: "a" }),
    entry("longer-name", "UnsafePath", '"webs/a" is outside of web/', { name: "webs/a" }),
    entry("colon", "UnsafePath", 'the name "web/a:b"', { name: "web/a:b" }),
    entry("long-part", "UnsafePath", "the name", { name: `web/${"n".repeat(300)}` }),
    entry("twice", "DuplicateEntry", '"web/a" is there twice', file, file),
    entry("below-a-file", "UnsafePath", '"web/a/b" lies below "web/a", a file', file, {
      name: "web/a/b",
    }),
    entry("sparse", "UnsupportedEntry", '"web/a" is a sparse file', { ...file, type: "sparse" }),
    entry("pax-climbs", "UnsafePath", 'the name "web/../../evil"', {
      name: "x",
      type: "pax",
      content: paxRecord("path", "web/../../evil"),
    }, file),
    ...KINDS.map((type) =>
      entry(type.replace(" ", "-").toLowerCase(), "UnsupportedEntry", `"web/a" is a ${type}`, {
        name: "web/a",
        type,
        linkTarget: "web/b",
      })
    ),
  ];
}

function links(): BadSpec[] {
  const link = (
    name: string,
    part: string,
    linkTarget: string,
    ...more: readonly TarEntrySpec[]
  ): BadSpec => [
    `component-link-${name}`,
    "UnsafePath",
    TAR + part,
    inside({ name: "web/l", type: "symlink", linkTarget }, ...more),
  ];
  return [
    link("leaves", 'the link "l" to "../db" leaves its component', "../db"),
    link("leaves-far", 'the link "l" to "../../../etc"', "../../../etc"),
    link("absolute", 'the link "l" to "/etc/passwd" is absolute', "/etc/passwd"),
    link("climbs-later", 'the link "l" to "d/../../db" climbs after', "d/../../db"),
    link("backslash", 'the link "l" to "..\\\\db" has an impossible target', "..\\db"),
    link("to-nothing", 'the link "l" to "" has an impossible target', ""),
    link("written-through", '"web/l/x" lies below "web/l", a link', "d", { name: "web/l/x" }),
    ["component-is-a-link", "UnsupportedEntry", `${TAR}"web" is a symlink, not a directory`, {
      images: [],
      components: [{ ...WEB, entries: [{ name: "web", type: "symlink", linkTarget: "db" }] }],
    }],
    ["component-is-a-file", "UnsupportedEntry", `${TAR}"web" is a file, not a directory`, {
      images: [],
      components: [{ ...WEB, entries: [{ name: "web", content: "x" }] }],
    }],
  ];
}

function tars(): BadSpec[] {
  const tar = tarBytes([ROOT, MANIFEST, { name: "web/a", content: { size: 2_000, seed: 1 } }]);
  const bad = (
    name: string,
    reason: BadPackage["reason"],
    part: string,
    content: Content,
  ): BadSpec => [`component-${name}`, reason, TAR + part, instead(content)];
  return [
    bad("no-tar", "NotTar", "is not a tar archive", "no tar ".repeat(100)),
    bad("compressed", "NotTar", "is not a tar archive", zstdCompressSync(tar)),
    bad("empty", "Truncated", "ends before its first entry", ""),
    bad("cut", "Truncated", "ends at web/a", tar.subarray(0, 3_000)),
    bad("without-end", "Truncated", "ends at web/a", tar.subarray(0, -1024)),
    bad("trailing", "TrailingData", "something follows its end mark", Uint8Array.of(...tar, 1)),
    [
      "component-beside-its-tar",
      "UnsupportedEntry",
      "components/web/x: only tars of components may be there",
      { files: { "components/web/x": "1" } },
    ],
    [
      "component-without-tar",
      "MissingFile",
      "components/web.tar: is not in the package, but zarf.yaml has content for it",
      {
        images: [],
        components: [{ name: "web", definition: { repos: ["https://example.org/r.git"] } }],
      },
    ],
  ];
}
