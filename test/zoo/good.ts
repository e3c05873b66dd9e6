import { Buffer } from "node:buffer";
import { zstdCompressSync } from "node:zlib";
import { dump } from "js-yaml";
import {
  buildPackage,
  type ComponentSpec,
  type Definition,
  type PackageHooks,
  type PackageSpec,
  sha256,
} from "../fixtures/make_package.ts";
import { keyPair, signed } from "../fixtures/sign_package.ts";
import { paxRecord, type TarEntrySpec } from "../fixtures/tar_writer.ts";
import { add, change } from "./bad_package.ts";
import { frame, rawBlock, skippable } from "./zstd_writer.ts";

/** A package file that looks odd and is to be accepted. */
export interface GoodPackage {
  /** As a file name, without what the format adds. */
  readonly name: string;
  readonly format: "tar.zst" | "tar";
  /** Public key, PEM; the package is read by somebody who trusts only this one. */
  readonly key?: string;
  /** The file's bytes, made anew each time. */
  make(): Uint8Array;
}

/** Packages at the edge of what is right, each odd in one way. */
export function goodPackages(): GoodPackage[] {
  return [...archives(), ...lists(), ...definitions(), ...images(), ...signatures()];
}

function good(name: string, spec: PackageSpec = {}): GoodPackage {
  const { format = "tar.zst" } = spec;
  return { name: `good-${name}`, format, make: () => buildPackage(spec) };
}

function file(name: string, make: () => Uint8Array, format: GoodPackage["format"] = "tar.zst") {
  return { name: `good-${name}`, format, make };
}

function archives(): GoodPackage[] {
  const whole = () => buildPackage({});
  const tar = () => buildPackage({ format: "tar" });
  const slashes = (all: readonly TarEntrySpec[]) =>
    all.map((one) => one.type === "directory" ? { ...one, name: `${one.name}/` } : one);
  const global: TarEntrySpec = {
    name: "pax_global_header",
    type: "pax-global",
    content: paxRecord("comment", "a commit"),
  };
  return [
    good("tar-zst"),
    good("tar", { format: "tar" }),
    file("two-frames", () => {
      const bytes = tar();
      return Buffer.concat([
        zstdCompressSync(bytes.subarray(0, 700)),
        zstdCompressSync(bytes.subarray(700)),
      ]);
    }),
    file("skippable-frames", () => {
      return Buffer.concat([skippable(Buffer.from("before")), whole(), skippable(Buffer.of())]);
    }),
    file("frame-of-known-size", () => {
      return frame({ contentSize: BigInt(tar().length) }, rawBlock(tar()));
    }),
    file("window-of-64-mib", () => frame({ windowLog: 26 }, rawBlock(tar()))),
    file("filled-to-a-record", () => Buffer.concat([tar(), new Uint8Array(20_480)]), "tar"),
    good("directories-with-slashes", { hooks: { entries: slashes } }),
    good("dot-slash", {
      hooks: { entries: (all) => all.map((one) => ({ ...one, name: `./${one.name}` })) },
    }),
    good("without-directories", {
      hooks: { entries: (all) => all.filter(({ type }) => type !== "directory") },
    }),
    good("zarf-yaml-first", { hooks: { entries: (all) => all.toReversed() } }),
    good("global-header", { hooks: { entries: (all) => [global, ...all] } }),
    good("long-name", { files: { [`documents/${"n".repeat(200)}.txt`]: "x" } }),
    good("deep-name", { files: { [`${"d/".repeat(90)}x`]: "x" } }),
    good("name-of-a-device-of-windows", { files: { "aux.txt": "x" } }),
    good("odd-modes", { hooks: change("zarf.yaml", { mode: 0o7777 }) }),
  ];
}

const COMPONENT: ComponentSpec = {
  name: "web",
  definition: { manifests: [{ name: "web", namespace: "web", files: ["web.yaml"] }] },
  files: { "manifests/web-0.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\n" },
};

function lists(): GoodPackage[] {
  const list = (name: string, checksums: (text: string) => string) =>
    good(`list-${name}`, { hooks: { checksums } });
  const inside = (name: string, ...entries: readonly TarEntrySpec[]) =>
    good(`component-${name}`, { images: [], components: [{ ...COMPONENT, entries }] });
  return [
    list("without-last-newline", (text) => text.trimEnd()),
    list("with-empty-lines", (text) => `\n${text.replaceAll("\n", "\n\n")}`),
    list("unsorted", (text) => `${text.trimEnd().split("\n").toReversed().join("\n")}\n`),
    good("no-files", { images: [], components: [{ name: "web" }] }),
    good("extra-file", { files: { "extra.txt": "x", "images/ingest/x": "y" } }),
    good("component-that-zarf-yaml-does-not-name", {
      files: { "components/db.tar": new Uint8Array(1024) },
    }),
    inside("link", { name: "web/link", type: "symlink", linkTarget: "manifests/web-0.yaml" }),
    inside("link-to-nothing", { name: "web/link", type: "symlink", linkTarget: "nowhere" }),
    inside("executable", { name: "web/files/0/run", content: "#!/bin/sh\n", mode: 0o755 }),
    inside("empty-directory", { name: "web/data", type: "directory" }),
  ];
}

function definitions(): GoodPackage[] {
  const define = (name: string, definition: (all: Definition) => void, more: PackageSpec = {}) =>
    good(name, { ...more, hooks: { definition } });
  const text = (name: string, definitionText: (text: string) => string) =>
    good(name, { hooks: { definitionText } });
  const both = (yaml: string) => {
    const aggregateChecksum = /aggregateChecksum: (\S+)/.exec(yaml)?.[1];
    return `${yaml}---\n${
      dump({
        apiVersion: "zarf.dev/v1beta1",
        kind: "ZarfPackageConfig",
        metadata: { name: "sample", version: "1.0.0", architecture: "amd64" },
        build: {
          architecture: "amd64",
          signed: false,
          provenanceFiles: ["checksums.txt"],
          aggregateChecksum,
        },
        components: [{ name: "web" }],
      })
    }`;
  };
  return [
    define("no-api-version", (all) => delete all["apiVersion"]),
    define("init-package", (all) => all["kind"] = "ZarfInitConfig"),
    define("unknown-keys", (all) => Object.assign(all, { novelty: { a: [1] } })),
    define("version-a-number", ({ metadata }) => metadata["version"] = 1.1),
    define("migrations-not-done", ({ build, components: [first] }) => {
      delete build["migrations"];
      Object.assign(first ?? {}, { scripts: { before: ["true"], retry: true } });
    }),
    define("provenance-files", ({ build }) => {
      build["provenanceFiles"] = ["checksums.txt", "zarf.yaml", "nowhere.json"];
    }),
    text("comments", (yaml) => `# made by hand\n${yaml}\n# the end\n`),
    text("aliases", (yaml) => `${yaml}x: &a { b: 1 }\ny: { <<: *a, c: *a }\n`),
    text("document-mark", (yaml) => `---\n${yaml}...\n`),
    text("crlf", (yaml) => yaml.replaceAll("\n", "\r\n")),
    good("two-documents", {
      images: [],
      components: [{ name: "web" }],
      hooks: { definitionText: both },
    }),
    text("document-of-the-future", (yaml) => `${yaml}---\napiVersion: zarf.dev/v9\nkind: X\n`),
    good("for-arm64-without-images", { architecture: "arm64", images: [] }),
    good("for-no-processor-without-images", { architecture: "", images: [] }),
    good("for-all-processors", { architecture: "multi" }),
  ];
}

function images(): GoodPackage[] {
  const reference = "docker.io/library/sample:1.0";
  const unreachable = { [`images/blobs/sha256/${sha256("x")}`]: "x" };
  const index = (name: string, change: PackageHooks["index"] & object) =>
    good(name, { hooks: { index: change } });
  return [
    good("docker-image", { images: [{ reference, style: "docker", layers: ["a", "b"] }] }),
    good("image-without-layers", { images: [{ reference }] }),
    good("unreachable-blob", { files: unreachable }),
    good("artifact", {
      images: [{ reference, manifest: { artifactType: "application/x", annotations: { a: "b" } } }],
    }),
    good("subject-that-is-not-there", {
      images: [{
        reference,
        manifest: { subject: { mediaType: "m", digest: `sha256:${sha256("y")}`, size: 1 } },
      }],
    }),
    index("base-name-only", ({ manifests: [first] }) => {
      Object.assign(first ?? {}, {
        annotations: { "org.opencontainers.image.base.name": reference },
      });
    }),
    index("image-twice", ({ manifests }) => void manifests.push(...manifests)),
    good("nameless-image", {
      components: [{ name: "web" }],
      hooks: { index: ({ manifests: [first] }) => void delete first?.["annotations"] },
    }),
  ];
}

function signatures(): GoodPackage[] {
  const pair = keyPair();
  const by = (name: string, hooks: PackageHooks): GoodPackage => ({
    ...good(name, { hooks }),
    key: pair.pem,
  });
  return [
    by("signed", signed(pair)),
    by("signed-legacy", signed(pair, { form: "legacy" })),
    by("signed-says-nothing", signed(pair, { says: null })),
    good("signed-and-nobody-looks", { hooks: signed(pair) }),
    good("signature-nonsense-and-nobody-looks", {
      hooks: add({ name: "zarf.bundle.sig", content: "{}" }),
    }),
  ];
}
