import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { TestClock } from "../../test/fakes/testing.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { READER_GRACE, WRITER_GRACE } from "./blobs.ts";
import { HISTORY_LIMIT, LEFTOVER_GRACE, SUPERSEDED_GRACE } from "./collector.ts";
import { Staging } from "./staging.ts";
import { Store } from "./store.ts";
import { bytesOf, chunks, packageWith, stageBlobs, withDirectory } from "./testing.ts";
import { SEED_OWNER } from "./types.ts";

interface Stage {
  readonly store: Store;
  readonly clock: TestClock;
  /** Takes a package in that has these blobs; gives its digest. */
  add(name: string, version: string, blobs: readonly string[]): Digest;
  /** The texts of all blobs. */
  blobs(): string[];
  /** How many packages have their files. */
  trees(): number;
}

function withStage(action: (stage: Stage) => void | Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    const clock = new TestClock();
    using store = Store.open(dir, { clock });
    const stage: Stage = {
      store,
      clock,
      add: (name, version, blobs) => {
        const staging = stageBlobs(dir, blobs);
        const file = staging.file("zarf.yaml", 1, 0o644);
        file.write(bytesOf("x"));
        file.close();
        const references = blobs.map((text) => ({ digest: digestOf(text), size: text.length }));
        const added = {
          ...packageWith(name, version, digestOf(blobs[0] ?? "")),
          blobs: references,
        };
        staging.commit(added.digest);
        store.records.putPackage(added);
        return added.digest;
      },
      blobs: () =>
        [...store.blobs.list()].map((digest) => Deno.readTextFileSync(store.blobs.path(digest)))
          .sort(),
      trees: () => [...Deno.readDirSync(`${dir}/packages`)].length,
    };
    await action(stage);
  });
}

const NOTHING = { packages: 0, blobs: 0, bytes: 0 };

Deno.test("what every live package and the seed need stays, however long", () =>
  withStage(async ({ store, clock, add, blobs, trees }) => {
    const states = ["accepted", "deploying", "ready", "failed", "rolled-back"] as const;
    for (const state of states) {
      store.records.setPackageState(add(state, "1", [`of ${state}`, "shared"]), state);
    }
    await store.blobs.write(digestOf("of the seed"), undefined, chunks("of the seed"));
    store.records.putImages(SEED_OWNER, [], [], [{ digest: digestOf("of the seed"), size: 11 }]);
    const before = blobs();
    assert.equal(before.length, states.length + 2);
    clock.advance(10 * LEFTOVER_GRACE);
    assert.deepEqual(store.collector.collect({ urgent: true }), NOTHING);
    assert.deepEqual(blobs(), before);
    assert.equal(trees(), states.length);
    assert.equal(store.records.images(store.records.listPackages()[0]?.digest ?? "").length, 1);
  }));

Deno.test("a superseded package goes after its grace, but for what others share, and stays as history", () =>
  withStage(({ store, clock, add, blobs, trees }) => {
    const old = add("web", "1", ["old", "shared"]);
    const current = add("web", "2", ["new", "shared"]);
    store.records.setPackageState(current, "ready");
    store.records.setPackageState(old, "superseded");
    assert.deepEqual(store.collector.collect(), NOTHING);
    clock.advance(SUPERSEDED_GRACE - 1);
    assert.deepEqual(store.collector.collect(), NOTHING);
    assert.equal(trees(), 2);
    clock.advance(1);
    assert.deepEqual(store.collector.collect(), { packages: 1, blobs: 1, bytes: 3 });
    assert.deepEqual(blobs(), ["new", "shared"]);
    assert.equal(trees(), 1);
    assert.equal(store.records.getPackage(old)?.state, "superseded");
    assert.deepEqual(store.records.images(old), []);
    assert.equal(store.records.resolveTag("library/web", "1")?.digest, digestOf("new"));
    assert.deepEqual(store.collector.collect(), NOTHING);
    assert.deepEqual(store.collector.total, { packages: 1, blobs: 1, bytes: 3 });
  }));

Deno.test("a superseded package that is dropped again is whole again", () =>
  withStage(({ store, add, blobs, trees }) => {
    const old = add("web", "1", ["old"]);
    store.records.setPackageState(add("web", "2", ["new"]), "ready");
    store.records.setPackageState(old, "superseded");
    store.collector.collect({ urgent: true });
    assert.equal(add("web", "1", ["old"]), old);
    assert.equal(store.records.getPackage(old)?.state, "accepted");
    assert.deepEqual(store.collector.collect({ urgent: true }), NOTHING);
    assert.deepEqual(blobs(), ["new", "old"]);
    assert.equal(trees(), 2);
  }));

Deno.test("a pinned package stays until its last pin is taken out", () =>
  withStage(({ store, add }) => {
    const old = add("web", "1", ["old"]);
    const pins = [store.collector.pin(old), store.collector.pin(old)];
    store.records.setPackageState(old, "superseded");
    for (const pin of pins) {
      assert.deepEqual(store.collector.collect({ urgent: true }), NOTHING);
      pin[Symbol.dispose]();
      pin[Symbol.dispose]();
    }
    assert.equal(store.collector.collect({ urgent: true }).packages, 1);
  }));

Deno.test("nothing goes while a package is read into the store", () =>
  withStage(({ store, add }) => {
    store.records.setPackageState(add("web", "1", ["old"]), "superseded");
    {
      using _import = store.collector.suspend();
      assert.deepEqual(store.collector.collect({ urgent: true }), NOTHING);
    }
    assert.equal(store.collector.collect({ urgent: true }).packages, 1);
  }));

Deno.test("blobs of an import that was interrupted are kept for a day, and when room is needed not", () =>
  withStage(({ store, clock, blobs }) => {
    const stage = () => {
      const staging = stageBlobs(store.dir, ["first", "second"], { checkpointBytes: 1 });
      staging.discard();
      return staging.published;
    };
    stage();
    assert.deepEqual(store.collector.collect(), NOTHING);
    clock.advance(LEFTOVER_GRACE - 1);
    assert.deepEqual(store.collector.collect(), NOTHING);
    assert.deepEqual(blobs(), ["first", "second"]);
    const keep = new Set([digestOf("second")]);
    assert.deepEqual(store.collector.collect({ urgent: true, keep }), {
      packages: 0,
      blobs: 1,
      bytes: 5,
    });
    assert.deepEqual(blobs(), ["second"]);
    assert.deepEqual(store.collector.collect(), NOTHING);
    clock.advance(LEFTOVER_GRACE);
    assert.equal(store.collector.collect().blobs, 1);
    store.collector.discard(stage());
    assert.deepEqual(blobs(), []);
  }));

Deno.test("what a refused package left goes at once, but for what another one needs", () =>
  withStage(({ store, add, blobs }) => {
    add("web", "1", ["needed"]);
    const staging = stageBlobs(store.dir, ["refused"], { checkpointBytes: 1 });
    staging.discard();
    store.collector.discard([...staging.published, digestOf("needed")]);
    assert.deepEqual(blobs(), ["needed"]);
  }));

Deno.test("a blob that somebody reads is kept, and his open file is good to its end", () =>
  withStage(({ store, clock, add, blobs }) => {
    const old = add("web", "1", ["old"]);
    store.records.setPackageState(old, "superseded");
    using opened = store.blobs.open(digestOf("old"))?.file ?? assert.fail();
    assert.equal(store.collector.collect({ urgent: true }).blobs, 0);
    assert.deepEqual(blobs(), ["old"]);
    clock.advance(READER_GRACE);
    assert.deepEqual(store.collector.collect(), { packages: 0, blobs: 1, bytes: 3 });
    assert.equal(opened.readSync(new Uint8Array(8)), 3);
  }));

Deno.test("a blob that was just fetched is kept until its owner is recorded", () =>
  withStage(async ({ store, clock, blobs }) => {
    await store.blobs.write(digestOf("fetched"), 7, chunks("fetched"));
    clock.advance(WRITER_GRACE - 1);
    assert.equal(store.collector.collect({ urgent: true }).blobs, 0);
    clock.advance(1);
    assert.equal(store.collector.collect({ urgent: true }).blobs, 1);
    assert.deepEqual(blobs(), []);
  }));

Deno.test("what the registry has under a name of its own is not counted as freed", () =>
  withStage(({ store, add }) => {
    store.records.setPackageState(add("web", "1", ["old", "alone"]), "superseded");
    Deno.linkSync(store.blobs.path(digestOf("old")), `${store.dir}/registrys`);
    assert.deepEqual(store.collector.collect({ urgent: true }), {
      packages: 1,
      blobs: 2,
      bytes: 5,
    });
    assert.equal(Deno.readTextFileSync(`${store.dir}/registrys`), "old");
  }));

Deno.test("files of a package that was never recorded go like the blobs of one", () =>
  withStage(({ store, clock, trees }) => {
    const staging = Staging.create(store.dir, "one");
    const digest = digestOf("a package");
    staging.commit(digest);
    store.collector.collect();
    clock.advance(LEFTOVER_GRACE - 1);
    store.collector.collect({ urgent: true, keep: new Set([digest]) });
    store.collector.collect();
    assert.equal(trees(), 1);
    clock.advance(1);
    store.collector.collect();
    assert.equal(trees(), 0);
  }));

Deno.test("a blob that comes again after it was removed is verified like a new one", () =>
  withDirectory(async (dir) => {
    const first = Store.open(dir);
    await first.blobs.write(digestOf("old"), 3, chunks("old"));
    first.close();
    using store = Store.open(dir, { clock: new TestClock() });
    using db = new DatabaseSync(`${dir}/holdfast.db`);
    const marked = () => db.prepare("SELECT digest FROM marked_blobs").all().length;
    assert.equal(marked(), 1);
    assert.equal(store.collector.collect({ urgent: true }).blobs, 1);
    assert.equal(marked(), 0);
  }));

Deno.test("of superseded packages the newest are remembered, and live ones are no history", () =>
  withStage(({ store, add }) => {
    const live = add("live", "1", ["live"]);
    const put = (version: number) => {
      const added = { ...packageWith("web", `${version}`), blobs: [] };
      store.records.putPackage(added);
      store.records.setPackageState(added.digest, "superseded");
    };
    for (let version = 0; version < HISTORY_LIMIT + 2; version++) put(version);
    assert.equal(store.collector.collect({ urgent: true }).packages, HISTORY_LIMIT + 2);
    const versions = store.records.listPackages().map(({ version }) => version);
    assert.equal(versions.length, HISTORY_LIMIT + 1);
    assert.deepEqual(versions.slice(0, 2), ["1", "2"]);
    assert.equal(store.records.listPackages()[0]?.digest, live);
  }));
