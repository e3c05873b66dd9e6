import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { FileSource, lookOf } from "./file_source.ts";
import type { ByteSource } from "./types.ts";

const bytes = Uint8Array.from({ length: 1_000 }, (_, at) => at % 251);

/** Opens a file with {@linkcode bytes} in it. */
function opened(action: (source: FileSource, path: string) => void): Promise<void> {
  return withDirectory((dir) => {
    const path = `${dir}/file`;
    Deno.writeFileSync(path, bytes);
    using source = new FileSource("it", path);
    action(source, path);
  });
}

/** Everything that is left, in reads of at most `step` bytes. */
function rest(source: ByteSource, step = 300): number[] {
  const found: number[] = [];
  const buffer = new Uint8Array(step);
  for (let count; (count = source.read(buffer)) > 0;) found.push(...buffer.subarray(0, count));
  return found;
}

Deno.test("a file is read from its first to its last byte, and then ends", () =>
  opened((source) => {
    assert.equal(source.size, bytes.length);
    assert.deepEqual(rest(source), [...bytes]);
    assert.equal(source.read(new Uint8Array(10)), 0);
  }));

for (const [skipped, left] of [[0, 900], [1, 899], [899, 1], [900, 0], [5_000, 0]] as const) {
  Deno.test(`of 900 bytes ${skipped} can be skipped`, () =>
    opened((source) => {
      source.read(new Uint8Array(100));
      source.skip(skipped);
      assert.deepEqual(rest(source), [...bytes.subarray(bytes.length - left)]);
    }));
}

const changes: readonly [string, (path: string) => void][] = [
  ["shrinks", (path) => Deno.truncateSync(path, 400)],
  ["shrinks to what was read", (path) => Deno.truncateSync(path, 300)],
  ["grows", (path) => Deno.writeFileSync(path, bytes, { append: true })],
  ["is written anew with the same size", (path) => {
    Deno.writeFileSync(path, bytes.toReversed());
    Deno.utimeSync(path, 1_000, 1_000);
  }],
];

for (const [what, change] of changes) {
  Deno.test(`a file that ${what} while it is read is an error that may pass`, () =>
    opened((source, path) => {
      source.read(new Uint8Array(300));
      change(path);
      const error = { reason: "FileChanged", disposition: "retry", message: /^it: was changed/ };
      assert.throws(() => rest(source), error);
    }));
}

Deno.test("what was skipped to its end is looked at as well", () =>
  opened((source, path) => {
    Deno.truncateSync(path, 400);
    assert.throws(() => source.skip(1_000), { reason: "FileChanged" });
  }));

Deno.test("a file that does not look as it did when it was found is not read", () =>
  opened((_source, path) => {
    const look = lookOf(Deno.statSync(path));
    using _same = new FileSource("it", path, look);
    for (const other of [{ ...look, size: 999 }, { ...look, mtime: look.mtime + 1 }]) {
      assert.throws(() => new FileSource("it", path, other), { reason: "FileChanged" });
    }
  }));

Deno.test("a file that is removed while it is read is read to its end", () =>
  opened((source, path) => {
    source.read(new Uint8Array(300));
    Deno.removeSync(path);
    assert.deepEqual(rest(source), [...bytes.subarray(300)]);
  }));
