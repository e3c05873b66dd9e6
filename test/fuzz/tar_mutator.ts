import { Buffer } from "node:buffer";
import {
  entryChunks,
  paxRecord,
  sealHeader,
  tarBytes,
  type TarEntrySpec,
} from "../fixtures/tar_writer.ts";
import { mutateBytes, TEXTS } from "./mutate.ts";
import type { Random } from "./random.ts";

const BLOCK = 512;
const TYPES = [
  ...["file", "file", "file", "file", "directory", "directory", "symlink", "symlink", "symlink"],
  ...["hardlink", "character device", "block device", "FIFO", "sparse", "unknown"],
] as NonNullable<TarEntrySpec["type"]>[];

/** Names that packages have, and some that they must not have. */
const NAMES = [
  ...[
    "zarf.yaml",
    "checksums.txt",
    "components",
    "components/web.tar",
    "components/web/x",
    "sboms.tar",
  ],
  ...["images", "images/index.json", "images/blobs/sha256/abc", "zarf.bundle.sig", "zarf.yaml.sig"],
  ...["./zarf.yaml", "zarf.yaml/", "images/../zarf.yaml", "../evil", "../../../evil"],
];
/** The same within a component, and targets of its links. */
const INSIDE = [
  ...[
    "web",
    "web/",
    "web/a",
    "web/a/b",
    "web/link",
    "web/link/x",
    "web/manifests",
    "./web/c",
    "webs/a",
  ],
  ...["web/../../evil", "web/manifests/../../../evil", "web/..", "db/x", "../db", "web/../db/x"],
  ...["a", ".", "..", "manifests/web-0.yaml", "manifests/../..", "../../db", "../../../etc/passwd"],
];

/** An archive of the entries with some of them changed, and now and then its bytes. */
export function mutateTar(random: Random, entries: readonly TarEntrySpec[]): Uint8Array {
  let changed = [...entries];
  for (let times = random.length(4); times > 0; times--) changed = changeEntries(random, changed);
  let bytes = tarBytes(changed);
  for (let times = random.length(3); times > 0; times--) bytes = changeHeader(random, bytes);
  if (random.percent(25)) bytes = changeEnd(random, bytes);
  return random.percent(15) ? mutateBytes(random, bytes) : bytes;
}

function changeEntries(random: Random, entries: readonly TarEntrySpec[]): TarEntrySpec[] {
  const copy = [...entries];
  const at = random.below(copy.length);
  const entry = copy[at] ?? { name: "x" };
  switch (random.below(9)) {
    case 0:
      copy.splice(at, 1);
      break;
    case 1:
      copy.splice(random.below(copy.length + 1), 0, entry);
      break;
    case 2:
      copy.splice(random.below(copy.length + 1), 0, anyEntry(random));
      break;
    case 3:
      copy[at] = { ...entry, name: anyName(random) };
      break;
    case 4:
      copy[at] = { ...entry, type: random.pick(TYPES), linkTarget: anyName(random) };
      break;
    case 5:
      copy[at] = { ...entry, patch: (header) => void header.set(anyNumber(random), 124) };
      break;
    case 6:
      copy.splice(at, 0, anyExtension(random));
      break;
    case 7:
      copy.splice(at, 0, ...Array.from({ length: random.length(40) }, () => anyEntry(random)));
      break;
    default:
      copy.splice(random.below(copy.length), 0, ...copy.splice(at, 1));
  }
  return copy;
}

function anyName(random: Random): string {
  const base = random.pick(random.percent(80) ? [...NAMES, ...INSIDE] : TEXTS);
  return random.percent(80) ? base : `${base}/${random.pick([...INSIDE, ...TEXTS])}`;
}

function anyEntry(random: Random): TarEntrySpec {
  const type = random.pick(TYPES);
  const content = type === "file" ? random.bytes(random.length(1_500)) : new Uint8Array();
  return { name: anyName(random), type, linkTarget: anyName(random), content };
}

/** PAX records and GNU names: right ones, impossible ones, broken ones. */
function anyExtension(random: Random): TarEntrySpec {
  if (random.percent(30)) {
    return { name: "././@LongLink", type: "long-name", content: Buffer.from(anyName(random)) };
  }
  const keys = [
    "path",
    "linkpath",
    "size",
    "mtime",
    "GNU.sparse.major",
    "GNU.sparse.name",
    "comment",
  ];
  const values = [
    anyName(random),
    "0",
    "100",
    "-1",
    "8589934592",
    "1e3",
    "99999999999999999999",
    "",
  ];
  let records = "";
  for (let times = 1 + random.length(6); times > 0; times--) {
    records += paxRecord(random.pick(keys), random.pick(values));
  }
  const bytes = Buffer.from(records);
  const content = random.percent(25) ? mutateBytes(random, bytes) : bytes;
  return { name: "PaxHeaders/x", type: random.percent(85) ? "pax" : "pax-global", content };
}

/** Twelve bytes of a number field: octal, GNU's binary form, and what is neither. */
function anyNumber(random: Random): Uint8Array {
  const octal = (value: number | bigint) => Buffer.from(`${value.toString(8).padStart(11, "0")}\0`);
  switch (random.below(5)) {
    case 0:
      return octal(random.length(5_000));
    case 1:
      return octal(2 ** 33 - 1).subarray(0, 12);
    case 2: {
      const binary = random.bytes(12);
      return binary.fill(0, 1, random.below(12)).fill(random.pick([0x80, 0xff, 0xc0]), 0, 1);
    }
    case 3:
      return Buffer.from(
        random.pick(["-0000000001", "12x45", "            ", "+1", "8", "0x10"]).padEnd(12, "\0"),
      );
    default:
      return random.bytes(12);
  }
}

/** Changes bytes of one header and makes its checksum right again, so that parsing goes on. */
function changeHeader(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes);
  const at = random.below(Math.max(1, copy.length / BLOCK)) * BLOCK;
  const header = copy.subarray(at, at + BLOCK);
  if (header.length < BLOCK) return copy;
  for (let times = 1 + random.length(3); times > 0; times--) {
    const field = random.pick([
      [0, 100],
      [100, 108],
      [124, 136],
      [156, 157],
      [157, 257],
      [257, 265],
      [345, 500],
    ]);
    const [from = 0, to = 0] = field;
    header.set(random.bytes(1), from + random.below(to - from));
  }
  sealHeader(header);
  return copy;
}

function changeEnd(random: Random, bytes: Uint8Array): Uint8Array {
  const body = bytes.subarray(0, -2 * BLOCK);
  const late = () => Buffer.concat([...entryChunks(anyEntry(random))]);
  switch (random.below(5)) {
    case 0:
      return body;
    case 1:
      return Buffer.concat([body, new Uint8Array(BLOCK)]);
    case 2:
      return Buffer.concat([body, new Uint8Array(BLOCK), late()]);
    case 3:
      return Buffer.concat([bytes, late()]);
    default:
      return Buffer.concat([bytes, new Uint8Array(random.length(20_000))]);
  }
}
