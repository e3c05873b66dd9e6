import { type PackageSpec, sha256 } from "../fixtures/make_package.ts";
import { type BadPackage, type BadSpec, badSpec } from "./bad_package.ts";

const HASH = sha256("");
const SBOMS = { "sboms.tar": "SBOM content" };

/** Packages whose checksums.txt is wrong, named right by zarf.yaml unless the list itself is meant. */
export function badChecksums(): BadPackage[] {
  return [...lines(), ...lists()].map(badSpec);
}

const changed = (checksums: (text: string) => string): PackageSpec => ({
  files: SBOMS,
  hooks: { checksums },
});

function lines(): BadSpec[] {
  const line = (name: string, text: string, part: string): BadSpec => [
    `list-${name}`,
    "InvalidChecksums",
    part,
    changed((all) => `${text}\n${all}`),
  ];
  const form = "line 1 does not have the form";
  return [
    line("words", "what is this", form),
    line("short-hash", `${HASH.slice(1)} a`, form),
    line("sha512", `${HASH}${HASH} a`, form),
    line("upper-case", `${HASH.toUpperCase()} a`, form),
    line("two-spaces", `${HASH}  a`, form),
    line("tab", `${HASH}\ta`, form),
    line("star", `${HASH} *a b`, form),
    line("name-with-space", `${HASH} a b`, form),
    line("no-name", `${HASH} `, form),
    line("byte-order-mark", `\ufeff${HASH} a`, form),
    line("itself", `${HASH} checksums.txt`, "lists checksums.txt, which cannot be listed"),
    line("zarf-yaml", `${HASH} zarf.yaml`, "lists zarf.yaml, which cannot be listed"),
    line("odd-path", `${HASH} ./sboms.tar`, "line 1 has the impossible path ./sboms.tar"),
    line("endless-path", `${HASH} ${"./".repeat(2_000_000)}`, "line 1 has 4000065 characters"),
    ["list-climbs", "UnsafePath", '"../a"', changed((all) => `${all}${HASH} ../a\n`)],
    ["list-absolute", "UnsafePath", '"/a"', changed((all) => `${all}${HASH} /a\n`)],
  ];
}

function lists(): BadSpec[] {
  const aggregate = (value: unknown): PackageSpec => ({
    hooks: { definition: ({ metadata }) => void (metadata["aggregateChecksum"] = value) },
  });
  return [
    ["list-crlf", "InvalidChecksums", "line 1", changed((all) => all.replaceAll("\n", "\r\n"))],
    ["list-upper-case-all", "InvalidChecksums", "line 1", changed((all) => all.toUpperCase())],
    [
      "list-line-twice",
      "InvalidChecksums",
      "sboms.tar a second time",
      changed((all) => `${all}${sha256(SBOMS["sboms.tar"])} sboms.tar\n`),
    ],
    ["list-latin-1", "InvalidChecksums", "checksums.txt: is not text", {
      files: SBOMS,
      hooks: {
        entries: (all) =>
          all.map((one) =>
            one.name === "checksums.txt" ? { ...one, content: Uint8Array.of(0xe9, 10) } : one
          ),
      },
    }],
    ["list-empty", "UnlistedFile", "components/web.tar: is in the package", changed(() => "")],
    [
      "list-too-long",
      "LimitExceeded",
      "checksums.txt: has 9000000 bytes, the limit is 8388608",
      changed(() => "\n".repeat(9_000_000)),
    ],
    [
      "list-of-more",
      "MissingFile",
      "gone.txt: is not in the package, but checksums.txt lists it",
      changed((all) => `${all}${HASH} gone.txt\n`),
    ],
    [
      "list-of-less",
      "UnlistedFile",
      "sboms.tar: is in the package, but checksums.txt does not list it",
      changed((all) => all.replace(/.* sboms.tar\n/, "")),
    ],
    [
      "list-of-another-hash",
      "ChecksumMismatch",
      `sboms.tar: sha256 is ${sha256(SBOMS["sboms.tar"])} but checksums.txt says ${HASH}`,
      changed((all) => all.replace(/.* sboms.tar\n/, `${HASH} sboms.tar\n`)),
    ],
    [
      "list-only-directories",
      "MissingFile",
      "images: is not in the package",
      changed((all) => `${all}${HASH} images\n`),
    ],
    ["aggregate-other", "AggregateMismatch", "checksums.txt: sha256 is", aggregate(HASH)],
    ["aggregate-none", "AggregateMismatch", "zarf.yaml says nothing", aggregate(undefined)],
    ["aggregate-empty", "AggregateMismatch", "zarf.yaml says nothing", aggregate("")],
    ["aggregate-number", "AggregateMismatch", "zarf.yaml says 1", aggregate(1)],
    ["aggregate-upper-case", "AggregateMismatch", "checksums.txt: sha256 is", {
      hooks: {
        definition: ({ metadata }) =>
          void (metadata["aggregateChecksum"] = String(metadata["aggregateChecksum"])
            .toUpperCase()),
      },
    }],
    ["aggregate-with-algorithm", "AggregateMismatch", "zarf.yaml says sha256:", {
      hooks: {
        definition: ({ metadata }) =>
          void (metadata["aggregateChecksum"] = `sha256:${metadata["aggregateChecksum"]}`),
      },
    }],
  ];
}
