import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { digestOf } from "../std/mod.ts";
import { StoreError } from "./errors.ts";
import type { Records } from "./records.ts";
import { jsonText } from "./rows.ts";
import { Store } from "./store.ts";
import { packageWith, withDirectory } from "./testing.ts";
import { PACKAGE_STATES } from "./types.ts";

const ADDED = packageWith("web", "1");
const MANIFEST = digestOf("web 1");
const AT = "2026-01-02T03:04:05Z";

/** Records one of everything, spoils it with `sql`, and reads it back. */
async function spoilt(sql: string, read: (records: Records) => void): Promise<void> {
  await withDirectory((dir) => {
    const store = Store.open(dir);
    store.records.putPackage(ADDED);
    store.records.putDrop({ path: "/a", size: 1, mtimeNs: 2n, inode: 3n, outcome: {} });
    store.records.appendJournal({ owner: "o", step: "s", state: "done", detail: {}, at: AT });
    store.records.setValue("key", 1);
    store.close();
    const db = new DatabaseSync(`${dir}/holdfast.db`);
    db.exec(sql);
    db.close();
    using again = Store.open(dir);
    read(again.records);
  });
}

for (
  const [sql, column, read] of [
    ["packages SET state = 'dancing'", "state", (r: Records) => r.listPackages()],
    ["packages SET components = '[{'", "components", (r: Records) => r.getPackage(ADDED.digest)],
    ["images SET image = 'no json'", "image", (r: Records) => r.images(ADDED.digest)],
    [
      "image_names SET digest = 'sha256:x'",
      "digest",
      (r: Records) => r.resolveTag("library/web", "1"),
    ],
    ["manifests SET subject = 'me'", "subject", (r: Records) => r.manifest(MANIFEST)],
    ["manifests SET annotations = '{'", "annotations", (r: Records) => r.manifest(MANIFEST)],
    ["drops SET outcome = ''", "outcome", (r: Records) => r.getDrop("/a")],
    ["journal SET state = 'begun'", "state", (r: Records) => r.journal("o")],
    ["journal SET detail = 'x'", "detail", (r: Records) => r.lastJournal("o", "s")],
    ["key_values SET value = 'x'", "value", (r: Records) => r.getValue("key")],
  ] as const
) {
  Deno.test(`after UPDATE ${sql} the column is named as damaged, and nothing is guessed`, () =>
    spoilt(`UPDATE ${sql}`, (records) => {
      assert.throws(() => read(records), (error) => {
        assert.ok(error instanceof StoreError, String(error));
        assert.equal(error.reason, "DatabaseCorrupt");
        assert.equal(error.disposition, "terminal");
        assert.equal(error.message, `the database has a ${column} that cannot be read`);
        assert.match(error.remedy ?? "", /the blobs are kept/);
        return true;
      });
    }));
}

for (const state of PACKAGE_STATES) {
  Deno.test(`the state ${state} is read back as it was written`, () =>
    spoilt("SELECT 1", (records) => {
      records.setPackageState(ADDED.digest, state);
      assert.equal(records.getPackage(ADDED.digest)?.state, state);
    }));
}

for (const state of ["started", "done", "failed"] as const) {
  Deno.test(`a step that is ${state} is read back as that, with all that was said`, () =>
    spoilt("SELECT 1", (records) => {
      const entry = { owner: "p", step: "images", state, detail: { n: 1, list: ["a"] }, at: AT };
      records.appendJournal(entry);
      assert.deepEqual(records.journal("p"), [entry]);
      assert.deepEqual(records.lastJournal("p", "images"), entry);
    }));
}

for (
  const [value, text] of [
    [{ a: [1, "x", null] }, '{"a":[1,"x",null]}'],
    ["text", '"text"'],
    [null, "null"],
    [undefined, "null"],
    [() => 1, "null"],
    [{ gone: undefined }, "{}"],
  ] as const
) {
  Deno.test(`as JSON, ${text} is what is kept of ${typeof value} ${String(value)}`, () => {
    assert.equal(jsonText(value), text);
  });
}
