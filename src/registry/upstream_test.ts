import assert from "node:assert/strict";
import { loggerOf } from "../../test/fakes/testing.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { SEED_OWNER, Store } from "../store/mod.ts";
import { RegistryError } from "./errors.ts";
import { createRegistry } from "./handler.ts";
import {
  eventually,
  imageOf,
  OCI_MANIFEST,
  patternBytes,
  putBlob,
  putManifest,
  type TestRegistry,
  withRegistry,
} from "./testing.ts";
import type { Upstream } from "./types.ts";
import { httpUpstream } from "./upstream.ts";

const BYTES = patternBytes(3_000_000);
const DIGEST = digestOf(BYTES);
const BLOB = `library/nginx/blobs/${DIGEST}`;
const CREDENTIALS = { username: "zarf-pull", password: "pässword" };

/** A registry that has one image, and one without that has it as its upstream. */
async function withPair(
  action: (near: TestRegistry, far: TestRegistry, digest: Digest) => Promise<void>,
): Promise<void> {
  await withRegistry(async (far) => {
    const { descriptor } = await putManifest(far.store, { name: "far" });
    await putBlob(far.store, BYTES);
    const image = imageOf(descriptor, "library/nginx", "1.27");
    far.store.records.putImages(SEED_OWNER, [image], [descriptor], []);
    const upstream = httpUpstream({ name: "cluster", baseUrl: () => far.url });
    await withRegistry((near) => action(near, far, descriptor.digest), [upstream]);
  });
}

/** Serves `answer` as another registry and gives a registry that looks there. */
async function withFar(
  answer: (request: Request) => Response | Promise<Response>,
  action: (near: TestRegistry) => Promise<void>,
  more: readonly Upstream[] = [],
  credentials?: typeof CREDENTIALS,
): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  const far = httpUpstream({
    name: "far",
    baseUrl: () => `http://127.0.0.1:${server.addr.port}/`,
    ...(credentials === undefined ? {} : { credentials: () => credentials }),
  });
  try {
    await withRegistry(action, [far, ...more]);
  } finally {
    await server.shutdown();
  }
}

Deno.test("a manifest that is not on the node comes from the upstream, by tag and digest", () =>
  withPair(async (near, _far, digest) => {
    for (const reference of ["1.27", "1.27-zarf-3892838293", digest, "1.27?ns=docker.io"]) {
      const response = await near.get(`library/nginx/manifests/${reference}`);
      assert.equal(response.status, 200, reference);
      assert.equal(response.headers.get("docker-content-digest"), digest);
      assert.equal(digestOf(new Uint8Array(await response.arrayBuffer())), digest);
      const head = await near.get(`library/nginx/manifests/${reference}`, { method: "HEAD" });
      assert.ok(Number(head.headers.get("content-length")) > 0);
      await head.body?.cancel();
    }
    assert.ok((near.metrics.bytes["cluster"] ?? 0) > 0);
    assert.equal(near.metrics.bytes["store"], undefined);
  }));

Deno.test("a blob that is not on the node comes through from the upstream", () =>
  withPair(async (near, far) => {
    const response = await near.get(BLOB);
    assert.equal(response.headers.get("content-length"), String(BYTES.length));
    assert.equal(digestOf(new Uint8Array(await response.arrayBuffer())), DIGEST);
    assert.equal(near.metrics.bytes["cluster"], BYTES.length);
    const head = await near.get(BLOB, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(BYTES.length));
    await head.body?.cancel();
    await eventually(() => near.metrics.activeStreams === 0, "no stream is counted here");
    await eventually(() => far.metrics.activeStreams === 0, "no stream is counted there");
  }));

Deno.test("what the store has is not asked for", () =>
  withPair(async (near, far) => {
    await putBlob(near.store, BYTES);
    await (await near.get(BLOB)).arrayBuffer();
    assert.deepEqual(far.metrics.requests, {});
  }));

Deno.test("what no upstream has is unknown", () =>
  withPair(async (near) => {
    for (
      const [path, code] of [
        ["library/nginx/manifests/none", "MANIFEST_UNKNOWN"],
        ["library/nginx/manifests/1.27?ns=quay.io", "MANIFEST_UNKNOWN"],
        [`library/nginx/blobs/${digestOf("none")}`, "BLOB_UNKNOWN"],
      ] as const
    ) {
      const response = await near.get(path);
      assert.equal(response.status, 404);
      assert.equal((await response.json()).errors[0].code, code);
    }
    assert.deepEqual(near.metrics.upstreamErrors, {});
  }));

Deno.test("the upstream is asked for a tag under each name of the host, for a digest once", async () => {
  const asked: (string | null)[] = [];
  const bytes = new TextEncoder().encode('{"schemaVersion":2}');
  const far = (request: Request) => {
    const ns = new URL(request.url).searchParams.get("ns");
    asked.push(ns);
    return ns === "docker.io"
      ? new Response(bytes, { headers: { "content-type": OCI_MANIFEST } })
      : new Response(null, { status: 404 });
  };
  await withFar(far, async (near) => {
    for (
      const [reference, status, hosts] of [
        ["1?ns=docker.io", 200, ["docker.io"]],
        ["1?ns=Registry-1.docker.io", 200, [
          ...["Registry-1.docker.io", "registry-1.docker.io", "docker.io"],
        ]],
        ["1?ns=Quay.io", 404, ["Quay.io", "quay.io"]],
        [`${digestOf("none")}?ns=Quay.io`, 404, ["Quay.io"]],
        ["1", 404, [null]],
      ] as const
    ) {
      asked.length = 0;
      const response = await near.get(`library/nginx/manifests/${reference}`);
      await response.body?.cancel();
      assert.equal(response.status, status, reference);
      assert.deepEqual(asked, hosts);
    }
  });
});

Deno.test("a tag whose manifest was moved aside comes from the upstream by its digest", () =>
  withPair(async (near, _far, digest) => {
    const descriptor = { mediaType: "x/y", digest, size: 3 };
    const image = imageOf(descriptor, "library/nginx", "mine");
    near.store.records.putImages(SEED_OWNER, [image], [descriptor], []);
    const response = await near.get("library/nginx/manifests/mine");
    assert.equal(response.status, 200);
    assert.equal(digestOf(new Uint8Array(await response.arrayBuffer())), digest);
  }));

for (
  const [what, body] of [
    ["other bytes", () => BYTES.with(BYTES.length - 1, 1)],
    ["a flipped first bit", () => BYTES.with(0, (BYTES[0] ?? 0) ^ 1)],
  ] as const
) {
  Deno.test(`a blob with ${what} never ends well for the client`, () =>
    withFar(() => new Response(body()), async (near) => {
      const response = await near.get(BLOB);
      assert.equal(response.status, 200);
      await assert.rejects(() => response.arrayBuffer());
      assert.equal(near.metrics.activeStreams, 0);
    }));
}

Deno.test("a blob that breaks off in the middle breaks off for the client", () => {
  const half = () => {
    let sent = false;
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (!sent) controller.enqueue(BYTES.slice(0, 100_000));
        else {
          // The first part is on its way before the connection breaks.
          await new Promise((resolve) => setTimeout(resolve, 50));
          controller.error(new Error("gone"));
        }
        sent = true;
      },
    });
  };
  const headers = { "content-length": String(BYTES.length) };
  return withFar(() => new Response(half(), { headers }), async (near) => {
    const response = await near.get(BLOB);
    assert.equal(response.status, 200);
    await assert.rejects(() => response.arrayBuffer());
  });
});

for (
  const [what, answer] of [
    ["answers 500", () => new Response("broken", { status: 500 })],
    ["answers 401", () => new Response("who?", { status: 401 })],
    ["sends elsewhere", () => Response.redirect("http://127.0.0.1:1/")],
    [
      "has a manifest of another digest",
      () => new Response("{}", { headers: { "content-type": "x/y" } }),
    ],
    ["has an endless manifest", () => new Response(new Uint8Array((4 << 20) + 1))],
  ] as const
) {
  Deno.test(`an upstream that ${what} is counted, and the client told to come again`, () =>
    withFar(answer, async (near) => {
      const response = await near.get(`a/manifests/${DIGEST}`);
      assert.equal(response.status, 503);
      assert.equal(response.headers.get("retry-after"), "5");
      assert.equal((await response.json()).errors[0].code, "UNAVAILABLE");
      assert.deepEqual(near.metrics.upstreamErrors, { far: 1 });
    }));
}

Deno.test("a blob of unknown length is refused", () =>
  withFar(() => new Response(new Blob([BYTES]).stream()), async (near) => {
    const response = await near.get(BLOB);
    assert.equal(response.status, 503);
    await response.body?.cancel();
  }));

Deno.test("an upstream that fails is passed over for the next one", () => {
  const next: Upstream = {
    name: "next",
    manifest: () => Promise.resolve(undefined),
    blob: () => Promise.resolve({ size: BYTES.length, body: new Blob([BYTES]).stream() }),
  };
  return withFar(() => new Response(null, { status: 502 }), async (near) => {
    const response = await near.get(BLOB);
    assert.equal(digestOf(new Uint8Array(await response.arrayBuffer())), DIGEST);
    assert.equal(near.metrics.bytes["next"], BYTES.length);
    assert.equal(near.metrics.upstreamErrors["far"], 1);
  }, [next]);
});

Deno.test("an upstream that lies about a manifest's digest is refused", () => {
  const bytes = new TextEncoder().encode("{}");
  const liar: Upstream = {
    name: "liar",
    manifest: () => Promise.resolve({ mediaType: "x/y", digest: DIGEST, bytes }),
    blob: () => Promise.resolve(undefined),
  };
  return withRegistry(async (near) => {
    const response = await near.get("a/manifests/1");
    assert.equal(response.status, 503);
    await response.body?.cancel();
  }, [liar]);
});

Deno.test("an upstream without an address is not asked; nothing listens is a failure", async () => {
  const unset = httpUpstream({ name: "unset", baseUrl: () => undefined });
  const dead = httpUpstream({ name: "dead", baseUrl: () => "http://127.0.0.1:1" });
  const { signal } = new AbortController();
  assert.equal(await unset.manifest("a", "1", undefined, signal), undefined);
  assert.equal(await unset.blob("a", DIGEST, signal), undefined);
  await assert.rejects(
    () => dead.manifest("a", "1", undefined, signal),
    (error) => error instanceof RegistryError && error.reason === "UpstreamFailed",
  );
});

Deno.test("credentials are sent as Basic, in UTF-8, and the host's tag and ns with the name", async () => {
  const seen: string[] = [];
  const answer = (request: Request) => {
    const url = new URL(request.url);
    seen.push(`${url.pathname}${url.search} ${request.headers.get("authorization")}`);
    return new Response(null, { status: 404 });
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  const upstream = httpUpstream({
    name: "far",
    baseUrl: () => `http://127.0.0.1:${server.addr.port}`,
    credentials: () => CREDENTIALS,
    tagFor: (repository, tag, ns) => `${tag}-of-${ns}-${repository.length}`,
  });
  const { signal } = new AbortController();
  await upstream.manifest("library/nginx", "1", "docker.io", signal);
  await upstream.manifest("library/nginx", "1", undefined, signal);
  await upstream.manifest("library/nginx", DIGEST, "docker.io", signal);
  await server.shutdown();
  const basic = "Basic emFyZi1wdWxsOnDDpHNzd29yZA==";
  assert.deepEqual(seen, [
    `/v2/library/nginx/manifests/1-of-docker.io-13?ns=docker.io ${basic}`,
    `/v2/library/nginx/manifests/1 ${basic}`,
    `/v2/library/nginx/manifests/${DIGEST}?ns=docker.io ${basic}`,
  ]);
});

Deno.test("what failed is named in the log and in the answer as clients write it", async () => {
  const { logger, lines } = loggerOf();
  const dir = await Deno.makeTempDir();
  const store = Store.open(dir);
  const dead = httpUpstream({ name: "dead", baseUrl: () => "http://127.0.0.1:1" });
  const handler = createRegistry({ store, upstreams: [dead], logger });
  for (
    const [path, what] of [
      ["a/b/manifests/1.27", "a/b:1.27"],
      [`a/b/manifests/${DIGEST}`, `a/b@${DIGEST}`],
      [`a/b/blobs/${DIGEST}`, `a/b@${DIGEST}`],
    ] as const
  ) {
    const response = await handler(new Request(`http://registry/v2/${path}`));
    assert.equal(response.status, 503);
    assert.deepEqual((await response.json()).errors[0].detail, { reference: what });
    assert.match(lines.at(-1) ?? "", /^warn {2}an upstream registry failed upstream=dead /);
    assert.ok(lines.at(-1)?.includes(`what=${what} `), lines.at(-1));
  }
  store.close();
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a client that goes away ends the transfer from the upstream", () => {
  let cancelled = false;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
      cancel: () => void (cancelled = true),
    });
  const headers = { "content-length": String(1e12) };
  return withFar(() => new Response(endless(), { headers }), async (near) => {
    const response = await near.get(BLOB);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await eventually(() => cancelled, "the upstream's transfer ends");
    await eventually(() => near.metrics.activeStreams === 0, "no stream is counted");
  });
});
