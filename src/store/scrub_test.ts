import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { SCRUB_DELAY, SCRUB_PAUSE, SCRUB_RATE } from "./scrub.ts";
import { Store } from "./store.ts";
import { bytesOf, chunks, packageWith, withDirectory } from "./testing.ts";

const never = new AbortController().signal;
/** By the order in which a pass comes to them. */
const TEXTS = ["a", "b", "c", "d", "e"].sort((x, y) => digestOf(x) < digestOf(y) ? -1 : 1);

function damage(store: Store, text: string, bytes: string): void {
  const path = store.blobs.path(digestOf(text));
  Deno.chmodSync(path, 0o644);
  Deno.writeFileSync(path, bytesOf(bytes));
}

async function fill(store: Store): Promise<void> {
  for (const text of TEXTS) await store.blobs.write(digestOf(text), 1, chunks(text));
}

/** A clock whose sleep ends at once and is counted. */
class CountingClock extends TestClock {
  waited = 0;
  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.waited += ms;
    this.onSleep(signal);
    return Promise.resolve();
  }
  onSleep: (signal?: AbortSignal) => void = () => {};
}

function withScrub(
  action: (store: Store, clock: CountingClock, dir: string) => Promise<void>,
): Promise<void> {
  return withDirectory(async (dir) => {
    const clock = new CountingClock();
    using store = Store.open(dir, { clock });
    await fill(store);
    await action(store, clock, dir);
  });
}

Deno.test("good blobs are left alone, and reading them takes its time", () =>
  withScrub(async (store, clock) => {
    const bad: Digest[] = [];
    await store.scrubber.pass(never, (digest) => void bad.push(digest));
    assert.deepEqual(bad, []);
    assert.equal(store.scrubber.bytes, TEXTS.length);
    assert.equal(Math.round(clock.waited * SCRUB_RATE / 1_000), TEXTS.length);
    assert.equal([...store.blobs.list()].length, TEXTS.length);
  }));

for (
  const [what, bytes] of [["other bytes", "x"], ["no bytes", ""], ["more bytes", "aa"]] as const
) {
  Deno.test(`a blob with ${what} is moved aside and told, and the others are looked at`, () =>
    withScrub(async (store) => {
      damage(store, TEXTS[1] ?? "", bytes);
      damage(store, TEXTS[3] ?? "", bytes);
      const bad: Digest[] = [];
      await store.scrubber.pass(never, (digest) => {
        assert.equal(store.blobs.stat(digest), undefined, "it is not served any more");
        bad.push(digest);
      });
      assert.deepEqual(bad, [digestOf(TEXTS[1] ?? ""), digestOf(TEXTS[3] ?? "")]);
      assert.equal(store.blobs.quarantined, 2);
      assert.equal([...store.blobs.list()].length, 3);
    }));
}

Deno.test("a pass that was ended goes on after a restart where it was", () =>
  withDirectory(async (dir) => {
    const size = 40 << 20;
    const large = (seed: number) => new Uint8Array(size).fill(seed);
    const clock = new CountingClock();
    const first = Store.open(dir, { clock });
    for (const seed of [1, 2, 3]) {
      await first.blobs.write(digestOf(large(seed)), size, new Blob([large(seed)]).stream());
    }
    const stop = new AbortController();
    // Two blobs are enough for a note; the third is left in its middle.
    clock.onSleep = () => {
      if (first.scrubber.bytes > 2.5 * size) stop.abort();
    };
    await first.scrubber.pass(stop.signal, () => assert.fail());
    first.close();
    using second = Store.open(dir, { clock: new CountingClock() });
    await second.scrubber.pass(never, () => assert.fail());
    assert.equal(second.scrubber.bytes, size, "the first two were not read again");
    await second.scrubber.pass(never, () => assert.fail());
    assert.equal(second.scrubber.bytes, 4 * size, "the next pass begins at the first");
  }));

Deno.test("a pass that ends early says nothing of the blob in whose middle it was", () =>
  withScrub(async (store, clock) => {
    for (const text of TEXTS) damage(store, text, "x");
    const stop = new AbortController();
    clock.onSleep = () => stop.abort();
    await store.scrubber.pass(stop.signal, () => assert.fail());
    assert.equal(store.blobs.quarantined, 0);
  }));

Deno.test("passes follow one another with a pause, until the signal", () =>
  withScrub(async (store, clock) => {
    const stop = new AbortController();
    let passes = 0;
    clock.onSleep = () => {
      if (clock.waited < SCRUB_PAUSE) {
        assert(store.scrubber.bytes > 0 || clock.waited >= SCRUB_DELAY, "it began at once");
        return;
      }
      clock.waited -= SCRUB_PAUSE;
      if (++passes === 3) stop.abort();
    };
    await store.scrubber.run(stop.signal, () => assert.fail());
    assert.equal(store.scrubber.bytes, 3 * TEXTS.length);
  }));

Deno.test("damage is what the records name and the disk lacks, with the packages that need it", () =>
  withDirectory(async (dir) => {
    using store = Store.open(dir);
    await fill(store);
    const references = (...texts: string[]) =>
      texts.map((text) => ({ digest: digestOf(text), size: 1 }));
    const put = (name: string, ...texts: string[]) => {
      const added = {
        ...packageWith(name, "1", digestOf(texts[0] ?? "")),
        blobs: references(...texts),
      };
      Deno.mkdirSync(store.packagePath(added.digest));
      return store.records.putPackage(added).digest;
    };
    const [web, db, old] = [put("web", "a", "b"), put("db", "b", "c"), put("old", "a")];
    store.records.setPackageState(old, "superseded");
    assert.deepEqual(store.findDamage(), { blobs: [], packages: new Set() });
    store.blobs.quarantine(digestOf("a"));
    assert.deepEqual(store.damage.blobs, [], "it is looked for when somebody asks");
    assert.deepEqual(store.findDamage(), { blobs: references("a"), packages: new Set([web]) });
    store.blobs.quarantine(digestOf("b"));
    assert.deepEqual(store.findDamage().packages, new Set([web, db]));
    await store.blobs.write(digestOf("a"), 1, chunks("a"));
    await store.blobs.write(digestOf("b"), 1, chunks("b"));
    Deno.removeSync(store.packagePath(db));
    assert.deepEqual(store.findDamage(), { blobs: [], packages: new Set([db]) });
    assert.deepEqual(store.damage.packages, new Set([db]));
  }));
