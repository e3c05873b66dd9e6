import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  entryChunks,
  flipBit,
  paxRecord,
  sealHeader,
  tarBytes,
  tarHeader,
} from "../../test/fixtures/tar_writer.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { NOTHING, type TarEntry, TarParser } from "./tar.ts";

interface Parsed extends TarEntry {
  readonly content: string;
}

function parse(data: Uint8Array, step = 1 << 20, limits: Limits = DEFAULT_LIMITS): Parsed[] {
  const entries: Parsed[] = [];
  const parser = new TarParser("test.tar", limits, (entry) => {
    const chunks: Uint8Array[] = [];
    return {
      data: (chunk) => chunks.push(chunk.slice()),
      end: () => entries.push({ ...entry, content: Buffer.concat(chunks).toString() }),
    };
  });
  for (let at = 0; at < data.length; at += step) parser.push(data.subarray(at, at + step));
  parser.finish();
  return entries;
}

function refuses(reason: PackageErrorReason, data: Uint8Array, message = /^test\.tar: /): void {
  assert.throws(() => parse(data), (error) => {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, message);
    return true;
  });
}

const LONG = `${"directory-with-a-long-name/".repeat(12)}file`;

for (const format of ["gnu", "pax", "ustar", "v7", "oldgnu"]) {
  Deno.test(`an archive of the system's tar in the ${format} format is read`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      const long = format === "gnu" || format === "pax" || format === "oldgnu";
      const path = format === "v7"
        ? "d/file"
        : long
        ? LONG
        : `d/${"n".repeat(90)}/${"m".repeat(90)}`;
      const full = `${directory}/in/${path}`;
      await Deno.mkdir(full.slice(0, full.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(full, "content of the file");
      await Deno.writeTextFile(`${directory}/in/empty`, "");
      await Deno.chmod(`${directory}/in/empty`, 0o751);
      const target = long ? LONG : "empty";
      await Deno.symlink(target, `${directory}/in/link`);
      const { success, stdout, stderr } = await new Deno.Command("tar", {
        args: ["-c", `--format=${format}`, "-C", `${directory}/in`, "."],
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      for (const step of [1 << 20, 511]) {
        const entries = new Map(parse(stdout, step).map((entry) => [entry.name, entry]));
        assert.equal(entries.get(`./${path}`)?.content, "content of the file");
        assert.equal(entries.get("./empty")?.mode, 0o751);
        assert.equal(entries.get("./link")?.type, "symlink");
        assert.equal(entries.get("./link")?.linkTarget, target);
        assert.equal(entries.get("./")?.type, "directory");
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

Deno.test("directories without a slash, empty files and every seam are read", () => {
  const data = tarBytes([
    { name: "web", type: "directory", mode: 0o700 },
    { name: "web/none", content: "" },
    { name: "web/block", content: "x".repeat(512) },
    { name: "web/more", content: "y".repeat(513), mode: 0o600 },
  ]);
  for (const step of [1, 511, 512, 513, 1 << 20]) {
    const entries = parse(data, step);
    assert.deepEqual(entries.map(({ name, type, size, mode }) => [name, type, size, mode]), [
      ["web", "directory", 0, 0o700],
      ["web/none", "file", 0, 0o644],
      ["web/block", "file", 512, 0o644],
      ["web/more", "file", 513, 0o600],
    ]);
    assert.equal(entries[3]?.content, "y".repeat(513));
  }
});

Deno.test("extended headers override the plain one, for one entry only", () => {
  const data = tarBytes([
    { name: "global", type: "pax-global", content: paxRecord("comment", "a commit") },
    {
      name: "pax",
      type: "pax",
      content: paxRecord("path", "päth/name") + paxRecord("linkpath", "where") +
        paxRecord("mtime", "1.5"),
    },
    { name: "short", type: "symlink", linkTarget: "elsewhere" },
    { name: "next", content: "1" },
    { name: "L", type: "long-name", content: "gnu/name\0" },
    { name: "cut", content: "2" },
  ]);
  assert.deepEqual(parse(data).map(({ name, linkTarget }) => [name, linkTarget]), [
    ["päth/name", "where"],
    ["next", ""],
    ["gnu/name", ""],
  ]);
});

Deno.test("a few extended headers before an entry are read, a flood is not", () => {
  const flood = (type: "pax" | "pax-global" | "long-name", count: number) =>
    tarBytes([
      ...Array.from({ length: count }, () => ({
        name: "x",
        type,
        content: type === "long-name" ? "n" : paxRecord("path", "n"),
      })),
      { name: "f" },
    ]);
  for (const type of ["pax", "pax-global", "long-name"] as const) {
    assert.equal(parse(flood(type, 16)).length, 1);
    refuses("LimitExceeded", flood(type, 17), /more than 16 extended headers before an entry/);
  }
  const each = { name: "x", type: "pax" as const, content: paxRecord("path", "n") };
  const many = Array.from({ length: 100 }, () => [each, { name: "f" }]).flat();
  assert.equal(parse(tarBytes(many)).length, 100);
});

Deno.test("a header for the whole archive does not stand in for an entry", () => {
  refuses(
    "Corrupt",
    tarBytes([
      { name: "x", type: "pax", content: paxRecord("path", "a") },
      { name: "g", type: "pax-global", content: paxRecord("comment", "a") },
    ]),
    /an extended header has no entry/,
  );
});

Deno.test("sizes come from PAX records and from base-256 numbers", () => {
  const content = "q".repeat(700);
  const pax = Buffer.concat([
    ...entryChunks({ name: "x", type: "pax", content: paxRecord("size", "700") }),
    tarHeader({ name: "a" }, 0),
    Buffer.from(content.padEnd(1024, "\0")),
    Buffer.alloc(1024),
  ]);
  assert.equal(parse(pax)[0]?.content, content);
  const header = tarHeader({ name: "b" }, 0);
  header.set([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 188], 124);
  const binary = Buffer.concat([
    sealHeader(header),
    Buffer.from(content.padEnd(1024, "\0")),
    Buffer.alloc(1024),
  ]);
  assert.equal(parse(binary)[0]?.content, content);
});

Deno.test("the kinds of entries are told apart and none but files has content", () => {
  const kinds = [
    "hardlink",
    "symlink",
    "character device",
    "block device",
    "FIFO",
  ] as const;
  const headers = kinds.map((type) => tarHeader({ name: type, type, linkTarget: "t" }, 4096));
  const data = Buffer.concat([...headers, Buffer.alloc(1024)]);
  assert.deepEqual(parse(data).map(({ type, size }) => [type, size]), kinds.map((k) => [k, 0]));
  const odd = tarBytes([{ name: "u", type: "unknown" }, { name: "s", type: "sparse" }]);
  assert.deepEqual(parse(odd).map(({ type }) => type), ["entry of an unknown type", "sparse file"]);
  const sparse = tarBytes([
    { name: "x", type: "pax", content: paxRecord("GNU.sparse.major", "1") },
    { name: "s", content: "data" },
  ]);
  assert.equal(parse(sparse)[0]?.type, "sparse file");
});

const WHOLE = tarBytes([
  { name: "one", content: "1".repeat(600) },
  { name: LONG, content: "2" },
]);

Deno.test("an archive that ends early is truncated, wherever it ends", async (t) => {
  for (const end of [100, 512, 800, 1536, 1700, 2600, WHOLE.length - 1024, WHOLE.length - 512]) {
    await t.step(`after ${end} of ${WHOLE.length} bytes`, () => {
      refuses("Truncated", WHOLE.subarray(0, end), /without the end mark$/);
    });
  }
  assert.equal(parse(WHOLE).length, 2);
  assert.equal(parse(Buffer.concat([WHOLE, Buffer.alloc(9000)])).length, 2);
});

Deno.test("broken archives are refused with a reason", async (t) => {
  const negative = tarHeader({ name: "n" }, 0);
  negative.set([0xff, 0xff], 124);
  const letters = tarHeader({ name: "n" }, 0);
  letters.set(Buffer.from("12x45"), 124);
  const huge = tarHeader({ name: "n" }, 0);
  huge.set([0x80, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 124);
  const latin = tarHeader({ name: "n" }, 0);
  latin.set([0xe9], 0);
  const pax = (content: string) => tarBytes([{ name: "x", type: "pax", content }, { name: "f" }]);
  const big = "1".repeat(DEFAULT_LIMITS.tarExtensionBytes);
  const cases: [string, PackageErrorReason, Uint8Array][] = [
    ["something else", "NotTar", Buffer.from("not a tar ".repeat(100))],
    ["a flipped bit in the first header", "NotTar", flipBit(WHOLE, 3)],
    ["a flipped bit in a later header", "Corrupt", flipBit(WHOLE, 1536 + 3)],
    ["a flipped bit in the filling", "Corrupt", flipBit(WHOLE, 512 + 700)],
    ["a flipped bit in the end mark", "Corrupt", flipBit(WHOLE, WHOLE.length - 1)],
    ["an entry after half of the end mark", "Corrupt", Buffer.concat([new Uint8Array(512), WHOLE])],
    ["something after the end mark", "TrailingData", Buffer.concat([WHOLE, Buffer.from("x")])],
    ["a negative size", "Corrupt", Buffer.concat([sealHeader(negative), Buffer.alloc(1024)])],
    [
      "a size that is no number",
      "Corrupt",
      Buffer.concat([sealHeader(letters), Buffer.alloc(1024)]),
    ],
    ["a size beyond counting", "Corrupt", Buffer.concat([sealHeader(huge), Buffer.alloc(1024)])],
    [
      "a name that is not UTF-8",
      "UnsafePath",
      Buffer.concat([sealHeader(latin), new Uint8Array(1024)]),
    ],
    ["a PAX record with a wrong length", "Corrupt", pax("99 path=a\n")],
    ["a PAX record without a key", "Corrupt", pax("6 abc\n")],
    ["a PAX record of length 0", "Corrupt", pax("0 path=a\n")],
    ["a PAX record without a length", "Corrupt", pax(" path=a\n")],
    ["a PAX record with a negative length", "Corrupt", pax("-9 path=a\n")],
    ["a PAX length in hexadecimal digits", "Corrupt", pax("0xb path=a\n")],
    ["a PAX length with an exponent", "Corrupt", pax("1e1 path=a\n")],
    ["a PAX length beyond counting", "Corrupt", pax(`${"9".repeat(400)} path=a\n`)],
    ["a negative PAX size", "Corrupt", pax(paxRecord("size", "-1"))],
    ["a PAX name with a NUL", "UnsafePath", pax(paxRecord("path", "a\0b"))],
    ["an extended header that is too long", "LimitExceeded", pax(paxRecord("path", big))],
    ["a name that is too long", "LimitExceeded", pax(paxRecord("path", "n".repeat(5000)))],
    [
      "an extended header at the end",
      "Corrupt",
      tarBytes([{ name: "x", type: "pax", content: paxRecord("path", "a") }]),
    ],
  ];
  for (const [name, reason, data] of cases) await t.step(name, () => refuses(reason, data));
});

/** Pushes `data` in steps and skips whatever may be skipped, at most `skipStep` bytes at once. */
function parseWithSkips(data: Uint8Array, step: number, skipStep: number) {
  const seen: string[] = [];
  const skipped = new Map<string, number>();
  const parser = new TarParser("test.tar", DEFAULT_LIMITS, ({ name, size }) => {
    let left = size;
    if (name.startsWith("wanted")) {
      return {
        data: (chunk) => void (left -= chunk.length),
        end: () => seen.push(`${name} ${left}`),
      };
    }
    const count = (bytes: number) => {
      left -= bytes;
      skipped.set(name, (skipped.get(name) ?? 0) + bytes);
    };
    return {
      data: (chunk) => void (left -= chunk.length),
      end: () => seen.push(`${name} ${left}`),
      // The last three bytes of it are wanted.
      unwanted: () => Math.max(0, left - 3),
      skip: count,
    };
  });
  for (let at = 0; at < data.length;) {
    const bytes = Math.min(parser.unwanted, skipStep);
    if (bytes > 0) parser.skip(bytes);
    else parser.push(data.subarray(at, at + step));
    at += bytes > 0 ? bytes : step;
  }
  parser.finish();
  return { seen, skipped };
}

Deno.test("content that nobody wants may be skipped, and is counted like the rest", () => {
  const sizes = [0, 1, 3, 4, 511, 512, 513, 5000];
  const data = tarBytes(sizes.flatMap((size) => [
    { name: `wanted-${size}`, content: "w".repeat(size) },
    { name: `other-${size}`, content: "o".repeat(size) },
  ]));
  const names = sizes.flatMap((size) => [`wanted-${size} 0`, `other-${size} 0`]);
  for (const [step, skipStep] of [[1, 1e9], [512, 1e9], [7, 5], [1000, 100]] as const) {
    const { seen, skipped } = parseWithSkips(data, step, skipStep);
    assert.deepEqual(seen, names);
    assert([...skipped.keys()].every((name) => name.startsWith("other-")));
  }
  // With headers read alone, all that may be skipped is.
  assert.equal(parseWithSkips(data, 1, 1e9).skipped.get("other-5000"), 4997);
});

Deno.test("nothing may be skipped in a header, in the filling or after the end", () => {
  const unwanted: number[] = [];
  const parser = new TarParser("test.tar", DEFAULT_LIMITS, () => NOTHING);
  const data = tarBytes([{ name: "a", content: "1".repeat(700) }]);
  for (const byte of data) {
    unwanted.push(parser.unwanted);
    parser.push(Uint8Array.of(byte));
  }
  const expected = Array.from(data, (_, at) => at >= 512 && at < 1212 ? 1212 - at : 0);
  assert.deepEqual(unwanted, expected);
});
