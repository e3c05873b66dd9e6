import assert from "node:assert/strict";
import { RegistryPeer } from "../../test/fakes/registry_peer.ts";
import { seedIn } from "../../test/fakes/seed_cluster.ts";
import { loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import type { SeedFollower } from "../bootstrap/mod.ts";
import { RegistryError, type RegistryReason, type Upstream } from "../registry/mod.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { ClusterFacts } from "./cluster_facts.ts";
import {
  assemblingUpstream,
  clusterUpstream,
  patient,
  seedRegistry,
  watchedUpstream,
} from "./upstreams.ts";

const never = new AbortController().signal;

function withStore(action: (store: Store) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await action(store);
  });
}

/** A follower that is assembling until it is told that it is done. */
function assembling() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked: string[] = [];
  const settled = (repository: string, reference: string) => {
    asked.push(`${repository}:${reference}`);
    return promise;
  };
  return { asked, done: resolve, follower: () => ({ settled }) as unknown as SeedFollower };
}

Deno.test("who asks for the image while it is assembled gets it when it is here", () =>
  withStore(async (store) => {
    const { asked, done, follower } = assembling();
    const upstream = assemblingUpstream(store, follower);
    let answered = false;
    const asking = upstream.manifest("library/registry", "3", "docker.io", never)
      .finally(() => answered = true);
    const { image } = await seedIn(store);
    assert.equal(answered, false);
    done();
    const found = await asking;
    assert.equal(found?.digest, image.descriptor.digest);
    assert.equal(found?.mediaType, image.descriptor.mediaType);
    assert.equal(digestOf(found?.bytes ?? new Uint8Array()), image.descriptor.digest);
    assert.deepEqual(asked, ["library/registry:3"]);
    const byDigest = await upstream.manifest(
      "library/registry",
      image.descriptor.digest,
      undefined,
      never,
    );
    assert.deepEqual(byDigest, found);
  }));

Deno.test("what is not here after the wait is not found, and no blob ever comes from there", () =>
  withStore(async (store) => {
    const upstream = assemblingUpstream(store, () => undefined);
    assert.equal(await upstream.manifest("library/registry", "3", undefined, never), undefined);
    const digest = digestOf("nothing");
    assert.equal(await upstream.manifest("library/registry", digest, undefined, never), undefined);
    const { blobs } = await seedIn(store);
    const [layer] = blobs;
    assert.equal(
      await upstream.blob("library/registry", layer?.digest ?? digest, never),
      undefined,
    );
  }));

Deno.test("a client that goes away ends its wait", () =>
  withStore(async (store) => {
    const { follower } = assembling();
    const abort = new AbortController();
    const upstream = assemblingUpstream(store, follower);
    const asking = upstream.manifest("library/registry", "3", undefined, abort.signal);
    abort.abort();
    assert.equal(await asking, undefined);
  }));

/** Facts that say that the registry is this peer. */
function factsOf(store: Store, registry: RegistryPeer): ClusterFacts {
  store.records.setValue("cluster-facts", {
    registry: { url: `http://${registry.ip}:5000`, username: "reader", password: "geheim" },
  });
  registry.users = () => ["reader:geheim"];
  registry.up = true;
  return new ClusterFacts(store, loggerOf().logger);
}

function put(registry: RegistryPeer, repository: string, tag: string, text: string) {
  const bytes = new TextEncoder().encode(text);
  registry.blobs.set(digestOf(bytes), bytes);
  registry.tags.set(`${repository}:${tag}`, digestOf(bytes));
  return digestOf(bytes);
}

Deno.test("the in-cluster registry is asked with the reader's password, by Zarf's tag for mirrors", () =>
  withStore(async (store) => {
    await using registry = new RegistryPeer();
    const upstream = clusterUpstream(factsOf(store, registry));
    const plain = put(registry, "library/nginx", "1.27", '{"plain":1}');
    // The checksum is that of docker.io/library/nginx (Zarf 0.84, src/pkg/transform/image.go).
    const zarfs = put(registry, "library/nginx", "1.27-zarf-3793515731", '{"zarf":1}');
    const get = (ns?: string) => upstream.manifest("library/nginx", "1.27", ns, never);
    assert.equal((await get())?.digest, plain);
    assert.equal((await get("docker.io"))?.digest, zarfs);
    const blob = await upstream.blob("library/nginx", plain, never);
    assert.equal(await new Response(blob?.body).text(), '{"plain":1}');
  }));

Deno.test("a cluster whose registry is not known is not asked", () =>
  withStore(async (store) => {
    const facts = new ClusterFacts(store, loggerOf().logger);
    const upstream = clusterUpstream(facts);
    assert.equal(await upstream.manifest("library/nginx", "1", undefined, never), undefined);
    assert.equal(seedRegistry(upstream, facts), undefined);
  }));

Deno.test("a node that joined late reads the registry's own image through the same door", () =>
  withStore(async (store) => {
    await using registry = new RegistryPeer();
    const facts = factsOf(store, registry);
    const digest = put(registry, "library/registry", "3", '{"schemaVersion":2}');
    const seed = seedRegistry(clusterUpstream(facts), facts);
    assert.equal((await seed?.manifest("library/registry", "3"))?.digest, digest);
    const body = await seed?.blob("library/registry", digest);
    let text = "";
    for await (const chunk of body ?? []) text += new TextDecoder().decode(chunk);
    assert.equal(text, '{"schemaVersion":2}');
    assert.equal(await seed?.blob("library/registry", digestOf("none")), undefined);
  }));

/** An upstream that fails so often, then answers. */
function failing(times: number, reason: RegistryReason) {
  const seen = { asked: 0 };
  const answer = <T>(value: T) => {
    if (++seen.asked <= times) {
      return Promise.reject(new RegistryError({ reason, message: "x", disposition: "retry" }));
    }
    return Promise.resolve(value);
  };
  const bytes = new TextEncoder().encode("{}");
  const upstream: Upstream = {
    name: "cluster",
    manifest: () => answer({ mediaType: "m", digest: digestOf(bytes), bytes }),
    blob: () => answer(undefined),
  };
  return { upstream, seen };
}

const PATIENCE: readonly [
  times: number,
  reason: RegistryReason,
  asked: number,
  answers: boolean,
][] = [
  [0, "UpstreamFailed", 1, true],
  [3, "UpstreamFailed", 4, true],
  [5, "UpstreamFailed", 6, true],
  [9, "UpstreamFailed", 6, false],
  [1, "UpstreamTimeout", 1, false],
  [1, "UpstreamInvalid", 1, false],
];

for (const [times, reason, asked, answers] of PATIENCE) {
  Deno.test(`an upstream that says ${reason} ${times} times is asked ${asked} times`, async () => {
    const clock = new TestClock();
    for (const kind of ["manifest", "blob"] as const) {
      const { upstream, seen } = failing(times, reason);
      const one = patient(upstream, clock);
      const asking = kind === "manifest"
        ? one.manifest("a", "1", undefined, never)
        : one.blob("a", digestOf("b"), never);
      assert.equal(await asking.then(() => true, () => false), answers);
      assert.equal(seen.asked, asked);
    }
    const total = clock.slept.reduce((sum, ms) => sum + ms, 0) / 2;
    assert.ok(total < 5_000, `${total} ms`);
  });
}

Deno.test("nobody who has gone away is asked for", async () => {
  const { upstream, seen } = failing(9, "UpstreamFailed");
  const gone = AbortSignal.abort();
  await assert.rejects(patient(upstream).manifest("a", "1", undefined, gone));
  assert.equal(seen.asked, 0);
});

Deno.test("of a watched upstream it is known whether its last question was answered", async () => {
  const bytes = new Uint8Array(1);
  const manifest = { mediaType: "m", digest: digestOf(bytes), bytes };
  let fails = false;
  const asked: unknown[] = [];
  const answer = <T>(value: T, ...question: unknown[]) => {
    asked.push(question);
    return fails ? Promise.reject(new Error("it is away")) : Promise.resolve(value);
  };
  const upstream = watchedUpstream({
    name: "far",
    manifest: (...question) => answer(manifest, ...question),
    blob: (...question) => answer(undefined, ...question),
  });
  const ask = () => upstream.manifest("a", "1", "docker.io", never);
  const askBlob = () => upstream.blob("a", manifest.digest, never);
  assert.deepEqual([upstream.name, upstream.answers], ["far", false], "nobody has asked yet");
  assert.equal(await ask(), manifest);
  assert.equal(upstream.answers, true);
  fails = true;
  await assert.rejects(askBlob, /it is away/);
  assert.equal(upstream.answers, false);
  fails = false;
  assert.equal(await askBlob(), undefined);
  assert.equal(upstream.answers, true, "that it is not there is an answer");
  fails = true;
  await assert.rejects(ask, /it is away/);
  assert.equal(upstream.answers, false);
  assert.deepEqual(asked[0], ["a", "1", "docker.io", never]);
  assert.deepEqual(asked[1], ["a", manifest.digest, never]);
});
