import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";
import { packageEntries, type PackageSpec, sha256 } from "../fixtures/make_package.ts";
import { contentChunks, type TarEntrySpec } from "../fixtures/tar_writer.ts";

const PACKAGES = new URL("../fixtures/packages/", import.meta.url);

/** Good packages of every form that there is, small; the first one is the smallest. */
export const SPECS: readonly PackageSpec[] = [
  { images: [], components: [{ name: "web" }] },
  {},
  { images: [{ reference: "docker.io/library/sample:1.0", style: "docker", layers: ["a", "b"] }] },
  {
    files: { "sboms.tar": "SBOM", "values.yaml": "a: 1\n", "documentation.tar": "docs" },
    components: [
      { name: "web", images: ["docker.io/library/sample:1.0"] },
      {
        name: "db",
        required: false,
        definition: {
          charts: [{ name: "c", version: "1.0.0", namespace: "db", variables: [] }],
          actions: { onDeploy: { before: [{ cmd: "true", setVariable: "A" }] } },
          healthChecks: [{ apiVersion: "v1", kind: "Pod", namespace: "db", name: "db" }],
        },
        files: { "charts/c-1.0.0.tgz": "chart", "values/c-1.0.0-0": "a: 1\n" },
        entries: [{ name: "db/link", type: "symlink", linkTarget: "charts/c-1.0.0.tgz" }],
      },
    ],
  },
];

/** The entries of a good package, as bytes. */
export function entriesOf(spec: PackageSpec): TarEntrySpec[] {
  return packageEntries(spec).map((entry) => ({
    ...entry,
    content: Buffer.concat([...contentChunks(entry.content ?? "")]),
  }));
}

/** A file of `test/fixtures/packages`, a package that the real zarf made, as a tar. */
export function realTar(name: string): Uint8Array {
  const bytes = Deno.readFileSync(new URL(name, PACKAGES));
  return name.endsWith(".zst") ? zstdDecompressSync(bytes) : bytes;
}

/** Another file that lies there. */
export function realFile(name: string): string {
  return Deno.readTextFileSync(new URL(name, PACKAGES));
}

/** Regular files of a ustar archive, by name; it must be a good one. */
export function filesOf(tar: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (from: number, to: number) =>
    new TextDecoder().decode(tar.subarray(from, to)).replace(/\0.*$/s, "");
  for (let at = 0; at < tar.length && tar[at] !== 0;) {
    const size = Number.parseInt(text(at + 124, at + 136), 8);
    const name = text(at, at + 100);
    if (tar[at + 156] === 0x30) files.set(name, tar.slice(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/**
 * The files as entries of a package whose checksums.txt and zarf.yaml are right again, so that what
 * is inside of them is reached.
 *
 * @param list Changes checksums.txt before zarf.yaml names it.
 */
export function rehash(
  files: ReadonlyMap<string, Uint8Array>,
  list: (text: string) => string = (text) => text,
): TarEntrySpec[] {
  const listed = [...files].filter(([name]) => name !== "zarf.yaml" && name !== "checksums.txt");
  const lines = listed.map(([name, content]) => `${sha256(content)} ${name}`);
  const checksums = list(`${lines.sort().join("\n")}\n`);
  const yaml = new TextDecoder().decode(files.get("zarf.yaml"))
    .replace(/aggregateChecksum: .*/, `aggregateChecksum: ${sha256(checksums)}`);
  return [
    { name: "checksums.txt", content: Buffer.from(checksums) },
    ...listed.map(([name, content]) => ({ name, content })),
    { name: "zarf.yaml", content: Buffer.from(yaml) },
  ];
}

/** The regular files among entries with bytes, by name. */
export function filesIn(entries: readonly TarEntrySpec[]): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const { name, type = "file", content } of entries) {
    if (type === "file" && content instanceof Uint8Array) files.set(name, content);
  }
  return files;
}
