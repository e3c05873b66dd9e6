import assert from "node:assert/strict";
import { createLogger, type Digest, digestOf } from "../std/mod.ts";
import { BlobStore } from "./blobs.ts";
import { CleanMark } from "./clean_mark.ts";
import { Database } from "./database.ts";
import { systemStoreFs } from "./fs.ts";
import { Layout } from "./layout.ts";
import { bytesOf, chunks, withDirectory } from "./testing.ts";

/** The parts of a store that a clean mark is made of. */
interface Parts {
  readonly blobs: BlobStore;
  readonly db: Database;
  readonly mark: CleanMark;
  /** Log lines so far. */
  readonly lines: readonly Record<string, unknown>[];
  /** Looks as the next start does. */
  check(): void;
  /** The digests that need not be hashed again. */
  marked(): unknown[];
  add(text: string): Promise<Digest>;
  /** Changes a blob's bytes behind the store's back. */
  damage(digest: Digest): void;
}

async function withParts(action: (parts: Parts) => Promise<void>): Promise<void> {
  await withDirectory(async (dir) => {
    const layout = new Layout(dir);
    Deno.mkdirSync(layout.tmp);
    const blobs = new BlobStore(layout, systemStoreFs);
    const db = Database.open(layout.database);
    const mark = new CleanMark(db, blobs);
    const lines: Record<string, unknown>[] = [];
    const write = (line: string) => void lines.push(JSON.parse(line));
    const logger = createLogger({ level: "info", format: "json", write });
    const parts: Parts = {
      blobs,
      db,
      mark,
      lines,
      check: () => mark.check(logger),
      marked: () => db.all("SELECT digest FROM marked_blobs").map((row) => row["digest"]),
      add: async (text) => {
        await blobs.write(digestOf(text), text.length, chunks(text));
        return digestOf(text);
      },
      damage: (digest) => {
        Deno.chmodSync(blobs.path(digest), 0o644);
        Deno.writeFileSync(blobs.path(digest), bytesOf("damage"));
      },
    };
    try {
      await action(parts);
    } finally {
      db.close();
    }
  });
}

Deno.test("a new store has nothing to verify, and says nothing", () =>
  withParts(async ({ check, lines }) => {
    await Promise.resolve(check());
    assert.deepEqual(lines, []);
  }));

Deno.test("without a mark every blob is hashed, and how many is told", () =>
  withParts(async ({ add, check, lines, marked }) => {
    check();
    const digests = [await add("a"), await add("b"), await add("c")];
    check();
    assert.deepEqual(lines.map(({ msg, blobs }) => [msg, blobs]), [
      ["blobs verified after an unclean stop", 3],
    ]);
    assert.deepEqual(marked().sort(), digests.sort());
  }));

Deno.test("a second power cut does not start a long verification over", () =>
  withParts(async ({ add, check, damage, lines, blobs }) => {
    check();
    const good = await add("good");
    check();
    damage(good);
    check();
    assert.equal(lines.at(-1)?.["blobs"], 0, "what was verified is not hashed again");
    assert.ok(blobs.stat(good));
  }));

Deno.test("a damaged blob is moved aside, named in the log, and not marked", () =>
  withParts(async ({ add, check, damage, lines, blobs, marked }) => {
    check();
    const [good, bad] = [await add("good"), await add("bad")];
    damage(bad);
    check();
    assert.deepEqual([...blobs.list()], [good]);
    assert.deepEqual(marked(), [good]);
    assert.equal(blobs.quarantined, 1);
    assert.deepEqual(lines.map(({ level, digest }) => [level, digest]), [
      ["error", bad],
      ["info", undefined],
    ]);
  }));

Deno.test("a mark covers the blobs of that moment, and none that left before", () =>
  withParts(async ({ add, check, mark, marked, blobs }) => {
    check();
    const [kept, gone] = [await add("kept"), await add("gone")];
    mark.set();
    assert.deepEqual(marked().sort(), [kept, gone].sort());
    check();
    blobs.quarantine(gone);
    const late = await add("late");
    mark.set();
    assert.deepEqual(marked().sort(), [kept, late].sort());
  }));

Deno.test("a mark counts for one start: the next one finds it taken away", () =>
  withParts(async ({ add, check, damage, mark, blobs, lines }) => {
    check();
    const blob = await add("blob");
    mark.set();
    check();
    assert.deepEqual(lines, [], "after a clean stop nothing is hashed");
    const late = await add("late");
    damage(late);
    check();
    assert.equal(blobs.stat(late), undefined, "after an unclean one it is");
    assert.ok(blobs.stat(blob));
  }));

Deno.test("setting the mark twice is the same as once", () =>
  withParts(async ({ add, check, mark, lines, db }) => {
    check();
    await add("blob");
    mark.set();
    mark.set();
    assert.equal(db.all("SELECT id FROM clean_stop").length, 1);
    check();
    assert.deepEqual(lines, []);
  }));
