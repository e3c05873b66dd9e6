import assert from "node:assert/strict";
import { EntrySorter } from "./entries.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import type { TarEntry } from "./tar.ts";

const HEX = "ab".repeat(32);

const entry = (name: string, more: Partial<TarEntry> = {}): TarEntry => {
  return { type: "file", name, linkTarget: "", size: 10, mode: 0o600, ...more };
};

const KINDS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["zarf.yaml", { kind: "held" }],
  ["./checksums.txt", { kind: "held", path: "checksums.txt" }],
  ["zarf.bundle.sig", { kind: "held" }],
  ["zarf.yaml.sig", { kind: "held" }],
  ["images/oci-layout", { kind: "held" }],
  ["images/index.json", { kind: "held" }],
  [`images/blobs/sha256/${HEX}`, { kind: "blob", digest: `sha256:${HEX}` }],
  ["components/web.tar", { kind: "component", name: "web" }],
  ["components/a.b.tar", { kind: "component", name: "a.b" }],
  ["sboms.tar", { kind: "plain" }],
  ["values.yaml", { kind: "plain" }],
  ["images/manifest.json", { kind: "plain" }],
  ["deep/down/zarf.yaml", { kind: "plain" }],
];

for (const [name, expected] of KINDS) {
  Deno.test(`${name} is known for what it is`, () => {
    const sorted = new EntrySorter(DEFAULT_LIMITS).sort(entry(name));
    assert.deepEqual(sorted, { path: name, size: 10, mode: 0o600, ...expected });
  });
}

Deno.test("directories count as entries, files as bytes besides", () => {
  const sorter = new EntrySorter({ ...DEFAULT_LIMITS, entries: 3, contentBytes: 20 });
  assert.deepEqual(sorter.sort(entry("images", { type: "directory", size: 0 })), {
    kind: "directory",
  });
  sorter.sort(entry("a"));
  sorter.sort(entry("b"));
  assert.equal(sorter.budget.bytes, 20);
  assert.throws(() => sorter.sort(entry("c", { size: 0 })), /more than 3 entries/);
});

const REFUSED: readonly (readonly [PackageErrorReason, string, TarEntry, Partial<Limits>?])[] = [
  ["UnsafePath", "a name that climbs", entry("../zarf.yaml")],
  ["UnsafePath", "a file without a name", entry("./")],
  ["UnsupportedEntry", "a link", entry("a", { type: "symlink", linkTarget: "zarf.yaml" })],
  ["UnsupportedEntry", "a file that is no component's tar", entry("components/web/file")],
  ["UnsupportedEntry", "a component's tar that is compressed", entry("components/web.tar.gz")],
  ["InvalidImageLayout", "a blob of another algorithm", entry(`images/blobs/sha512/${HEX}`)],
  ["InvalidImageLayout", "a blob in a folder of its own", entry(`images/blobs/sha256/${HEX}/a`)],
  ["LimitExceeded", "a large definition", entry("zarf.yaml"), { definitionBytes: 9 }],
  ["LimitExceeded", "a large list", entry("checksums.txt"), { checksumsBytes: 9 }],
  ["LimitExceeded", "a large signature", entry("zarf.bundle.sig"), { signatureBytes: 9 }],
  ["LimitExceeded", "a large index", entry("images/index.json"), { manifestBytes: 9 }],
  ["LimitExceeded", "a large file", entry("sboms.tar"), { contentBytes: 9 }],
];

for (const [reason, name, bad, limits] of REFUSED) {
  Deno.test(`${name} is refused`, () => {
    const sorter = new EntrySorter({ ...DEFAULT_LIMITS, ...limits });
    assert.throws(() => sorter.sort(bad), (error) => {
      assert(error instanceof PackageError, String(error));
      assert.equal(error.reason, reason, error.message);
      return true;
    });
  });
}

Deno.test("the same file twice is refused, however it is written", () => {
  const sorter = new EntrySorter(DEFAULT_LIMITS);
  sorter.sort(entry("images", { type: "directory" }));
  sorter.sort(entry("images/index.json"));
  assert.throws(() => sorter.sort(entry("./images/index.json")), /is there twice/);
});
