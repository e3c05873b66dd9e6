import assert from "node:assert/strict";
import { withDirectory } from "../../../test/fakes/testing.ts";
import { isElf, readElf } from "./elf.ts";

/** A program that needs libraries, whatever it is called here: the shell's directory has one. */
const PROGRAM = Deno.execPath();

Deno.test("a program tells its processor, its loader and its libraries, as readelf says", async () => {
  const elf = readElf(PROGRAM);
  assert.equal(elf.architecture, Deno.build.arch === "aarch64" ? "arm64" : "amd64");
  assert.match(elf.interpreter ?? "", /^\/lib.*\/ld-linux/);
  assert(elf.needed.includes("libc.so.6"), elf.needed.join(" "));
  assert(elf.sections.includes(".text"));
  const said = await readelf();
  if (said === undefined) return;
  const listed = [...said.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
  assert.deepEqual(elf.needed, listed);
});

async function readelf(): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command("readelf", { args: ["-d", PROGRAM] }).output();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    // It is binutils', which nothing else here needs.
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The smallest file that is an ELF file: a header and nothing that it points at. */
function header(change: (bytes: DataView) => void = () => {}): Uint8Array {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint32(0, 0x7f454c46);
  view.setUint8(4, 2);
  view.setUint8(5, 1);
  view.setUint16(18, 183, true);
  change(view);
  return new Uint8Array(view.buffer);
}

const files: [name: string, bytes: Uint8Array, expected: RegExp | string | undefined][] = [
  ["a header of arm64", header(), "arm64"],
  ["a header of a processor that has no image", header((v) => v.setUint16(18, 8, true)), undefined],
  ["a program of 32 bits", header((v) => v.setUint8(4, 1)), /is not a program/],
  ["a big-endian program", header((v) => v.setUint8(5, 2)), /is not a program/],
  ["a script", new TextEncoder().encode(`#!/bin/sh\n${"x".repeat(100)}`), /is not a program/],
  ["a file of three bytes", header().subarray(0, 3), /is not a program/],
  ["an empty file", new Uint8Array(), /is not a program/],
];

for (const [name, bytes, expected] of files) {
  Deno.test(`${name}: ${expected instanceof RegExp ? "refused" : "read"}`, async () => {
    await withDirectory(async (dir) => {
      await Deno.writeFile(`${dir}/file`, bytes);
      if (expected instanceof RegExp) {
        assert.throws(() => readElf(`${dir}/file`), expected);
        return;
      }
      const elf = readElf(`${dir}/file`);
      assert.equal(elf.architecture, expected);
      assert.deepEqual([elf.interpreter, elf.needed, elf.sections], [undefined, [], []]);
      assert(isElf(`${dir}/file`));
    });
  });
}

Deno.test("what begins otherwise is no ELF file", async () => {
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/text`, "\x7fEL");
    assert.equal(isElf(`${dir}/text`), false);
  });
});
