import assert from "node:assert/strict";
import { eventually, loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { createRegistry, serveRegistry } from "../registry/mod.ts";
import { digestOf, systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { type AwaitedImages, awaitedUpstream, MAX_WAITING } from "./awaited_images.ts";
import { Occasion } from "./signals.ts";

const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const ETCD = "etcd/manifests/v3.6.9";
const FROM_KUBERNETES = "?ns=registry.k8s.io";

interface Bench {
  readonly store: Store;
  readonly lines: readonly string[];
  /** Fetches below `/v2/`. */
  get(path: string, init?: RequestInit): Promise<Response>;
  /** That it has heard of a cluster. */
  notAlone(): void;
  /** Takes in a package with one image; gives its digest. */
  arrive(host: string, repository: string, tag: string): Promise<string>;
}

/** The content of an image's manifest. */
function manifestOf(repository: string) {
  return new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, annotations: { repository } }),
  );
}

/** A registry whose node is alone, on real HTTP. */
function withBench(
  action: (bench: Bench) => Promise<void>,
  options: Partial<AwaitedImages> = {},
): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    const arrivals = new Occasion();
    const { logger, lines } = loggerOf("info");
    let isAlone = true;
    const alone = () => isAlone;
    const upstreams = [awaitedUpstream({ store, arrivals, logger, alone, ...options })];
    const handler = createRegistry({ store, upstreams, logger: loggerOf().logger });
    const server = serveRegistry(handler, { hostname: "127.0.0.1", port: 0 });
    try {
      await action({
        store,
        lines,
        get: (path, init) => fetch(`http://127.0.0.1:${server.port}/v2/${path}`, init),
        notAlone: () => {
          isAlone = false;
          arrivals.happen();
        },
        arrive: async (host, repository, tag) => {
          const digest = await takeIn(store, host, repository, tag);
          arrivals.happen();
          return digest;
        },
      });
    } finally {
      await server.shutdown();
    }
  });
}

async function takeIn(
  store: Store,
  host: string,
  repository: string,
  tag: string,
): Promise<string> {
  const bytes = manifestOf(repository);
  const blob = { digest: digestOf(bytes), size: bytes.length };
  await store.blobs.write(blob.digest, blob.size, new Blob([bytes]).stream());
  const descriptor = { ...blob, mediaType: OCI_MANIFEST };
  const reference = `${host}/${repository}:${tag}`;
  store.records.putPackage({
    digest: digestOf(reference),
    ...{ name: reference, version: tag, architecture: "amd64", kind: "ZarfPackageConfig" },
    ...{ signature: "Unsigned", acceptedAt: "2026-01-01T00:00:00Z", fileName: "a", bytes: 1 },
    images: [{ reference, host, repository, tag, zarfTag: `${tag}-zarf-1`, descriptor }],
    manifests: [descriptor],
    blobs: [blob],
  });
  return blob.digest;
}

/** A request that has reached the registry and is not answered. */
async function asking({ get, lines }: Bench, path: string, init?: RequestInit) {
  const before = lines.length;
  const state = { answered: false };
  const answer = get(path, init).finally(() => state.answered = true);
  await eventually(() => lines.length > before);
  assert.equal(state.answered, false);
  return { answer, state };
}

Deno.test("who asks before the package came is answered the moment it is there", () =>
  withBench(async (bench) => {
    const { answer } = await asking(bench, `${ETCD}${FROM_KUBERNETES}`, { method: "HEAD" });
    const digest = await bench.arrive("registry.k8s.io", "etcd", "v3.6.9");
    const response = await answer;
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("docker-content-digest"), digest);
    assert.deepEqual(bench.lines, [
      "info  an image is waited for: no package has brought it yet " +
      "image=registry.k8s.io/etcd:v3.6.9",
    ]);
    const again = await bench.get(`${ETCD}${FROM_KUBERNETES}`);
    assert.equal(digestOf(await again.bytes()), digest);
    assert.equal(bench.lines.length, 1);
  }));

Deno.test("a digest is waited for as a tag is", () =>
  withBench(async (bench) => {
    const digest = digestOf(manifestOf("etcd"));
    const { answer } = await asking(bench, `etcd/manifests/${digest}${FROM_KUBERNETES}`);
    await bench.arrive("registry.k8s.io", "etcd", "v3.6.9");
    assert.equal(digestOf(await (await answer).bytes()), digest);
    assert.match(bench.lines[0] ?? "", /image=registry\.k8s\.io\/etcd@sha256:/);
  }));

Deno.test("a package with other images, and the same path at another host, end nobody's wait", () =>
  withBench(async (bench) => {
    const { answer, state } = await asking(bench, `${ETCD}${FROM_KUBERNETES}`);
    await bench.arrive("registry.k8s.io", "etcd", "v3.6.8");
    await bench.arrive("quay.io", "etcd", "v3.6.9");
    await systemClock.sleep(50);
    assert.equal(state.answered, false);
    const digest = await bench.arrive("registry.k8s.io", "etcd", "v3.6.9");
    assert.equal(digestOf(await (await answer).bytes()), digest);
  }));

Deno.test("after the wait it is told to ask again, never that there is no such image", () =>
  withBench(async ({ get, lines }) => {
    for (const method of ["HEAD", "GET"]) {
      const response = await get(`${ETCD}${FROM_KUBERNETES}`, { method });
      assert.equal(response.status, 503);
      assert.equal(response.headers.get("retry-after"), "5");
      await response.body?.cancel();
    }
    assert.equal(lines.length, 2);
  }, { wait: 50 }));

Deno.test("a cluster ends the wait: then it is known what there is", () =>
  withBench(async (bench) => {
    const { answer } = await asking(bench, `${ETCD}${FROM_KUBERNETES}`);
    bench.notAlone();
    const response = await answer;
    assert.equal(response.status, 404);
    await response.body?.cancel();
    assert.equal((await bench.get(`${ETCD}${FROM_KUBERNETES}`, { method: "HEAD" })).status, 404);
    assert.equal(bench.lines.length, 1);
  }));

Deno.test("nothing else is waited for: no name without a host, no blob", () =>
  withBench(async ({ get, lines }) => {
    const blob = `etcd/blobs/${digestOf("none")}${FROM_KUBERNETES}`;
    for (const path of [ETCD, blob]) {
      assert.equal((await get(path, { method: "HEAD" })).status, 404, path);
    }
    assert.deepEqual(lines, []);
  }));

Deno.test("no more are made to wait than there is room for", () =>
  withBench(async (bench) => {
    const ask = async () => {
      const { status } = await bench.get(`${ETCD}${FROM_KUBERNETES}`, { method: "HEAD" });
      return status;
    };
    const asked = Array.from({ length: MAX_WAITING + 3 }, ask);
    assert.deepEqual(new Set(await Promise.all(asked)), new Set([503]));
    assert.equal(bench.lines.length, MAX_WAITING);
    await ask();
    assert.equal(bench.lines.length, MAX_WAITING + 1);
  }, { wait: 300 }));

Deno.test("who has gone away is not waited for", () =>
  withBench(async ({ store }) => {
    const { logger } = loggerOf();
    const arrivals = new Occasion();
    const upstream = awaitedUpstream({ store, arrivals, logger, alone: () => true });
    const gone = new AbortController();
    const asking = upstream.manifest("etcd", "v3.6.9", "registry.k8s.io", gone.signal);
    gone.abort();
    await assert.rejects(asking, /no package has brought registry\.k8s\.io\/etcd:v3\.6\.9 yet/);
  }));

/** The image of {@linkcode ETCD}, as another machine has it. */
function remoteImage() {
  const bytes = manifestOf("etcd");
  return { mediaType: OCI_MANIFEST, digest: digestOf(bytes), bytes };
}

Deno.test("an image that comes to be on another machine ends the wait", async () => {
  const image = remoteImage();
  const asked: unknown[] = [];
  const elsewhere: AwaitedImages["elsewhere"] = {
    manifest: (...question) => {
      asked.push(question.slice(0, 3));
      // Whoever fails, or does not have it yet, is asked again.
      if (asked.length === 1) return Promise.reject(new Error("it is off"));
      return Promise.resolve(asked.length === 2 ? undefined : image);
    },
  };
  await withBench(async (bench) => {
    const response = await bench.get(`${ETCD}${FROM_KUBERNETES}`);
    assert.equal(digestOf(await response.bytes()), image.digest);
    assert.deepEqual(asked, Array(3).fill(["etcd", "v3.6.9", "registry.k8s.io"]));
  }, { elsewhere, lookInterval: 10 });
});

Deno.test("a machine that does not answer holds up no package that comes here", async () => {
  const over: AbortSignal[] = [];
  const elsewhere: AwaitedImages["elsewhere"] = {
    manifest: (_repository, _reference, _ns, signal) => {
      over.push(signal);
      return new Promise(() => {});
    },
  };
  await withBench(async (bench) => {
    const { answer } = await asking(bench, `${ETCD}${FROM_KUBERNETES}`);
    await eventually(() => over.length === 1);
    const digest = await bench.arrive("registry.k8s.io", "etcd", "v3.6.9");
    assert.equal(digestOf(await (await answer).bytes()), digest);
    assert.equal(over[0]?.aborted, true, "and it is not waited for any more");
  }, { elsewhere, lookInterval: 10 });
});

Deno.test("after the wait nobody else is asked any more", async () => {
  let asked = 0;
  const elsewhere: AwaitedImages["elsewhere"] = {
    manifest: () => {
      asked++;
      return Promise.resolve(undefined);
    },
  };
  await withBench(async ({ get }) => {
    const response = await get(`${ETCD}${FROM_KUBERNETES}`);
    assert.equal(response.status, 503);
    await response.body?.cancel();
    const before = asked;
    assert.ok(before > 0);
    await systemClock.sleep(100);
    assert.equal(asked, before);
  }, { elsewhere, lookInterval: 10, wait: 1_000 });
});
