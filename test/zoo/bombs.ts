/**
 * Small files that would become large or slow: each is at one of the reader's limits, or just above.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type Content, packageEntries, sha256 } from "../fixtures/make_package.ts";
import type { TarEntrySpec } from "../fixtures/tar_writer.ts";
import type { PackageErrorReason } from "../../src/package/mod.ts";

/** A package that must be read in bounded time and memory, whatever is said of it. */
export interface Bomb {
  readonly name: string;
  /** Why it is refused; `undefined` where it is accepted. */
  readonly reason: PackageErrorReason | undefined;
  /** Whether the files in it go nowhere: a disk needs longer for their number than the reader. */
  readonly discarded?: boolean;
  /** Its entries, made while they are written. */
  entries(): Iterable<TarEntrySpec>;
}

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** All of them. */
export function bombs(): Bomb[] {
  return [...archives(), ...lists(), ...definitions(), ...layouts()];
}

function bomb(
  name: string,
  reason: Bomb["reason"],
  entries: () => Iterable<TarEntrySpec>,
): Bomb {
  return { name, reason, entries };
}

function discarded(name: string, entries: Bomb["entries"]): Bomb {
  return { ...bomb(name, "LimitExceeded", entries), discarded: true };
}

function* many(count: number, each: (index: number) => TarEntrySpec): Generator<TarEntrySpec> {
  for (let index = 0; index < count; index++) yield each(index);
}

const list = (length: number, each: (index: number) => string) =>
  Array.from({ length }, (_, index) => each(index)).join("");
const padded = (index: number) => String(index).padStart(7, "0");

function archives(): Bomb[] {
  const pax = (content: string): TarEntrySpec => ({ name: "x", type: "pax", content });
  return [
    discarded("files", () => many(100_000, (index) => ({ name: `f${index}` }))),
    discarded("implied-directories", () => {
      return many(8_000, (index) => ({ name: `${padded(index)}${"/a".repeat(98)}` }));
    }),
    discarded("long-names", () => {
      return many(
        30_000,
        (index) => ({ name: `${padded(index)}${`/${"n".repeat(240)}`.repeat(4)}` }),
      );
    }),
    discarded("names-in-a-component", () => {
      const entries = many(60_000, (index) => ({ name: `web/${padded(index)}${"n".repeat(240)}` }));
      return packageEntries({ images: [], components: [{ name: "web", entries: [...entries] }] });
    }),
    bomb("directories", "LimitExceeded", () => {
      return many(100_000, (index) => ({ name: `d${index}`, type: "directory" }));
    }),
    bomb("headers", "LimitExceeded", () => {
      return many(300_000, () => ({ name: "x", type: "pax-global" }));
    }),
    bomb("records", "MissingFile", () => {
      const records = pax("6 a=b\n".repeat(10_900));
      return many(500, (index) => index % 5 < 4 ? records : { name: `f${index}` });
    }),
  ];
}

function lists(): Bomb[] {
  const checksums = (content: Content) => () => [{ name: "checksums.txt", content }];
  const hash = sha256("");
  return [
    bomb("list-of-names", "MissingFile", () => {
      return checksums(list(110_000, (index) => `${hash} f${index}\n`))();
    }),
    bomb("list-of-nothing", "MissingFile", checksums("\n".repeat(8 << 20))),
    bomb(
      "list-of-dots",
      "InvalidChecksums",
      checksums(`${hash} ${"./".repeat(4 << 20)}`.slice(0, 8e6)),
    ),
    bomb("list-of-controls", "InvalidChecksums", checksums("\x01".repeat(8 << 20))),
  ];
}

function definitions(): Bomb[] {
  const text = (name: string, reason: Bomb["reason"], definitionText: (text: string) => string) =>
    bomb(`yaml-${name}`, reason, () => packageEntries({ hooks: { definitionText } }));
  const more = (name: string, yaml: string, reason?: Bomb["reason"]) =>
    text(name, reason, (text) => `${text}x: ${yaml}\n`);
  const component = (name: string, yaml: string, reason?: Bomb["reason"]) =>
    text(name, reason, (text) => text.replace("components:\n", `components:\n  - ${yaml}\n`));
  const charts = list(12_000, (index) => `{ name: c${index}, version: "1" },`);
  return [
    more("pairs", `[${"a:,".repeat(30_000)}]`),
    more("lists", `[${"[],".repeat(30_000)}]`),
    more("texts", `[${"a,".repeat(60_000)}]`),
    more("keys", `{${list(30_000, (index) => `k${index}: 1,`)}}`),
    more("anchors", `[${list(60_000, (index) => `&a${index} x,`)}]`),
    more("documents", `y\n${"---\n".repeat(30_000)}`),
    more("escapes", `"${"\\n".repeat(1_000_000)}"`),
    more("quotes", `'${"''".repeat(1_000_000)}'`),
    more("folded", `>\n${" a b c d e f g h i j k l m n o p\n".repeat(60_000)}`),
    more("aliases", `&a ${"x".repeat(1 << 20)}\ny: [${"*a,".repeat(900)}]`, "LimitExceeded"),
    component("scripts", `{ name: s, scripts: { before: [${"a,".repeat(60_000)}] } }`),
    component(
      "actions",
      `{ name: s, actions: { onRemove: { before: [${"{},".repeat(30_000)}] } } }`,
    ),
    component("charts", `{ name: s, charts: [${charts}] }`, "MissingFile"),
    component("mistakes", `{ name: s, files: [${"1,".repeat(60_000)}] }`, "InvalidDefinition"),
  ];
}

function layouts(): Bomb[] {
  const index = (name: string, reason: Bomb["reason"], manifests: string, more = ""): Bomb =>
    bomb(`index-${name}`, reason, () =>
      packageEntries({
        images: [],
        files: {
          "images/oci-layout": JSON.stringify({ imageLayoutVersion: "1.0.0" }),
          "images/index.json": `{"schemaVersion":2,"manifests":[${manifests}]${more}}`,
        },
      }));
  const deep = "[".repeat(70_000) + "]".repeat(70_000);
  const annotations = list(70_000, (n) => `"${n}":"",`).slice(0, -1);
  const mistakes = annotations.replaceAll('""', "1");
  return [
    index("numbers", "InvalidImageLayout", `${"1,".repeat(145_000)}1`),
    index("objects", "InvalidImageLayout", `${"{},".repeat(70_000)}1`),
    index("nested", undefined, "", `,"x":${deep}`),
    index("annotations", undefined, "", `,"annotations":{${annotations}}`),
    index("wrong-annotations", "InvalidImageLayout", "", `,"annotations":{${mistakes}}`),
    bomb("index-texts", "LimitExceeded", () => {
      return rooted(20, (n) => [
        OCI_MANIFEST,
        `{"n":${n},"annotations":{"a":"${"x".repeat(8_000_000)}"}}`,
      ]);
    }),
    bomb("index-children", undefined, () => {
      const child = describe(OCI_MANIFEST, "{}");
      return rooted(20, (n) => [
        OCI_INDEX,
        `{"schemaVersion":2,"n":${n},"manifests":[${`${child},`.repeat(18_000)}${child}]}`,
      ], { [blobPath("{}")]: "{}" });
    }),
  ];
}

const blobPath = (content: string) => `images/blobs/sha256/${sha256(content)}`;

function describe(mediaType: string, content: string): string {
  const digest = `sha256:${sha256(content)}`;
  return JSON.stringify({ mediaType, digest, size: Buffer.byteLength(content) });
}

/** A package with so many manifests, each a root of index.json. */
function rooted(
  count: number,
  each: (index: number) => readonly [mediaType: string, content: string],
  more: Readonly<Record<string, Content>> = {},
): TarEntrySpec[] {
  const files: Record<string, Content> = {
    ...more,
    "images/oci-layout": JSON.stringify({ imageLayoutVersion: "1.0.0" }),
  };
  const roots: string[] = [];
  for (let index = 0; index < count; index++) {
    const [mediaType, content] = each(index);
    files[blobPath(content)] = content;
    roots.push(describe(mediaType, content));
  }
  files["images/index.json"] = `{"schemaVersion":2,"manifests":[${roots.join()}]}`;
  return packageEntries({ images: [], files });
}
