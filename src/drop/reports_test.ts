import assert from "node:assert/strict";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { Reports } from "./reports.ts";
import type { DropOutcome, DroppedFile, FileIdentity } from "./types.ts";

const file: FileIdentity = { path: "/drop/web.tar.zst", size: 100, mtimeNs: 1n, inode: 2n };
const accepted: DropOutcome = { phase: "Accepted", digest: digestOf("web") };
const reading = (bytes: number): DropOutcome => ({
  phase: "Receiving",
  reason: "Reading",
  message: "it is read",
  bytes,
});

function reported(action: (reports: Reports, told: DroppedFile[], store: Store) => void) {
  return withDirectory((dir) => {
    using store = Store.open(dir);
    const told: DroppedFile[] = [];
    const { logger } = loggerOf();
    action(new Reports({ store, logger, onChange: (file) => told.push(file) }), told, store);
  });
}

Deno.test("what is known of a file is told when it is something else", () =>
  reported((reports, told) => {
    for (const bytes of [1, 1, 2]) reports.tell(file, reading(bytes));
    assert.equal(reports.tell(file, accepted), accepted);
    reports.tell(file, accepted);
    assert.deepEqual(told.map(({ outcome }) => outcome), [reading(1), reading(2), accepted]);
  }));

Deno.test("the same of another file, or of one in its place, is told", () =>
  reported((reports, told) => {
    const others = [{ path: "/drop/b" }, { size: 101 }, { mtimeNs: 3n }, { inode: 4n }];
    for (const other of [{}, ...others]) reports.tell({ ...file, ...other }, accepted);
    assert.equal(told.length, 5);
  }));

Deno.test("a file that comes again after it was gone is told of again", () =>
  reported((reports, told) => {
    reports.tell(file, reading(1));
    reports.keepOnly(new Set([file.path]));
    reports.tell(file, reading(1));
    assert.equal(told.length, 1);
    reports.keepOnly(new Set());
    reports.tell(file, reading(1));
    assert.equal(told.length, 2);
  }));

Deno.test("of a file that is gone it is told what was accepted, as it was recorded", () =>
  reported((reports, told, store) => {
    store.records.putDrop({ ...file, outcome: accepted });
    const part = { ...file, size: 7 };
    reports.tell(part, reading(1));
    reports.keepOnly(new Set());
    assert.deepEqual(told.map(({ size, outcome }) => [size, outcome]), [
      [7, reading(1)],
      [100, accepted],
    ]);
    reports.keepOnly(new Set());
    assert.equal(told.length, 2);
  }));
