import { type PackageSpec, sha256, type TarEntrySpec } from "../../test/fixtures/make_package.ts";
import { refusalTable } from "../../test/fixtures/refusal.ts";

const drop = (name: string) => ({
  entries: (all: TarEntrySpec[]) => all.filter((entry) => entry.name !== name),
});
const add = (...more: TarEntrySpec[]) => ({ entries: (all: TarEntrySpec[]) => [...all, ...more] });
const replace = (name: string, content: string) => ({
  entries: (all: TarEntrySpec[]) =>
    all.map((entry) => entry.name === name ? { ...entry, content } : entry),
});
const inComponent = (...entries: TarEntrySpec[]): PackageSpec => ({
  images: [],
  components: [{ name: "web", entries }],
});

const LAYER = `images/blobs/sha256/${sha256("not really a layer\n")}`;

refusalTable("files that are missing, extra or wrong are refused by name", [
  {
    name: "no zarf.yaml",
    spec: { hooks: drop("zarf.yaml") },
    reason: "MissingFile",
    part: "zarf.yaml: is not",
  },
  {
    name: "no checksums.txt",
    spec: { hooks: drop("checksums.txt") },
    reason: "MissingFile",
    part: "checksums.txt: is not",
  },
  {
    name: "a component's tar is gone",
    spec: { hooks: drop("components/web.tar") },
    reason: "MissingFile",
    part: "components/web.tar: is not",
  },
  { name: "a blob is gone", spec: { hooks: drop(LAYER) }, reason: "MissingFile", part: LAYER },
  {
    name: "a file that is not listed",
    spec: { hooks: add({ name: "extra.txt", content: "x" }) },
    reason: "UnlistedFile",
    part: "extra.txt: is in the package",
  },
  {
    name: "a blob that is not listed",
    spec: { hooks: add({ name: `images/blobs/sha256/${sha256("x")}`, content: "x" }) },
    reason: "UnlistedFile",
    part: sha256("x"),
  },
  {
    name: "a file left out of the list",
    spec: {
      files: { "sboms.tar": "s" },
      hooks: { checksums: (text) => text.replace(/.* sboms.tar\n/, "") },
    },
    reason: "UnlistedFile",
    part: "sboms.tar",
  },
  {
    name: "a listed file that never was",
    spec: { hooks: { checksums: (text) => `${text}${sha256("")} gone.txt\n` } },
    reason: "MissingFile",
    part: "gone.txt",
  },
  {
    name: "another content than listed",
    spec: { files: { "sboms.tar": "right" }, hooks: replace("sboms.tar", "wrong") },
    reason: "ChecksumMismatch",
    part: "sboms.tar: sha256 is",
  },
  {
    name: "a blob that is not what its name says",
    spec: { hooks: replace(LAYER, "not really A layer\n") },
    reason: "ChecksumMismatch",
    part: `${LAYER}: sha256 is`,
  },
  {
    name: "a blob that is listed right under a wrong name",
    spec: { files: { [`images/blobs/sha256/${sha256("x")}`]: "y" } },
    reason: "ChecksumMismatch",
    part: "but its name says",
  },
  {
    name: "a provenance file below a directory, even in a package that says it is signed",
    spec: {
      hooks: {
        definition(definition) {
          definition.build["signed"] = true;
          definition.build["provenanceFiles"] = ["deep/p.json"];
        },
        ...add({ name: "deep/p.json" }),
      },
    },
    reason: "UnlistedFile",
    part: "deep/p.json",
  },
  {
    name: "another checksums.txt than zarf.yaml names",
    spec: { hooks: { definition: (d) => d.metadata.aggregateChecksum = sha256("other") } },
    reason: "AggregateMismatch",
    part: "checksums.txt: sha256 is",
  },
  {
    name: "no aggregate checksum",
    spec: { hooks: { definition: (d) => delete d.metadata.aggregateChecksum } },
    reason: "AggregateMismatch",
    part: "zarf.yaml says nothing",
  },
  {
    name: "a list that cannot be read",
    spec: { hooks: { checksums: () => "what is this\n" } },
    reason: "InvalidChecksums",
    part: "checksums.txt: line 1",
  },
  {
    name: "a definition that cannot be read",
    spec: { hooks: { definitionText: () => "a: [" } },
    reason: "InvalidDefinition",
    part: "zarf.yaml",
  },
  {
    name: "an unlisted provenance file without a signature",
    spec: {
      hooks: {
        definition: (d) => d.build.provenanceFiles = ["p.json"],
        ...add({ name: "p.json" }),
      },
    },
    reason: "UnlistedFile",
    part: "p.json",
  },
  {
    name: "content without a component's tar",
    spec: {
      images: [],
      components: [{ name: "web", definition: { repos: ["https://example.org/r.git"] } }],
    },
    reason: "MissingFile",
    part: "components/web.tar",
  },
]);

refusalTable("entries that do not belong into a package are refused by name", [
  {
    name: "a path that climbs",
    spec: { hooks: add({ name: "../evil" }) },
    reason: "UnsafePath",
    part: '"../evil"',
  },
  {
    name: "a path that climbs from within",
    spec: { hooks: add({ name: "images/../../evil" }) },
    reason: "UnsafePath",
    part: "images/../../evil",
  },
  {
    name: "an absolute path",
    spec: { hooks: add({ name: "/etc/passwd" }) },
    reason: "UnsafePath",
    part: "/etc/passwd",
  },
  { name: "a backslash", spec: { hooks: add({ name: "a\\b" }) }, reason: "UnsafePath", part: "a" },
  {
    name: "a symbolic link",
    spec: { hooks: add({ name: "link", type: "symlink", linkTarget: "zarf.yaml" }) },
    reason: "UnsupportedEntry",
    part: "link: is a symlink",
  },
  {
    name: "a hard link",
    spec: { hooks: add({ name: "link", type: "hardlink", linkTarget: "zarf.yaml" }) },
    reason: "UnsupportedEntry",
    part: "link: is a hardlink",
  },
  {
    name: "a device",
    spec: { hooks: add({ name: "null", type: "character device" }) },
    reason: "UnsupportedEntry",
    part: "null: is a character device",
  },
  {
    name: "a FIFO",
    spec: { hooks: add({ name: "pipe", type: "FIFO" }) },
    reason: "UnsupportedEntry",
    part: "pipe: is a FIFO",
  },
  {
    name: "a file without a name",
    spec: { hooks: add({ name: "./" }) },
    reason: "UnsafePath",
    part: "no name",
  },
  {
    name: "an entry twice",
    spec: { hooks: { entries: (all) => [...all, ...all.slice(-1)] } },
    reason: "DuplicateEntry",
    part: '"zarf.yaml" is there twice',
  },
  {
    name: "an entry twice under two spellings",
    spec: { hooks: add({ name: "./zarf.yaml" }) },
    reason: "DuplicateEntry",
    part: '"zarf.yaml"',
  },
  {
    name: "a file below a file",
    spec: { hooks: add({ name: "zarf.yaml/x" }) },
    reason: "UnsafePath",
    part: '"zarf.yaml/x"',
  },
  {
    name: "a file beside the components' tars",
    spec: { files: { "components/web/x": "1" } },
    reason: "UnsupportedEntry",
    part: "components/web/x",
  },
  {
    name: "a blob without a digest",
    spec: { files: { "images/blobs/sha256/abc": "1" } },
    reason: "InvalidImageLayout",
    part: "images/blobs/sha256/abc",
  },
]);

refusalTable("bad entries inside a component's tar are refused with the tar's name", [
  {
    name: "a path that climbs",
    spec: inComponent({ name: "web/../../x" }),
    reason: "UnsafePath",
    part: "components/web.tar: the name",
  },
  {
    name: "a path outside of the component",
    spec: inComponent({ name: "other/x" }),
    reason: "UnsafePath",
    part: 'components/web.tar: "other/x" is outside',
  },
  {
    name: "a link that leaves",
    spec: inComponent({ name: "web/l", type: "symlink", linkTarget: "../x" }),
    reason: "UnsafePath",
    part: "components/web.tar: the link",
  },
  {
    name: "an absolute link",
    spec: inComponent({ name: "web/l", type: "symlink", linkTarget: "/etc" }),
    reason: "UnsafePath",
    part: "is absolute",
  },
  {
    name: "a file through a link",
    spec: inComponent({ name: "web/l", type: "symlink", linkTarget: "d" }, { name: "web/l/x" }),
    reason: "UnsafePath",
    part: 'below "web/l", a link',
  },
  {
    name: "a hard link",
    spec: inComponent({ name: "web/l", type: "hardlink", linkTarget: "web/x" }),
    reason: "UnsupportedEntry",
    part: 'components/web.tar: "web/l" is a hardlink',
  },
  {
    name: "a device",
    spec: inComponent({ name: "web/d", type: "block device" }),
    reason: "UnsupportedEntry",
    part: "block device",
  },
  {
    name: "an entry twice",
    spec: inComponent({ name: "web/a" }, { name: "web/a" }),
    reason: "DuplicateEntry",
    part: "components/web.tar",
  },
  {
    name: "something else than a tar",
    spec: { files: { "components/x.tar": "no tar ".repeat(100) } },
    reason: "NotTar",
    part: "components/x.tar",
  },
  {
    name: "a tar that ends early",
    spec: { files: { "components/x.tar": "" } },
    reason: "Truncated",
    part: "components/x.tar",
  },
]);
