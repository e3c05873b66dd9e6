import { Buffer } from "node:buffer";
import { buildPackage, type PackageSpec, positionOf } from "../fixtures/make_package.ts";
import { paxRecord, tarBytes, type TarEntrySpec } from "../fixtures/tar_writer.ts";
import { add, badFile, type BadPackage, type BadSpec, badSpec, change } from "./bad_package.ts";

const BLOCK = 512;
/** The end mark. */
const END = 2 * BLOCK;

/** Archives whose tar headers or end mark are wrong. */
export function badHeaders(): BadPackage[] {
  return [...headers().map(badSpec), ...extensions().map(badSpec), ...ends()];
}

/** The size in octal digits, 12 bytes, as it shall stand there. */
const size = (text: string) => ({
  patch: (header: Buffer) => void header.write(text.padEnd(12, "\0"), 124, 12, "latin1"),
});
/** The size as GNU's binary number of 12 bytes. */
const binary = (...bytes: readonly number[]) => ({
  patch: (header: Buffer) => void header.set([...Array(12 - bytes.length).fill(0), ...bytes], 124),
});
const GIB_8 = [2, 0, 0, 0, 0];

function headers(): BadSpec[] {
  const extra = (entry: Partial<TarEntrySpec>): PackageSpec => ({
    hooks: add({ name: "extra.txt", content: "x", ...entry }),
  });
  const negative = (header: Buffer) => void header.fill(0xff, 124, 136);
  const marked = (...bytes: readonly number[]) => ({
    patch: (header: Buffer) => {
      binary(...bytes).patch(header);
      header[124] = 0x80;
    },
  });
  return [
    ["size-negative", "Corrupt", "a header has an impossible number", extra({ patch: negative })],
    ["size-minus", "Corrupt", "a header has an impossible number", extra(size("-0000000001"))],
    ["size-letters", "Corrupt", "a header has an impossible number", extra(size("12x45"))],
    [
      "size-beyond-counting",
      "Corrupt",
      "a header has an impossible number",
      extra(marked(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    ],
    ["size-8-gib", "Truncated", "ends at extra.txt", extra(marked(...GIB_8))],
    [
      "size-2-tib",
      "LimitExceeded",
      "extra.txt: with it the package has more than 1099511627776 bytes",
      extra(marked(2, 0, 0, 0, 0, 0)),
    ],
    [
      "size-of-zarf-yaml",
      "LimitExceeded",
      "zarf.yaml: has 8589934592 bytes",
      { hooks: change("zarf.yaml", marked(...GIB_8)) },
    ],
    ["size-too-small", "Corrupt", "the filling after the content is not empty", {
      hooks: change("zarf.yaml", size("00000000001")),
    }],
    [
      "name-not-utf8",
      "UnsafePath",
      "a name is not UTF-8",
      extra({ patch: (header) => void header.set([0xe9], 0) }),
    ],
    ["sparse", "UnsupportedEntry", "extra.txt: is a sparse file", extra({ type: "sparse" })],
    [
      "type-unknown",
      "UnsupportedEntry",
      "extra.txt: is a entry of an unknown type",
      extra({ type: "unknown" }),
    ],
  ];
}

function extensions(): BadSpec[] {
  const file = { name: "extra.txt", content: "x".repeat(600) };
  const pax = (content: string, ...more: readonly TarEntrySpec[]): PackageSpec => ({
    hooks: add({ name: "PaxHeaders/extra", type: "pax", content }, ...more),
  });
  const long = (name: string): PackageSpec => ({
    hooks: add({ name: "././@LongLink", type: "long-name", content: `${name}\0` }, file),
  });
  const each = { name: "x", type: "pax", content: paxRecord("comment", "x") } as const;
  return [
    [
      "pax-size-lie",
      "Corrupt",
      "the filling after the content is not empty",
      pax(paxRecord("size", "100"), file, file),
    ],
    ["pax-size-huge", "Truncated", "ends at extra.txt", pax(paxRecord("size", "99999999"), file)],
    ["pax-size-negative", "Corrupt", "has a wrong size", pax(paxRecord("size", "-1"), file)],
    ["pax-size-fraction", "Corrupt", "has a wrong size", pax(paxRecord("size", "1.5"), file)],
    ["pax-length-wrong", "Corrupt", "an extended header cannot be read", pax("99 path=a\n", file)],
    ["pax-length-zero", "Corrupt", "an extended header cannot be read", pax("0 path=a\n", file)],
    ["pax-name-nul", "UnsafePath", "a name holds a NUL", pax(paxRecord("path", "a\0b"), file)],
    ["pax-name-climbs", "UnsafePath", '"../evil"', pax(paxRecord("path", "../evil"), file)],
    ["pax-without-entry", "Corrupt", "has no entry", pax(paxRecord("path", "a"))],
    [
      "pax-sparse",
      "UnsupportedEntry",
      "extra.txt: is a sparse file",
      pax(paxRecord("GNU.sparse.major", "1") + paxRecord("GNU.sparse.minor", "0"), file),
    ],
    [
      "pax-too-long",
      "LimitExceeded",
      "an extended header has 70015 bytes",
      pax(paxRecord("comment", "x".repeat(70_000)), file),
    ],
    ["pax-flood", "LimitExceeded", "more than 16 extended headers", {
      hooks: add(...Array(100).fill(each), file),
    }],
    ["gnu-name-climbs", "UnsafePath", '"images/../../evil"', long("images/../../evil")],
    ["gnu-name-too-long", "LimitExceeded", "a name has 5001 bytes", long(`n/${"n".repeat(4999)}`)],
  ];
}

function ends(): BadPackage[] {
  const tar = () => buildPackage({ format: "tar" });
  const entry = () => tarBytes([{ name: "late.txt", content: "x" }]);
  const body = () => tar().subarray(0, -END);
  const with_ = (...parts: readonly Uint8Array[]) => Buffer.concat(parts);
  const bad = (
    name: string,
    reason: BadPackage["reason"],
    part: string,
    make: () => Uint8Array,
  ) => badFile(name, reason, part, make, "tar");
  return [
    bad("no-end-mark", "Truncated", "without the end mark", body),
    bad("half-an-end-mark", "Truncated", "without the end mark", () => {
      return with_(body(), new Uint8Array(BLOCK));
    }),
    bad("entry-after-half-an-end-mark", "Corrupt", "the end mark is half there", () => {
      return with_(body(), new Uint8Array(BLOCK), entry());
    }),
    bad("entry-after-the-end-mark", "TrailingData", "something follows its end mark", () => {
      return with_(tar(), entry());
    }),
    bad("text-after-the-end-mark", "TrailingData", "something follows its end mark", () => {
      return with_(tar(), Buffer.from("and this"));
    }),
    bad("filling-not-empty", "Corrupt", "the filling after the content is not empty", () => {
      const bytes = tar();
      bytes[positionOf(bytes, '{"imageLayoutVersion":"1.0.0"}') + 100] = 1;
      return bytes;
    }),
  ];
}
