import assert from "node:assert/strict";
import { digestOf } from "../std/mod.ts";
import { Layout } from "./layout.ts";

// The paths that design.md §4 names: other programs (the registry, a person with a shell) go by them.
const HELLO = digestOf("hello");
const HEX = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const layout = new Layout("/data");

for (
  const [what, path, expected] of [
    ["unfinished files", layout.tmp, "/data/tmp"],
    ["one staging", layout.staging("ingest-1"), "/data/tmp/ingest-1"],
    ["all blobs", layout.blobs, "/data/blobs/sha256"],
    ["a blob's directory", layout.blobDirectory(HELLO), "/data/blobs/sha256/2c"],
    ["a blob", layout.blob(HELLO), `/data/blobs/sha256/2c/${HEX}`],
    ["all packages", layout.packages, "/data/packages"],
    ["a package", layout.package(HELLO), `/data/packages/${HEX}`],
    ["bad blobs", layout.quarantine, "/data/quarantine"],
    ["the records", layout.database, "/data/holdfast.db"],
    ["the lock", layout.lock, "/data/holdfast.lock"],
  ] as const
) {
  Deno.test(`the place of ${what} is ${expected.replace(HEX, "<digest>")}`, () => {
    assert.equal(path, expected);
  });
}
