import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { tarBytes, type TarEntrySpec } from "../../test/fixtures/tar_writer.ts";
import { PackageError, type PackageErrorReason, TarUnpacker } from "./mod.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

/** What was written, and what was given up. */
interface Written {
  readonly files: Record<string, string>;
  readonly aborted: string[];
}

function unpack(
  bytes: Uint8Array,
  { step = 700, wanted = (_: string): boolean => true, limits = {} } = {},
  written: Written = { files: {}, aborted: [] },
): Written {
  const unpacker = new TarUnpacker("sboms.tar", (path, size) => {
    if (!wanted(path)) return undefined;
    const chunks: Uint8Array[] = [];
    return {
      write: (chunk) => void chunks.push(chunk.slice()),
      close() {
        const content = Buffer.concat(chunks);
        assert.equal(content.length, size);
        written.files[path] = content.toString();
      },
      abort: () => void written.aborted.push(path),
    };
  }, { ...DEFAULT_LIMITS, ...limits });
  try {
    for (let at = 0; at < bytes.length; at += step) unpacker.write(bytes.subarray(at, at + step));
  } catch (error) {
    unpacker.abort();
    throw error;
  }
  unpacker.close();
  return written;
}

const GOOD: TarEntrySpec[] = [
  { name: "./", type: "directory" },
  { name: "a.json", content: "x".repeat(3_000) },
  { name: "sub/", type: "directory" },
  { name: "./sub/b.html", content: "<b>" },
  { name: "empty", content: "" },
];

for (const step of [1, 511, 512, 1 << 20]) {
  Deno.test(`files come out whole, ${step} bytes at a time`, () => {
    assert.deepEqual(unpack(tarBytes(GOOD), { step }), {
      files: { "a.json": "x".repeat(3_000), "sub/b.html": "<b>", "empty": "" },
      aborted: [],
    });
  });
}

Deno.test("files that nobody wants are left out", () => {
  const { files } = unpack(tarBytes(GOOD), { wanted: (path) => path.endsWith(".html") });
  assert.deepEqual(files, { "sub/b.html": "<b>" });
});

const bad: readonly (readonly [string, Uint8Array, PackageErrorReason, RegExp, object?])[] = [
  ["a name that climbs", tarBytes([{ name: "../a" }]), "UnsafePath", /^sboms\.tar: .*leaves/],
  ["an absolute name", tarBytes([{ name: "/a" }]), "UnsafePath", /absolute/],
  [
    "a symbolic link",
    tarBytes([{ name: "a", type: "symlink", linkTarget: "b" }]),
    "UnsupportedEntry",
    /^sboms\.tar: a is a symlink$/,
  ],
  ["a name twice", tarBytes([{ name: "a" }, { name: "./a" }]), "DuplicateEntry", /a/],
  ["no tar", new Uint8Array(1_024).fill(65), "NotTar", /^sboms\.tar: /],
  [
    "an end that is missing",
    tarBytes(GOOD).subarray(0, 2_048),
    "Truncated",
    /^sboms\.tar: ends at "?a\.json/,
  ],
  ["too many entries", tarBytes(GOOD), "LimitExceeded", /more than 3 entries/, { entries: 3 }],
  ["too many bytes", tarBytes(GOOD), "LimitExceeded", /a\.json/, { contentBytes: 2_999 }],
];

for (const [name, bytes, reason, message, limits = {}] of bad) {
  Deno.test(`${name} is refused, and no file stays open`, () => {
    const written: Written = { files: {}, aborted: [] };
    assert.throws(() => unpack(bytes, { limits }, written), (error) => {
      assert(error instanceof PackageError, String(error));
      assert.equal(error.reason, reason, error.message);
      assert.match(error.message, message);
      return true;
    });
    assert.deepEqual(written.aborted, reason === "Truncated" ? ["a.json"] : []);
  });
}
