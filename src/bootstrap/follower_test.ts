import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { noise, seedIn } from "../../test/fakes/seed_cluster.ts";
import { eventually, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { digestOf, silentLogger } from "../std/mod.ts";
import { Store, StoreError } from "../store/mod.ts";
import { BootstrapError } from "./errors.ts";
import { assemblePayload } from "./follower.ts";
import type { PayloadIndex } from "./payload.ts";
import { publishPayload } from "./publisher.ts";

interface Stage {
  readonly api: ApiObjects;
  /** A store that lacks the image. */
  readonly store: Store;
  readonly index: PayloadIndex;
  assemble(options?: Partial<Parameters<typeof assemblePayload>[3]>): Promise<void>;
}

/** A payload that one node published, and the store of another one. */
function published(
  action: (stage: Stage) => Promise<void>,
  layer: Uint8Array = noise(1_300_000),
): Promise<void> {
  return withDirectory(async (dir) => {
    using source = Store.open(`${dir}/source`);
    using store = Store.open(`${dir}/target`);
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    const seed = await seedIn(source, layer);
    const logger = silentLogger;
    const index = await publishPayload(api.client, source.blobs, seed, { logger });
    const assemble = (options = {}) =>
      assemblePayload(api.client, store.blobs, index, { logger, ...options });
    await action({ api, store, index, assemble });
  });
}

const chunk = (api: ApiObjects, number: number): AnyObject => {
  const found = api.find("configmaps", `zarf-payload-00${number}`);
  return found ?? assert.fail(`there is no chunk ${number}`);
};

const have = (store: Store, index: PayloadIndex) =>
  index.blobs.filter((blob) => store.blobs.stat(blob.digest)?.size === blob.size).length;

function assertWhole(store: Store, index: PayloadIndex): void {
  for (const blob of index.blobs) {
    assert.equal(digestOf(Deno.readFileSync(store.blobs.path(blob.digest))), blob.digest);
  }
}

function isIncomplete(why: RegExp) {
  return (error: unknown) => {
    assert(error instanceof BootstrapError, String(error));
    assert.equal(error.reason, "PayloadIncomplete");
    assert.equal(error.disposition, "retry");
    assert.match(error.message, why);
    return true;
  };
}

for (const size of [0, 1, 512 * 1024, 1_300_000, 4_000_000]) {
  Deno.test(`an image with a layer of ${size} bytes arrives as it was sent`, () =>
    published(async ({ store, index, assemble }) => {
      const { logger, lines } = loggerOf();
      await assemble({ logger });
      assertWhole(store, index);
      assert.match(lines.join("\n"), /seed image assembled image=library\/registry:3 blobs=3/);
    }, noise(size)));
}

Deno.test("what is there already is not fetched again", () =>
  published(async ({ api, assemble }) => {
    await assemble();
    api.peer.seen.length = 0;
    await assemble();
    assert.deepEqual(api.peer.seen, []);
  }));

Deno.test("only the chunks of blobs that are missing are fetched", () =>
  published(async ({ api, store, index, assemble }) => {
    await assemble();
    const config = index.blobs[1];
    Deno.removeSync(store.blobs.path(config?.digest ?? digestOf("")));
    api.peer.seen.length = 0;
    await assemble();
    assertWhole(store, index);
    assert.deepEqual(api.peer.seen.map(({ path }) => path.slice(-3)), ["002"]);
  }));

Deno.test("a chunk that is published later is waited for", () =>
  published(async ({ api, store, index, assemble }) => {
    const late = chunk(api, 1);
    api.remove(late);
    const assembling = assemble();
    await eventually(() => api.peer.seen.filter(({ path }) => path.endsWith("001")).length > 2);
    assert.equal(have(store, index), 0);
    api.put(late);
    await assembling;
    assertWhole(store, index);
  }));

Deno.test("a chunk that does not come is named when the time is up", () =>
  published(async ({ api, store, index, assemble }) => {
    api.remove(chunk(api, 2));
    const clock = new TestClock(10);
    await assert.rejects(assemble({ clock }), isIncomplete(/zarf-payload-002 is not there/));
    assert(clock.monotonic() >= 60_000 && clock.monotonic() < 120_000);
    assert.equal(have(store, index), 0, "the layer's end is in the missing chunk");
    assert.deepEqual([...Deno.readDirSync(`${store.dir}/tmp`)], []);
  }));

const tampering: readonly [string, (bytes: Uint8Array) => Uint8Array][] = [
  ["with one bit turned", (bytes) => bytes.with(7, (bytes[7] ?? 0) ^ 1)],
  ["that is a byte short", (bytes) => bytes.subarray(1)],
  ["that is a byte too long", (bytes) => new Uint8Array([...bytes, 0])],
  ["that is empty", () => new Uint8Array()],
];

for (const [what, spoil] of tampering) {
  Deno.test(`a chunk ${what} is not used`, () =>
    published(async ({ api, store, index, assemble }) => {
      const good = chunk(api, 0);
      const name = "zarf-payload-000";
      const spoiled = spoil(Uint8Array.fromBase64(good.binaryData[name])).toBase64();
      api.put({ ...good, binaryData: { [name]: spoiled } } as AnyObject);
      await assert.rejects(
        assemble({ clock: new TestClock(40) }),
        isIncomplete(/zarf-payload-000 is not (what the index says|there)/),
      );
      assert.equal(have(store, index), 0);
      api.put(good);
      await assemble();
      assertWhole(store, index);
    }));
}

Deno.test("blobs that were whole are kept when a later chunk fails", () =>
  published(async ({ api, store, index, assemble }) => {
    // The layer fills chunk 0 exactly, so that config and manifest are in chunk 1.
    api.remove(chunk(api, 1));
    await assert.rejects(assemble({ clock: new TestClock(40) }), isIncomplete(/-001/));
    assert.equal(have(store, index), 1);
  }, noise(512 * 1024)));

Deno.test("an index that lies about a blob puts nothing into the store", () =>
  published(async ({ api, store, index }) => {
    const liar: PayloadIndex = {
      ...index,
      blobs: index.blobs.map((blob, i) => i === 0 ? { ...blob, digest: digestOf("lie") } : blob),
    };
    await assert.rejects(
      assemblePayload(api.client, store.blobs, liar, { logger: silentLogger }),
      StoreError,
    );
    assert.equal(store.blobs.stat(digestOf("lie")), undefined);
    assert.equal(have(store, index), 0);
  }));

Deno.test("an API server that refuses ends the attempt, and the next one goes on", () =>
  published(async ({ api, store, index, assemble }) => {
    api.intercept = ({ path }) => path.endsWith("-001") ? status(500, "InternalError") : undefined;
    await assert.rejects(assemble(), /500/);
    api.intercept = () => undefined;
    await assemble();
    assertWhole(store, index);
  }));

Deno.test("a signal ends an assembly that waits", () =>
  published(async ({ api, assemble }) => {
    api.remove(chunk(api, 1));
    const abort = new AbortController();
    const assembling = assemble({ signal: abort.signal });
    assembling.catch(() => {});
    await eventually(() => api.peer.seen.some(({ path }) => path.endsWith("001")));
    abort.abort(new Error("stopping"));
    await assert.rejects(assembling, /stopping/);
  }));
