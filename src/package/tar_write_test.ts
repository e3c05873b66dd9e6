import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { type TarEntry, TarParser } from "./tar.ts";
import { gnuTarHeader, TAR_END_BYTES, TAR_FLAGS, tarHeader, tarPadding } from "./tar_write.ts";

/** What the reader of tars makes of one header. */
function parsed(header: Uint8Array): TarEntry {
  const found: TarEntry[] = [];
  const parser = new TarParser("it", DEFAULT_LIMITS, (entry) => {
    found.push(entry);
    return { data() {}, end() {} };
  });
  parser.push(header);
  return found[0] ?? assert.fail("there is no entry");
}

const long = "images/" + "é".repeat(120);
const cases: readonly [string, string, keyof typeof TAR_FLAGS, number, number][] = [
  ["an empty file", "zarf.yaml", "file", 0, 512],
  ["a file", "components/web.tar", "file", 4_711, 512],
  ["a name that just fits", "n".repeat(100), "file", 1, 512],
  ["a name that does not fit", "n".repeat(101), "file", 1, 3 * 512],
  ["a long name that is not ASCII", long, "file", 1, 3 * 512],
  ["a name that fills a block of its own", "n".repeat(990), "file", 1, 4 * 512],
  ["the largest size of eleven digits", "a", "file", 8 * 2 ** 30 - 1, 512],
  ["a size that does not fit", "a", "file", 8 * 2 ** 30, 3 * 512],
  ["neither fits", long, "file", 2 ** 40, 3 * 512],
  ["a link", "images/link", "symlink", 0, 512],
  ["a FIFO", "pipe", "FIFO", 0, 512],
];

for (const [what, name, type, size, length] of cases) {
  Deno.test(`${what} is read as it was written`, () => {
    const header = tarHeader(name, type, size);
    assert.equal(header.length, length);
    const entry = parsed(header);
    assert.deepEqual([entry.name, entry.type, entry.size, entry.mode], [name, type, size, 0o644]);
  });
}

Deno.test("a socket is an entry that nobody knows", () => {
  assert.equal(parsed(tarHeader("socket", "socket", 0)).type, "entry of an unknown type");
});

Deno.test("padding fills up blocks", () => {
  assert.deepEqual([0, 1, 511, 512, 513].map(tarPadding), [0, 511, 1, 0, 511]);
});

Deno.test("GNU tar reads the same names and sizes", () =>
  withDirectory(async (dir) => {
    const path = `${dir}/a.tar`;
    const files = cases.filter(([, , type, size]) => type === "file" && size < 10_000);
    using file = await Deno.create(path);
    for (const [, name, type, size] of files) {
      await file.write(tarHeader(name, type, size));
      await file.write(new Uint8Array(size + tarPadding(size)));
    }
    await file.write(new Uint8Array(TAR_END_BYTES));
    const { success, stdout } = await new Deno.Command("tar", {
      args: ["--list", "--verbose", "--quoting-style=literal", "--file", path],
    }).output();
    assert(success);
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => line.split(/\s+/)).map((fields) => [fields[0], fields[2], fields.at(-1)]),
      files.map(([, name, , size]) => ["-rw-r--r--", String(size), name]),
    );
  }));

const gnuCases: readonly [string, string, "file" | "directory" | "symlink", number, string][] = [
  ["an empty file", "./a", "file", 0, ""],
  ["the directory itself", "./", "directory", 0, ""],
  ["a name that just fits", "n".repeat(100), "file", 1, ""],
  ["a name that does not fit", "n".repeat(101), "file", 1, ""],
  ["a long name that is not ASCII", long, "file", 1, ""],
  ["a name that fills a block with its end", "n".repeat(511), "file", 1, ""],
  ["a size that does not fit", "a", "file", 8 * 2 ** 30, ""],
  ["a link", "./link", "symlink", 0, "../a b"],
  ["a link that leads far", "./link", "symlink", 0, "t".repeat(300)],
  ["everything too long", long, "symlink", 0, long],
];

for (const [what, name, type, size, target] of gnuCases) {
  Deno.test(`${what} in GNU's form is read as it was written`, () => {
    const header = gnuTarHeader(name, type, size, { mode: 0o750, mtime: 1_700_000_000, target });
    assert.equal(header.length % 512, 0);
    const entry = parsed(header);
    assert.deepEqual(
      [entry.name, entry.type, entry.size, entry.mode, entry.linkTarget],
      [name, type, size, 0o750, target],
    );
  });
}
