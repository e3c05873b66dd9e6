import assert from "node:assert/strict";
import { FullDisk } from "../../test/fakes/full_disk.ts";
import { TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage, type PackageSpec } from "../../test/fixtures/make_package.ts";
import { keyPair, signed } from "../../test/fixtures/sign_package.ts";
import { systemClock } from "../std/mod.ts";
import { type DiskSpace, Store, type StoreOptions } from "../store/mod.ts";
import { Intake, type IntakeRequest } from "./intake.ts";
import type { FileIdentity } from "./types.ts";

const never = new AbortController().signal;
const LAYER = 300_000;

/** A package with one layer of its own, which does not shrink. */
function spec(name: string, seed: number, more: PackageSpec = {}): PackageSpec {
  const reference = `docker.io/library/${name}:1`;
  return { name, images: [{ reference, layers: [{ size: LAYER, seed }, "shared"] }], ...more };
}

class Stage {
  constructor(readonly dir: string, readonly store: Store) {}

  put(name: string, bytes: Uint8Array): FileIdentity {
    const path = `${this.dir}/${name}`;
    Deno.writeFileSync(path, bytes);
    return { path, size: bytes.length, mtimeNs: 1n, inode: 1n };
  }

  take(file: FileIdentity, more: Partial<IntakeRequest> = {}, trust = NO_KEYS) {
    const { store } = this;
    const intake = new Intake({ store, architecture: "amd64", trust, clock: systemClock });
    return intake.take({ file, tight: false, onProgress() {}, ...more }, never);
  }

  /** Everything below the data directory that packages are made of. */
  files(): string[] {
    const walk = (dir: string): string[] =>
      [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory }) =>
        isDirectory ? walk(`${dir}/${name}`) : [`${dir}/${name}`]
      );
    return ["tmp", "blobs", "packages"].flatMap((name) => walk(`${this.store.dir}/${name}`));
  }
}

const NO_KEYS: ConstructorParameters<typeof Intake>[0]["trust"] = [];

function staged(action: (stage: Stage) => Promise<void>, options: StoreOptions = {}) {
  return withDirectory(async (dir) => {
    Deno.mkdirSync(`${dir}/data`);
    using store = Store.open(`${dir}/data`, options);
    await action(new Stage(dir, store));
  });
}

/** A disk of which so many bytes may still be taken. */
function disk(available: () => number): () => DiskSpace {
  return () => ({ total: 1e12, free: (256 << 20) + available() });
}

Deno.test("a package that was taken in is recorded, and its record outlives the file", () =>
  staged(async (stage) => {
    const file = stage.put("web.tar.zst", buildPackage(spec("web", 1)));
    const contents = await stage.take(file);
    const [record] = stage.store.records.listPackages();
    assert.deepEqual([record?.digest, record?.name], [contents.digest, "web"]);
    assert.deepEqual(stage.store.findDamage().blobs, []);
  }));

Deno.test("with keys a package that nobody trusted signed is refused before anything is written", () =>
  staged(async (stage) => {
    const ours = keyPair();
    const file = stage.put(
      "web.tar.zst",
      buildPackage(spec("web", 1, { hooks: signed(keyPair()) })),
    );
    // Whoever tried to write would be told of this instead.
    Deno.removeSync(`${stage.store.dir}/tmp`);
    Deno.writeTextFileSync(`${stage.store.dir}/tmp`, "");
    await assert.rejects(stage.take(file, {}, [ours.trusted]), { reason: "SignatureInvalid" });
    await assert.rejects(
      stage.take(file),
      (error: { reason?: string }) => error.reason !== "SignatureInvalid",
    );
  }));

Deno.test("a package that does not fit is refused before it is read, with both numbers, and waits", () => {
  let available = 100_000;
  return staged(async (stage) => {
    const file = stage.put("web.tar.zst", buildPackage(spec("web", 1)));
    await assert.rejects(stage.take(file), (error: Error) => {
      assert.match(error.message, /needs 0\.[34] MB more on the data disk, and 0\.1 MB are free/);
      return "reason" in error && error.reason === "NotEnoughSpace" &&
        "disposition" in error && error.disposition === "wait";
    });
    assert.deepEqual(stage.files(), []);
    available = 1_000_000;
    await stage.take(file);
    assert.equal(stage.store.records.listPackages().length, 1);
  }, { disk: disk(() => available) });
});

Deno.test("nothing is read into a store that was opened on a full disk, until it is thawed", () => {
  const full = new FullDisk();
  return staged(async (stage) => {
    const file = stage.put("web.tar.zst", buildPackage(spec("web", 1)));
    for (const passes of [false, true]) {
      // Room alone is not enough: what is written would not be known after a crash.
      if (passes) full.free();
      await assert.rejects(stage.take(file), (error) => error === stage.store.frozen);
      assert.deepEqual([...Deno.readDirSync(stage.store.dir)].map(({ name }) => name), [
        "holdfast.lock",
      ]);
    }
    assert.equal(stage.store.thaw(), true);
    await stage.take(file);
    assert.equal(stage.store.records.listPackages().length, 1);
  }, full.options);
});

Deno.test("only what is missing must fit: a second package with the same layers needs little", () => {
  let available = 1e9;
  return staged(async (stage) => {
    await stage.take(stage.put("web.tar.zst", buildPackage(spec("web", 1))));
    available = 100_000;
    const next = buildPackage(spec("web", 1, { version: "2.0.0" }));
    await stage.take(stage.put("next.tar.zst", next));
    const other = stage.put("other.tar.zst", buildPackage(spec("other", 2)));
    await assert.rejects(stage.take(other), { reason: "NotEnoughSpace" });
  }, { disk: disk(() => available) });
});

Deno.test("what is superseded makes room for the next package, what runs does not", () => {
  let [used, capacity] = [0, 1e9];
  const clock = new TestClock();
  return staged(async (stage) => {
    const { store } = stage;
    // What the stage holds is what the disk has lost.
    const measure = () =>
      used = stage.files().reduce((sum, file) => sum + Deno.statSync(file).size, 0);
    for (const [at, version] of ["1.0.0", "2.0.0", "3.0.0"].entries()) {
      const bytes = buildPackage(spec("web", at, { version }));
      if (version === "3.0.0") capacity = 2.5 * LAYER;
      measure();
      const file = stage.put(`${version}.tar.zst`, bytes);
      if (version === "3.0.0") {
        await assert.rejects(stage.take(file), { reason: "NotEnoughSpace" });
        const [first] = store.records.listPackages();
        store.records.setPackageState(first?.digest ?? "sha256:", "superseded");
        const collect = store.collector.collect.bind(store.collector);
        store.collector.collect = (options) => {
          const removed = collect(options);
          measure();
          return removed;
        };
      }
      await stage.take(file);
    }
    const states = store.records.listPackages().map(({ version, state }) => `${version} ${state}`);
    assert.deepEqual(states, ["1.0.0 superseded", "2.0.0 accepted", "3.0.0 accepted"]);
    assert.equal([...Deno.readDirSync(`${store.dir}/packages`)].length, 2);
    assert.deepEqual(store.findDamage().blobs, []);
  }, { disk: disk(() => capacity - used), clock });
});

Deno.test("nothing is collected while a package is read, also when it is refused in the end", () =>
  staged(async (stage) => {
    const { collector } = stage.store;
    let suspended = 0;
    const suspend = collector.suspend.bind(collector);
    collector.suspend = () => {
      suspended++;
      return suspend();
    };
    const bytes = buildPackage(spec("web", 1));
    await stage.take(stage.put("web.tar.zst", bytes));
    await assert.rejects(stage.take(stage.put("cut.tar.zst", bytes.slice(0, -1))));
    await stage.take(stage.put("again.tar.zst", bytes), { tight: true });
    assert.equal(suspended, 3);
    stage.store.records.setPackageState(
      stage.store.records.listPackages()[0]?.digest ?? "sha256:",
      "superseded",
    );
    assert.equal(collector.collect({ urgent: true }).packages, 1, "all of them have ended");
  }));

Deno.test("what is repaired gets its missing parts back, and keeps its state and its place", () =>
  staged(async (stage) => {
    const { store } = stage;
    const file = stage.put("web.tar.zst", buildPackage(spec("web", 1)));
    const { digest, blobs } = await stage.take(file);
    const next = await stage.take(
      stage.put("next.tar.zst", buildPackage(spec("web", 2, { version: "2.0.0" }))),
    );
    store.records.setPackageState(digest, "ready", { reason: "Ready", message: "it runs" });
    store.records.setPackageState(next.digest, "failed");
    const before = store.records.listPackages();
    for (const blob of blobs) store.blobs.quarantine(blob.digest);
    assert(store.findDamage().packages.has(digest));
    await stage.take(file, { repairs: digest });
    assert.deepEqual(store.findDamage().blobs, []);
    for (const blob of blobs) assert.equal(store.blobs.verify(blob.digest), true);
    assert.deepEqual(store.records.listPackages(), before);
  }));

Deno.test("another package under the name of one that is repaired is not taken for it", () =>
  staged(async (stage) => {
    const { store } = stage;
    const { digest } = await stage.take(stage.put("web.tar.zst", buildPackage(spec("web", 1))));
    const before = stage.files().length;
    const other = stage.put("web.tar.zst", buildPackage(spec("other", 2)));
    await assert.rejects(stage.take(other, { repairs: digest }), {
      reason: "FileChanged",
      disposition: "terminal",
    });
    assert.equal(store.records.listPackages().length, 1);
    store.collector.collect({ urgent: true });
    assert.equal(stage.files().length, before);
  }));

Deno.test("where a package is looked over first, progress says so, and then how far it is read", () =>
  staged(async (stage) => {
    const layers = [{ size: 12_000_000, seed: 7 }];
    const large = buildPackage({ images: [{ reference: "docker.io/library/large:1", layers }] });
    const file = stage.put("large.tar.zst", large);
    const seen: [boolean, number][] = [];
    const onProgress = (bytes: number, scouting: boolean) => void seen.push([scouting, bytes]);
    await stage.take(file, { tight: true, onProgress });
    const split = seen.findIndex(([scouting]) => !scouting);
    assert(split > 0 && seen.slice(split).every(([scouting]) => !scouting), JSON.stringify(seen));
    for (const part of [seen.slice(0, split), seen.slice(split)]) {
      const bytes = part.map(([, bytes]) => bytes);
      assert.deepEqual(bytes, bytes.toSorted((a, b) => a - b));
      assert((bytes.at(-1) ?? 0) > 8_000_000);
    }
  }));
