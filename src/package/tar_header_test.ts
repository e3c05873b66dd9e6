import assert from "node:assert/strict";
import { paxRecord, sealHeader, tarHeader } from "../../test/fixtures/tar_writer.ts";
import { packageError, type PackageErrorReason } from "./errors.ts";
import { BLOCK, checksumMatches, decodeHeader, decodePax, isZero } from "./tar_header.ts";

const refuse = (reason: PackageErrorReason, what: string) => packageError(reason, what);
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** A header of a file with some bytes changed, and a right checksum. */
function headerWith(changes: Readonly<Record<number, string | readonly number[]>>): Uint8Array {
  const header = tarHeader({ name: "file" }, 5);
  for (const [at, value] of Object.entries(changes)) {
    header.set(typeof value === "string" ? bytesOf(value) : value, Number(at));
  }
  return sealHeader(header);
}

for (
  const [flag, type] of [
    ["0", "file"],
    ["\0", "file"],
    ["7", "file"],
    ["1", "hardlink"],
    ["2", "symlink"],
    ["3", "character device"],
    ["4", "block device"],
    ["5", "directory"],
    ["6", "FIFO"],
    ["S", "sparse file"],
    ["x", "pax"],
    ["g", "pax-global"],
    ["L", "long-name"],
    ["K", "long-link"],
    ["V", "entry of an unknown type"],
    ["ÿ", "entry of an unknown type"],
  ] as const
) {
  Deno.test(`the type flag ${JSON.stringify(flag)} is a ${type}`, () => {
    assert.equal(decodeHeader(headerWith({ 156: [flag.charCodeAt(0)] }), refuse).type, type);
  });
}

Deno.test("before POSIX a directory was a file whose name ends with a slash", () => {
  const typeOf = (flag: string) =>
    decodeHeader(headerWith({ 0: "old/\0", 156: flag }), refuse).type;
  assert.deepEqual([typeOf("\0"), typeOf("0")], ["directory", "file"]);
});

for (
  const [field, size] of [
    ["00000000017 ", 15],
    ["00000000017\0", 15],
    ["      17\0\0\0\0", 15],
    ["77777777777\0", 2 ** 33 - 1],
    ["777777777777", 2 ** 36 - 1],
    ["\0".repeat(12), 0],
    [" ".repeat(12), 0],
    [[0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1], 2 ** 33 + 1],
    [[0x80, 0, 0, 0, 0, 0x1f, 255, 255, 255, 255, 255, 255], Number.MAX_SAFE_INTEGER],
  ] as const
) {
  Deno.test(`the size field ${JSON.stringify(field)} is ${size} bytes`, () => {
    assert.equal(decodeHeader(headerWith({ 124: field }), refuse).size, size);
  });
}

for (
  const field of [
    "0000000008\0\0",
    "-0000000001\0",
    "0000 00017\0\0",
    "0x0000000ff\0",
    [0xff, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
    [0x80, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0],
    [0xbf, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
  ] as const
) {
  Deno.test(`the size field ${JSON.stringify(field)} is refused as Corrupt`, () => {
    assert.throws(() => decodeHeader(headerWith({ 124: field }), refuse), {
      reason: "Corrupt",
      message: "a header has an impossible number",
    });
  });
}

Deno.test("of a mode only the nine permission bits count", () => {
  assert.equal(decodeHeader(headerWith({ 100: "0107755\0" }), refuse).mode, 0o755);
});

Deno.test("the prefix belongs to the name in the POSIX form, and to nothing in GNU's", () => {
  const nameOf = (magic: string) =>
    decodeHeader(headerWith({ 257: magic, 345: "some/where\0" }), refuse).name;
  assert.equal(nameOf("ustar\x0000"), "some/where/file");
  assert.equal(nameOf("ustar  \0"), "file");
  assert.equal(nameOf("\0\0\0\0\0\0\0\0"), "file");
});

Deno.test("a name that fills its field has no end mark, and one that is not UTF-8 is refused", () => {
  assert.equal(decodeHeader(headerWith({ 0: "n".repeat(100) }), refuse).name, "n".repeat(100));
  assert.equal(decodeHeader(headerWith({ 157: "l".repeat(100) }), refuse).linkTarget.length, 100);
  for (const at of [0, 157]) {
    assert.throws(() => decodeHeader(headerWith({ [at]: [0xff, 0xfe] }), refuse), {
      reason: "UnsafePath",
    });
  }
});

Deno.test("a flipped bit anywhere in a header is found", () => {
  const header = tarHeader({ name: "file" }, 5);
  assert.equal(checksumMatches(header), true);
  for (let at = 0; at < BLOCK; at++) {
    // The checksum's own end marks carry no value.
    if (at >= 154 && at < 156) continue;
    const flipped = header.with(at, (header[at] ?? 0) ^ 1);
    assert.equal(checksumMatches(flipped), false, `byte ${at}`);
  }
});

Deno.test("a checksum over signed bytes, as old tars made it, is right too", () => {
  const header = headerWith({ 0: [0xc3, 0xa4, 0] });
  const signed = header.reduce(
    (sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte > 127 ? byte - 256 : byte),
    0,
  );
  header.set(bytesOf(`${signed.toString(8).padStart(6, "0")}\0 `), 148);
  assert.equal(decodeHeader(header, refuse).name, "ä");
});

Deno.test("a block of zeros ends an archive, one of a single other byte does not", () => {
  assert.equal(isZero(new Uint8Array(BLOCK)), true);
  for (const at of [0, 255, BLOCK - 1]) {
    assert.equal(isZero(new Uint8Array(BLOCK).with(at, 1)), false);
  }
});

for (
  const [records, expected] of [
    ["", {}],
    [paxRecord("path", "a/ü"), { path: "a/ü" }],
    [paxRecord("linkpath", "x") + paxRecord("size", "12"), { linkpath: "x", size: 12 }],
    [paxRecord("path", "a=b\nc"), { path: "a=b\nc" }],
    [paxRecord("path", ""), { path: "" }],
    [paxRecord("path", "one") + paxRecord("path", "two"), { path: "two" }],
    [paxRecord("mtime", "1.5") + paxRecord("SCHILY.xattr.x", "\0"), {}],
    [paxRecord("GNU.sparse.major", "1"), { sparse: true }],
    [paxRecord("size", "9007199254740991"), { size: Number.MAX_SAFE_INTEGER }],
  ] as const
) {
  Deno.test(`the extended header ${JSON.stringify(records)} says ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(decodePax(bytesOf(records), refuse), expected);
  });
}

for (
  const [records, reason] of [
    ["no length=x\n", "Corrupt"],
    ["99 path=x\n", "Corrupt"],
    ["9 path=xy\n", "Corrupt"],
    ["0 path=x\n", "Corrupt"],
    ["-5 path=x\n", "Corrupt"],
    ["7 path\n", "Corrupt"],
    ["1.5 a=b\n", "Corrupt"],
    [paxRecord("size", "-1"), "Corrupt"],
    [paxRecord("size", "9007199254740992"), "Corrupt"],
    [paxRecord("size", "1e3"), "Corrupt"],
    [paxRecord("size", ""), "Corrupt"],
    [paxRecord("path", "a\0b"), "UnsafePath"],
    [paxRecord("linkpath", "\0"), "UnsafePath"],
  ] as const
) {
  Deno.test(`the extended header ${JSON.stringify(records)} is refused as ${reason}`, () => {
    assert.throws(() => decodePax(bytesOf(records), refuse), { reason });
  });
}
