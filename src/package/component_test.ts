import assert from "node:assert/strict";
import { MemorySink } from "../../test/fixtures/package_sink.ts";
import { tarBytes, type TarEntrySpec } from "../../test/fixtures/tar_writer.ts";
import { Budget } from "./budget.ts";
import { ComponentUnpacker } from "./component.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";

/** Unpacks a component called `web` from its entries, in chunks of `step` bytes. */
function unpack(
  entries: readonly TarEntrySpec[],
  { step = 4_096, limits = {} }: { step?: number; limits?: Partial<Limits> } = {},
): MemorySink {
  const sink = new MemorySink();
  const all = { ...DEFAULT_LIMITS, ...limits };
  const unpacker = new ComponentUnpacker("web", sink, all, new Budget(all));
  const bytes = tarBytes(entries);
  try {
    for (let at = 0; at < bytes.length; at += step) unpacker.write(bytes.subarray(at, at + step));
    unpacker.finish();
  } finally {
    unpacker.abort();
    assert.equal(sink.open, 0, "a file was left open");
  }
  return sink;
}

function refuses(
  reason: PackageErrorReason,
  part: string,
  entries: readonly TarEntrySpec[],
  limits: Partial<Limits> = {},
): void {
  assert.throws(() => unpack(entries, { limits }), (error) => {
    assert.ok(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.ok(error.message.includes(part), error.message);
    return true;
  });
}

const ROOT: TarEntrySpec = { name: "web/", type: "directory" };

for (const step of [1, 511, 512, 4_096, 1 << 20]) {
  Deno.test(`a component that comes in chunks of ${step} bytes is unpacked whole`, () => {
    const big = "0123456789".repeat(700);
    const sink = unpack([
      ROOT,
      { name: "web/charts/", type: "directory", mode: 0o700 },
      { name: "web/charts/a.tgz", content: big, mode: 0o600 },
      { name: "web/files/run", content: "#!/bin/sh\n", mode: 0o755 },
      { name: "web/empty", content: "" },
      { name: "web/files/link", type: "symlink", linkTarget: "../charts/a.tgz" },
    ], { step });
    const texts = [...sink.files].map(([path, { content, mode }]) =>
      [path, new TextDecoder().decode(content), mode] as const
    );
    assert.deepEqual(texts, [
      ["components/web/charts/a.tgz", big, 0o600],
      ["components/web/files/run", "#!/bin/sh\n", 0o755],
      ["components/web/empty", "", 0o644],
    ]);
    assert.deepEqual([...sink.directories], [
      ["components/web", 0o755],
      ["components/web/charts", 0o700],
    ]);
    assert.deepEqual([...sink.links], [["components/web/files/link", "../charts/a.tgz"]]);
    assert.deepEqual(sink.aborted, []);
  });
}

Deno.test("the archive's own root and a component without files are nothing to unpack", () => {
  const sink = unpack([{ name: "./", type: "directory" }, ROOT]);
  assert.deepEqual([sink.files.size, [...sink.directories.keys()]], [0, ["components/web"]]);
});

for (
  const [what, entry, part] of [
    ["of another component", { name: "db/file" }, '"db/file" is outside of web/'],
    ["beside its directory", { name: "file" }, '"file" is outside of web/'],
    ["of a longer name", { name: "webs/file" }, '"webs/file" is outside of web/'],
    ["that climbs", { name: "web/../db/file" }, "leaves the package"],
  ] as const
) {
  Deno.test(`a file ${what} is refused, by its name and the tar's`, () => {
    refuses("UnsafePath", part, [ROOT, entry]);
    refuses("UnsafePath", "components/web.tar: ", [ROOT, entry]);
  });
}

for (
  const [target, allowed] of [
    ["file", true],
    ["deep/er/file", true],
    [".", true],
    ["..", false],
    ["../db/file", false],
    ["/etc/passwd", false],
  ] as const
) {
  Deno.test(`a link web/link -> ${target} is ${allowed ? "made" : "refused: it leaves the component"}`, () => {
    const entries: TarEntrySpec[] = [ROOT, {
      name: "web/link",
      type: "symlink",
      linkTarget: target,
    }];
    if (!allowed) return refuses("UnsafePath", '"link"', entries);
    assert.deepEqual([...unpack(entries).links], [["components/web/link", target]]);
  });
}

for (
  const [type, name] of [
    ["hardlink", "hardlink"],
    ["character device", "character device"],
    ["block device", "block device"],
    ["FIFO", "FIFO"],
  ] as const
) {
  Deno.test(`a ${name} has no place in a component`, () => {
    refuses("UnsupportedEntry", `"web/x" is a ${name}`, [ROOT, {
      name: "web/x",
      type,
      linkTarget: "web/y",
    } as TarEntrySpec]);
  });
}

for (const type of ["file", "symlink"] as const) {
  Deno.test(`a ${type} in the place of the component's directory is refused`, () => {
    const message = `components/web.tar: "web" is a ${type}, not a directory`;
    refuses("UnsupportedEntry", message, [{ name: "web", type, linkTarget: "db" }]);
  });
}

Deno.test("nothing is written through a link of the component, nor twice", () => {
  const link: TarEntrySpec = { name: "web/link", type: "symlink", linkTarget: "dir" };
  refuses("UnsafePath", 'below "web/link", a link', [ROOT, link, { name: "web/link/x" }]);
  refuses("DuplicateEntry", '"web/a" is there twice', [ROOT, { name: "web/a" }, { name: "web/a" }]);
  refuses("DuplicateEntry", '"web/link" is there twice', [ROOT, link, { name: "web/link" }]);
});

Deno.test("entries of a component count for the whole package", () => {
  const entries = [ROOT, { name: "web/a" }, { name: "web/b" }];
  assert.equal(unpack(entries, { limits: { entries: 3 } }).files.size, 2);
  refuses("LimitExceeded", "more than 2 entries", entries, { entries: 2 });
});

Deno.test("directories that are only implied count for the whole package, too", () => {
  const entries = [ROOT, { name: "web/a/b/c/d/file" }];
  assert.equal(unpack(entries, { limits: { entries: 6 } }).files.size, 1);
  refuses("LimitExceeded", "more than 5 entries", entries, { entries: 5 });
});

Deno.test("a component that ends in the middle of a file gives the file up", () => {
  const sink = new MemorySink();
  const unpacker = new ComponentUnpacker("web", sink, DEFAULT_LIMITS, new Budget(DEFAULT_LIMITS));
  const bytes = tarBytes([ROOT, { name: "web/a", content: "x".repeat(2_000) }]);
  unpacker.write(bytes.subarray(0, 512 + 512 + 1_000));
  assert.equal(sink.open, 1);
  assert.throws(() => unpacker.finish(), { reason: "Truncated" });
  unpacker.abort();
  unpacker.abort();
  assert.deepEqual([sink.open, sink.aborted], [0, ["components/web/a"]]);
});
