import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { node, noise, seedIn } from "../../test/fakes/seed_cluster.ts";
import { eventually, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { type Clock, silentLogger, systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { SEED_ANNOTATION } from "./acknowledge.ts";
import { INDEX_NAME, type Seed } from "./payload.ts";
import { CONFIG_MAPS, publishPayload } from "./publisher.ts";
import { knownSeed } from "./seed.ts";
import { SeedFollower, type SeedFollowerOptions, type SeedRegistry } from "./seed_follower.ts";

interface Stage {
  readonly api: ApiObjects;
  /** Of the node that has the image. */
  readonly source: Store;
  readonly seed: Seed;
  /** Of the node that follows. */
  readonly store: Store;
  readonly follower: SeedFollower;
  publish(): Promise<unknown>;
}

/** Runs a follower while `action` goes on; ends it and checks that it ends. */
function following(
  options: Partial<SeedFollowerOptions>,
  action: (stage: Stage) => Promise<void>,
): Promise<void> {
  return withDirectory(async (dir) => {
    using source = Store.open(`${dir}/source`);
    using store = Store.open(`${dir}/target`);
    await using api = new ApiObjects();
    for (const one of [namespace("zarf"), node("node-1")]) api.put(one);
    const seed = await seedIn(source);
    const follower = new SeedFollower({
      kube: api.client,
      store,
      nodeName: "node-1",
      logger: silentLogger,
      registry: () => undefined,
      nameImage: (repository, tag) => ({ ...seed.image, repository, tag }),
      ...options,
    });
    const abort = new AbortController();
    const running = follower.run(abort.signal);
    try {
      const publish = () =>
        publishPayload(api.client, source.blobs, seed, { logger: silentLogger });
      await action({ api, source, seed, store, follower, publish });
    } finally {
      abort.abort();
      await running;
    }
  });
}

const acknowledged = (api: ApiObjects) =>
  api.find("nodes", "node-1")?.metadata.annotations?.[SEED_ANNOTATION];

Deno.test("a payload that is published is taken, served and acknowledged", () =>
  following({}, async ({ api, seed, store, publish }) => {
    await publish();
    await eventually(() => acknowledged(api));
    assert.equal(acknowledged(api), seed.image.descriptor.digest);
    assert.deepEqual(knownSeed(store), seed);
    const resolved = store.records.resolveTag("library/registry", "3", "docker.io");
    assert.equal(resolved?.digest, seed.image.descriptor.digest);
  }));

Deno.test("a Node that comes after the payload is told of the image all the same", () => {
  const { logger, lines } = loggerOf("warn");
  return following({ logger, nodeName: "node-2" }, async ({ api, seed, store, publish }) => {
    await publish();
    await eventually(() => lines.some((line) => line.includes("has no node node-2 yet")));
    assert.deepEqual(knownSeed(store), seed, "it is served before");
    const said = () => api.find("nodes", "node-2")?.metadata.annotations?.[SEED_ANNOTATION];
    api.put(node("node-2"));
    await eventually(said);
    assert.equal(said(), seed.image.descriptor.digest);
    assert.equal(lines.length, 1, "it is said once");
  });
});

Deno.test("its Node is written to by who may, when there is somebody else for it", async () => {
  await using kubelet = new ApiObjects();
  kubelet.put(node("node-1"));
  let isReadable = false;
  const nodeKube = () => {
    if (!isReadable) throw new Error("the kubelet's kubeconfig is not there");
    return kubelet.client;
  };
  await following({ nodeKube }, async ({ api, seed, store, publish }) => {
    await publish();
    await eventually(() => knownSeed(store));
    isReadable = true;
    await eventually(() => acknowledged(kubelet));
    assert.equal(acknowledged(kubelet), seed.image.descriptor.digest);
    assert.equal(acknowledged(api), undefined);
  });
});

Deno.test("a payload that was there before the agent is taken all the same", () =>
  withDirectory(async (dir) => {
    using source = Store.open(`${dir}/source`);
    using store = Store.open(`${dir}/target`);
    await using api = new ApiObjects();
    for (const one of [namespace("zarf"), node("node-1")]) api.put(one);
    const seed = await seedIn(source);
    await publishPayload(api.client, source.blobs, seed, { logger: silentLogger });
    const abort = new AbortController();
    const follower = new SeedFollower({
      kube: api.client,
      store,
      nodeName: "node-1",
      logger: silentLogger,
      registry: () => undefined,
      nameImage: () => seed.image,
    });
    const running = follower.run(abort.signal);
    await eventually(() => acknowledged(api));
    abort.abort();
    await running;
    assert.deepEqual(knownSeed(store), seed);
  }));

Deno.test("whoever pulls the image while it is assembled waits until it is here", () =>
  following({}, async ({ api, seed, store, follower, publish }) => {
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    api.intercept = async ({ method, path }) => {
      if (method === "GET" && path.endsWith("zarf-payload-002")) await held;
      return undefined as unknown as Response;
    };
    await publish();
    await eventually(() => api.peer.seen.some(({ path }) => path.endsWith("-002")));
    const { image } = seed;
    const settled: string[] = [];
    const names = [image.tag, image.zarfTag, image.descriptor.digest];
    const waiting = names.map(async (name) => {
      await follower.settled(image.repository, name);
      settled.push(name);
      assert.deepEqual(knownSeed(store), seed, "it is served when the wait is over");
    });
    await follower.settled(image.repository, "another-tag");
    await follower.settled("library/another", image.tag);
    assert.deepEqual(settled, [], "others do not wait, these do");
    release();
    await Promise.all(waiting);
    await follower.settled(image.repository, image.tag);
  }));

Deno.test("an index that cannot be used is reported, and the next one is taken", () => {
  const { logger, lines } = loggerOf("warn");
  return following({ logger }, async ({ api, store, seed, publish }) => {
    api.put({
      ...CONFIG_MAPS,
      metadata: { name: INDEX_NAME, namespace: "zarf" },
      data: { "index.json": "{" },
    } as AnyObject);
    await eventually(() => lines.some((line) => /index cannot be used: it is not JSON/.test(line)));
    assert.equal(knownSeed(store), undefined);
    await publish();
    await eventually(() => acknowledged(api), 15_000);
    assert.deepEqual(knownSeed(store), seed);
  });
});

/** The in-cluster registry with the source's image, or with something else in the place of a blob. */
function registryOf(source: Store, seed: Seed, spoil = (bytes: Uint8Array) => bytes): SeedRegistry {
  const { descriptor, repository, tag } = seed.image;
  const read = (digest: Seed["blobs"][number]["digest"]) =>
    Deno.readFileSync(source.blobs.path(digest));
  return {
    manifest: (name, reference) =>
      Promise.resolve(
        name === repository && [tag, descriptor.digest].includes(reference)
          ? { ...descriptor, bytes: read(descriptor.digest) }
          : undefined,
      ),
    blob: (name, digest) =>
      Promise.resolve(
        name === repository
          ? (async function* () {
            yield await Promise.resolve(spoil(read(digest)));
          })()
          : undefined,
      ),
  };
}

const deployment = (image: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "zarf-docker-registry", namespace: "zarf" },
  spec: { template: { spec: { containers: [{ image }] } } },
} as AnyObject);

/** The real clock, but half a minute is over in some milliseconds. */
const quick: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 20), signal),
};

Deno.test("a node that joined later fetches the image from the registry that runs it", () => {
  let registry: SeedRegistry | undefined;
  return following({ clock: quick, registry: () => registry }, async (stage) => {
    const { api, source, seed, store } = stage;
    registry = registryOf(source, seed);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(knownSeed(store), undefined, "nothing is deployed yet");
    api.put(deployment("127.0.0.1:31999/library/registry:3"));
    await eventually(() => acknowledged(api));
    assert.deepEqual(knownSeed(store), seed);
  });
});

Deno.test("a registry that sends wrong bytes is not believed, and asked again", () => {
  let registry: SeedRegistry | undefined;
  return following({ clock: quick, registry: () => registry }, async (stage) => {
    const { api, source, seed, store } = stage;
    let spoiled = 0;
    registry = registryOf(source, seed, (bytes) => {
      spoiled++;
      return bytes.map((byte) => byte ^ 1);
    });
    api.put(deployment("127.0.0.1:31999/library/registry:3"));
    await eventually(() => spoiled > 1);
    assert.equal(knownSeed(store), undefined);
    assert.equal(acknowledged(api), undefined);
    registry = registryOf(source, seed);
    await eventually(() => acknowledged(api));
    assert.deepEqual(knownSeed(store), seed);
  });
});

for (const image of ["registry:3", "127.0.0.1:31999/library/registry@sha256:1", "host/none"]) {
  Deno.test(`a Deployment whose image is ${image} is nothing to fetch`, () => {
    let asked = 0;
    const registry: SeedRegistry = {
      manifest: () => (asked++, Promise.resolve(undefined)),
      blob: () => Promise.resolve(undefined),
    };
    return following({ clock: quick, registry: () => registry }, async ({ api, store }) => {
      api.put(deployment(image));
      const looks = () => api.peer.seen.filter(({ path }) => path.includes("/deployments/")).length;
      await eventually(() => looks() > 2);
      assert.equal(asked, 0);
      assert.equal(knownSeed(store), undefined);
    });
  });
}

for (const names of ["by its tag", "by its digest"]) {
  Deno.test(`a node that has the image which the registry runs, named ${names}, fetches nothing`, () =>
    withDirectory(async (dir) => {
      using store = Store.open(dir);
      const seed = await seedIn(store, noise(10));
      const { digest } = seed.image.descriptor;
      const image = "127.0.0.1:31999/library/registry:3";
      const stay = await afterLooks(
        store,
        seed,
        names === "by its tag" ? image : `${image}@${digest}`,
      );
      assert.equal(stay.asked, 0);
      assert.deepEqual(knownSeed(store), seed);
    }));
}

Deno.test("when the registry runs another image, a node that has the old one fetches it", () =>
  withDirectory(async (dir) => {
    using store = Store.open(`${dir}/node`);
    using other = Store.open(`${dir}/other`);
    const old = await seedIn(store, noise(10));
    const next = await seedIn(other, noise(20, 7));
    const { digest } = next.image.descriptor;
    assert.notEqual(old.image.descriptor.digest, digest);
    const image = `127.0.0.1:31999/library/registry:3@${digest}`;
    const stay = await afterLooks(store, next, image, other);
    assert.ok(stay.asked > 0);
    assert.deepEqual(knownSeed(store), next);
    assert.equal(stay.acknowledged, digest);
  }));

/** Lets a follower look some times while the registry runs `image`; `seed` is what it has. */
async function afterLooks(store: Store, seed: Seed, image: string, source: Store = store) {
  await using api = new ApiObjects();
  api.put(node("node-1"));
  api.put(deployment(image));
  let asked = 0;
  const registry = registryOf(source, seed);
  const clock = new TestClock();
  const abort = new AbortController();
  const follower = new SeedFollower({
    ...{ kube: api.client, store, nodeName: "node-1", logger: silentLogger, clock },
    registry: () => ({
      ...registry,
      manifest: (repository, reference) => (asked++, registry.manifest(repository, reference)),
    }),
    nameImage: () => seed.image,
  });
  const running = follower.run(abort.signal);
  await eventually(() => clock.slept.filter((ms) => ms === 30_000).length > 3);
  abort.abort();
  await running;
  return { asked, acknowledged: acknowledged(api) };
}
