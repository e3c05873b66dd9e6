import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { noise, seedIn } from "../../test/fakes/seed_cluster.ts";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { KubeError } from "../kube/mod.ts";
import { digestOf, silentLogger } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { BootstrapError } from "./errors.ts";
import { CHUNK_BYTES, INDEX_NAME, MAX_CHUNKS, parseIndex, type Seed } from "./payload.ts";
import { INDEX_KEY, overloadOf, publishPayload, removePayload } from "./publisher.ts";

interface Stage {
  readonly api: ApiObjects;
  readonly store: Store;
  readonly seed: Seed;
  publish(options?: Partial<Parameters<typeof publishPayload>[3]>): Promise<unknown>;
}

/** An API server with namespace `zarf`, and a store with a seed of three chunks. */
function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    const seed = await seedIn(store);
    const publish = (options = {}) =>
      publishPayload(api.client, store.blobs, seed, { logger: silentLogger, ...options });
    await action({ api, store, seed, publish });
  });
}

const chunkBytes = (map: AnyObject | undefined) =>
  Uint8Array.fromBase64(map?.binaryData?.[map?.metadata.name ?? ""] ?? "");

/** The byte stream that the cluster holds, in the order of the index. */
function publishedBytes(api: ApiObjects): Uint8Array {
  const index = parseIndex(api.find("configmaps", INDEX_NAME)?.data[INDEX_KEY]);
  const chunks = index.chunks.map((chunk) => chunkBytes(api.find("configmaps", chunk.name)));
  return new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
}

function storedBytes(store: Store, seed: Seed): Uint8Array {
  return new Uint8Array(
    seed.blobs.flatMap((blob) => [...Deno.readFileSync(store.blobs.path(blob.digest))]),
  );
}

Deno.test("the payload is the blobs one after the other, the index first, each part labelled", () =>
  staged(async ({ api, store, seed, publish }) => {
    const progress: string[] = [];
    const seen: number[] = [];
    await publish({
      onProgress: (done: number, total: number) => void progress.push(`${done}/${total}`),
      onIndex: () => Promise.resolve(void seen.push(api.all("configmaps").length)),
    });
    assert.equal(api.writes[0], `POST configmaps/${INDEX_NAME}`);
    assert.deepEqual(seen, [1], "the index is there, and nothing else yet, when others are told");
    assert.deepEqual(progress, ["1/3", "2/3", "3/3"]);
    assert.deepEqual(publishedBytes(api), storedBytes(store, seed));
    for (const map of api.all("configmaps")) {
      assert.equal(map.metadata.labels?.["zarf-injector"], "payload");
      assert.equal(map.metadata.labels?.["app.kubernetes.io/managed-by"], "zarf");
    }
  }));

Deno.test("what is published already is not written again", () =>
  staged(async ({ api, publish }) => {
    await publish();
    api.writes.length = 0;
    await publish();
    assert.deepEqual(api.writes, []);
  }));

Deno.test("who was stopped after the index goes on until all is there", () =>
  staged(async ({ api, store, seed, publish }) => {
    const stop = new AbortController();
    const first = publish({ signal: stop.signal, onProgress: () => stop.abort() });
    await assert.rejects(first, { name: "AbortError" });
    const sent = api.writes.length;
    await publish();
    assert.deepEqual(publishedBytes(api), storedBytes(store, seed));
    assert.equal(api.writes.length, 4, `an index and three chunks, none twice; ${sent} at first`);
    api.writes.length = 0;
    await publish();
    assert.deepEqual(api.writes, []);
  }));

Deno.test("a chunk that somebody took away is sent again, and only that one", () =>
  staged(async ({ api, store, seed, publish }) => {
    await publish();
    const chunk = api.find("configmaps", "zarf-payload-001");
    assert(chunk);
    api.remove(chunk);
    api.writes.length = 0;
    await publish();
    assert.deepEqual(api.writes, ["POST configmaps/zarf-payload-001"]);
    assert.deepEqual(publishedBytes(api), storedBytes(store, seed));
  }));

Deno.test("a chunk of the name that holds something else is put right", () =>
  staged(async ({ api, store, seed, publish }) => {
    api.put({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "zarf-payload-001", namespace: "zarf", labels: { stale: "yes" } },
      binaryData: { "zarf-payload-001": btoa("tampered"), more: btoa("x") },
    } as AnyObject);
    await publish();
    assert.deepEqual(publishedBytes(api), storedBytes(store, seed));
    const map = api.find("configmaps", "zarf-payload-001");
    assert.deepEqual(Object.keys(map?.binaryData), ["zarf-payload-001"]);
  }));

Deno.test("another image takes the place of the one before, complete or not", () =>
  staged(async ({ api, store, publish }) => {
    await publish();
    const other = await seedIn(store, noise(700_000, 9));
    const stop = new AbortController();
    const options = { logger: silentLogger, signal: stop.signal };
    const onIndex = () => Promise.resolve(stop.abort());
    const cut = publishPayload(api.client, store.blobs, other, { ...options, onIndex });
    await assert.rejects(cut, { name: "AbortError" });
    await publishPayload(api.client, store.blobs, other, { logger: silentLogger });
    assert.deepEqual(publishedBytes(api), storedBytes(store, other));
    await removePayload(api.client);
    assert.deepEqual(api.all("configmaps"), [], "the longer one's last chunk goes, too");
  }));

/** As the real server says it: a text, not a Status (apiserver, server/filters/maxinflight.go). */
const tooMany = () =>
  new Response("Too many requests, please try again later.\n", {
    status: 429,
    headers: { "retry-after": "1", "content-type": "text/plain" },
  });

Deno.test("an overloaded server is waited for as long as it asks, and nothing is lost", () =>
  staged(async ({ api, store, seed, publish }) => {
    let refusals = 0;
    api.intercept = ({ method, body }) =>
      method === "POST" && body.includes("binaryData") && refusals < 3
        ? (refusals++, tooMany())
        : undefined;
    const started = performance.now();
    await publish();
    assert.equal(refusals, 3);
    assert(performance.now() - started >= 990, "Retry-After is a second");
    assert.deepEqual(publishedBytes(api), storedBytes(store, seed));
  }));

Deno.test("a refusal that is not load ends it with the server's words; the index stays", () =>
  staged(async ({ api, publish }) => {
    api.intercept = ({ method, body }) =>
      method === "POST" && body.includes("binaryData")
        ? status(403, "Forbidden", "quota exceeded")
        : undefined;
    await assert.rejects(publish(), (error) => {
      assert(error instanceof KubeError);
      assert.equal(error.reason, "Forbidden");
      assert.match(error.message, /quota exceeded/);
      return true;
    });
    assert.notEqual(api.find("configmaps", INDEX_NAME), undefined);
    api.intercept = () => undefined;
    await publish();
    assert.equal(api.all("configmaps").length, 4);
  }));

Deno.test("an image that is too large is refused before anything is written", () =>
  staged(async ({ api, store, seed }) => {
    const size = (MAX_CHUNKS + 1) * CHUNK_BYTES;
    const huge = { ...seed, blobs: [{ digest: digestOf("huge"), size }] };
    await assert.rejects(
      publishPayload(api.client, store.blobs, huge, { logger: silentLogger }),
      (error) => error instanceof BootstrapError && error.reason === "SeedUnreadable",
    );
    assert.deepEqual(api.writes, []);
  }));

Deno.test("a blob that is shorter on the disk than it should be is not published", () =>
  staged(async ({ api, store, seed, publish }) => {
    const path = store.blobs.path(seed.blobs[0]?.digest ?? digestOf(""));
    Deno.chmodSync(path, 0o600);
    Deno.truncateSync(path, 600_000);
    await assert.rejects(publish(), (error) => {
      assert(error instanceof BootstrapError);
      assert.deepEqual([error.reason, error.disposition], ["SeedUnreadable", "retry"]);
      return true;
    });
    assert.deepEqual(api.writes, []);
  }));

Deno.test("taking the payload away takes the index first and leaves everything else", () =>
  staged(async ({ api, publish }) => {
    const theirs = { name: "mine", namespace: "zarf" };
    api.put({ apiVersion: "v1", kind: "ConfigMap", metadata: theirs });
    await publish();
    api.writes.length = 0;
    await removePayload(api.client);
    assert.equal(api.writes[0], `DELETE configmaps/${INDEX_NAME}`);
    assert.equal(api.writes.length, 4);
    assert.deepEqual(api.all("configmaps").map((map) => map.metadata.name), ["mine"]);
    api.peer.seen.length = 0;
    await removePayload(api.client);
    const methods = api.peer.seen.map(({ method }) => method);
    assert.deepEqual(methods, ["GET"], "nothing is written where there is none");
  }));

Deno.test("removing that was cut off is finished the next time", () =>
  staged(async ({ api, publish }) => {
    await publish();
    api.intercept = ({ method, path }) =>
      method === "DELETE" && path.endsWith("-002") ? status(403, "Forbidden") : undefined;
    await assert.rejects(removePayload(api.client), KubeError);
    assert.deepEqual(api.all("configmaps").map((map) => map.metadata.name), ["zarf-payload-002"]);
    api.intercept = () => undefined;
    await removePayload(api.client);
    assert.deepEqual(api.all("configmaps"), []);
  }));

Deno.test("a server that does not let the payload be listed is told in its own words", () =>
  staged(async ({ api }) => {
    for (
      const [answer, reason] of [
        [status(403, "Forbidden", "no"), "Forbidden"],
        [tooMany(), "TooManyRequests"],
      ] as const
    ) {
      api.intercept = () => answer;
      await assert.rejects(
        removePayload(api.client),
        (error) => error instanceof KubeError && error.reason === reason,
      );
    }
  }));

Deno.test("the end of publishing is logged with the number of chunks", () =>
  staged(async ({ publish }) => {
    const { logger, lines } = loggerOf();
    await publish({ logger });
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /seed payload published image=library\/registry:3 chunks=3/);
  }));

const failures: readonly [string, unknown, ReturnType<typeof overloadOf>][] = [
  ["429", new KubeError({ reason: "TooManyRequests", message: "" }), {}],
  ["429 with a time", new KubeError({ reason: "TooManyRequests", message: "", retryAfter: 7 }), {
    retryAfter: 7,
  }],
  ["a timeout", new KubeError({ reason: "Timeout", message: "" }), {}],
  ["a lost connection", new KubeError({ reason: "Unreachable", message: "" }), {}],
  ["5xx", new KubeError({ reason: "ServerError", message: "" }), {}],
  ["a conflict", new KubeError({ reason: "Conflict", message: "" }), undefined],
  ["a refusal", new KubeError({ reason: "Invalid", message: "" }), undefined],
  ["what is not the API's", new Error("disk"), undefined],
];

for (const [what, error, load] of failures) {
  Deno.test(`${what} is ${load === undefined ? "not " : ""}taken as a sign of load`, () => {
    assert.deepEqual(overloadOf(error), load);
  });
}
