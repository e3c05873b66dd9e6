import assert from "node:assert/strict";
import { noise, seedIn } from "../../test/fakes/seed_cluster.ts";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { createRegistry, createRegistryMetrics, serveRegistry } from "../registry/mod.ts";
import { digestOf, type HttpListening, systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { type PeerImages, peerUpstream } from "./peer_images.ts";
import { servePeers } from "./peer_listener.ts";
import { ImageKey } from "./peer_question.ts";
import { createImageHandler } from "./peer_serve.ts";

/*
 * A node without anything and control planes on addresses of the loopback, all by HTTP.
 */

type Handler = (request: Request) => Response | Promise<Response>;

const TOKEN = "abcdef.0123456789abcdef";
const KEY = new ImageKey(TOKEN);
const LAYER = noise(1_300_000);
const MANIFEST = "library/registry/manifests/3?ns=docker.io";
const BLOB = `library/registry/blobs/${digestOf(LAYER)}`;
const GOOD = "127.0.0.2";
const OTHER = "127.0.0.3";
/** Milliseconds; long enough for a slow machine to answer. */
const FIRST_BYTE = 3_000;

interface Bench {
  /** Of the control plane with the image. */
  readonly store: Store;
  /** What the control plane with the image answers with. */
  readonly good: Handler;
  readonly lines: readonly string[];
  readonly bytes: Record<string, number>;
  /** Has a machine at another address answer so. */
  listen(address: string, handler: Handler): void;
  /** Who is asked, in that order at first. */
  ask(...addresses: readonly string[]): void;
  /** Lets time pass for the node, which otherwise stands. */
  pass(ms: number): void;
  get(path: string): Promise<Response>;
  status(path: string): Promise<number>;
}

function withBench(
  action: (bench: Bench) => Promise<void>,
  { token = TOKEN, ...options }: Partial<PeerImages> & { readonly token?: string } = {},
): Promise<void> {
  return withDirectory(async (dir) => {
    using full = Store.open(`${dir}/full`);
    using empty = Store.open(`${dir}/empty`);
    await seedIn(full, LAYER);
    const { logger, lines } = loggerOf();
    const images = handlerOf(full);
    const stop = new AbortController();
    const first = servePeers({ images }, { hostname: GOOD, port: 0 }, stop.signal);
    const servers: HttpListening[] = [first];
    let addresses: readonly string[] = [GOOD];
    const own = new ImageKey(token);
    let now = 0;
    const upstream = peerUpstream({
      source: {
        addresses: () => Promise.resolve(addresses),
        key: () => Promise.resolve(own),
      },
      ...{ port: first.port, wanted: () => true, logger },
      limits: { firstByte: FIRST_BYTE, stall: FIRST_BYTE },
      clock: { ...systemClock, monotonic: () => now },
      ...options,
    });
    const metrics = createRegistryMetrics();
    const handler = createRegistry({ store: empty, upstreams: [upstream], logger, metrics });
    const near = serveRegistry(handler, { hostname: "127.0.0.1", port: 0, signal: stop.signal });
    const get = (path: string) => fetch(`http://127.0.0.1:${near.port}/v2/${path}`);
    try {
      await action({
        ...{ store: full, good: images, lines, bytes: metrics.bytes, get },
        listen: (hostname, images) => {
          const answer: Handler = async (request) => await images(request);
          const peer = { images: (request: Request) => Promise.resolve(answer(request)) };
          servers.push(servePeers(peer, { hostname, port: first.port }, stop.signal));
        },
        ask: (...all) => addresses = all,
        pass: (ms) => now += ms,
        status: async (path) => {
          const response = await get(path);
          await response.bytes();
          return response.status;
        },
      });
    } finally {
      stop.abort();
      await Promise.all([...servers, near].map(({ finished }) => finished));
    }
  });
}

/** What the agent on a control plane answers with. */
function handlerOf(store: Store) {
  const key = () => Promise.resolve(KEY);
  return createImageHandler({ store, logger: loggerOf().logger, key });
}

/** Answers authentic questions, with whatever it is told. */
function signing(answer: (target: string) => Response): Handler {
  return (request) => {
    const url = new URL(request.url);
    const target = url.pathname + url.search;
    const question = KEY.asked(request, target);
    if (question === undefined) return new Response(null, { status: 401 });
    const { status, headers, body } = answer(target);
    return new Response(body, { status, headers: KEY.answer(question, status, headers) });
  };
}

Deno.test("a node that has nothing has an image of the control plane, and says so once", () =>
  withBench(async ({ get, lines, bytes }) => {
    for (let time = 0; time < 2; time++) {
      const response = await get(MANIFEST);
      const digest = digestOf(await response.bytes());
      assert.equal(response.headers.get("docker-content-digest"), digest);
      const again = await get(`library/registry/manifests/${digest}?ns=docker.io`);
      assert.equal(digestOf(await again.bytes()), digest);
      assert.equal(digestOf(await (await get(BLOB)).bytes()), digestOf(LAYER));
    }
    assert.ok((bytes["control-planes"] ?? 0) > 2 * LAYER.length);
    assert.deepEqual(lines, [
      "info  an image comes from a control plane " +
      `image=docker.io/library/registry:3 from=${GOOD}`,
    ]);
  }));

Deno.test("what no control plane has is not found, and it is said of all of them", () =>
  withBench(async ({ listen, ask, status }) => {
    let asked = 0;
    listen(
      OTHER,
      signing(() => {
        asked++;
        return new Response("no", { status: 404, headers: { "content-length": "2" } });
      }),
    );
    ask(OTHER, GOOD);
    assert.equal(await status(MANIFEST), 200);
    assert.equal(asked, 1);
    assert.equal(await status(MANIFEST.replace("/3?", "/4?")), 404);
    assert.equal(await status(BLOB.replace(/sha256:../, "sha256:00")), 404);
    assert.equal(asked, 3);
    assert.equal(await status(BLOB), 200);
    assert.equal(asked, 3, "the one that had the last is asked first");
  }));

Deno.test("a node of another site is given nothing, and believes nothing", () =>
  withBench(async ({ status, lines }) => {
    assert.equal(await status(MANIFEST), 503);
    assert.equal(await status(BLOB), 503);
    assert.match(lines.join("\n"), /it does not take this machine for one of its site/);
    assert.doesNotMatch(lines.join("\n"), /0123456789abcde/);
  }, { token: "abcdef.0123456789abcdeg" }));

Deno.test("an answer that was changed on its way is none", async () => {
  const digest = digestOf("other");
  const changes: [name: string, path: string, (answer: Response) => Response][] = [
    ["another manifest", MANIFEST, ({ headers }) => new Response("x".repeat(500), { headers })],
    ["another digest", MANIFEST, (answer) => withHeader(answer, "docker-content-digest", digest)],
    ["another media type", MANIFEST, (answer) => withHeader(answer, "content-type", "text/plain")],
    ["that it is not there", MANIFEST, ({ headers }) => new Response("", { headers, status: 404 })],
    ["an answer without a key", MANIFEST, ({ body }) => new Response(body)],
    ["that a blob is not there", BLOB, ({ headers }) => new Response("", { headers, status: 404 })],
    ["a redirect", BLOB, () => Response.redirect("http://127.0.0.2/")],
  ];
  await withBench(async ({ good, listen, ask, status }) => {
    let change = (answer: Response) => answer;
    listen(OTHER, async (request) => {
      const answer = await good(request);
      if (answer.status === 401) return answer;
      const changed = change(answer);
      if (!changed.bodyUsed && changed.body !== answer.body) await answer.body?.cancel();
      return changed;
    });
    ask(OTHER);
    assert.equal(await status(MANIFEST), 200, "as it was it is taken");
    for (const [name, path, how] of changes) {
      change = how;
      assert.equal(await status(path), 503, name);
    }
    change = (answer) => answer;
    assert.equal(await status(MANIFEST), 200);
  });
});

function withHeader({ body, headers }: Response, name: string, value: string): Response {
  const changed = new Headers(headers);
  changed.set(name, value);
  return new Response(body, { headers: changed });
}

Deno.test("a blob with other bytes, or too few, is never whole", async () => {
  const headers = {
    "docker-content-digest": digestOf(LAYER),
    "content-type": "application/octet-stream",
  };
  const length = String(LAYER.length);
  for (const bytes of [noise(LAYER.length, 7), LAYER.slice(0, 1_000_000)]) {
    await withBench(async ({ listen, ask, get }) => {
      const answer = () => {
        const body = new Blob([bytes]).stream();
        return new Response(body, { headers: { ...headers, "content-length": length } });
      };
      listen(OTHER, signing(answer));
      ask(OTHER);
      const response = await get(BLOB);
      assert.equal(response.status, 200);
      await assert.rejects(response.bytes());
    });
  }
});

Deno.test("a manifest without an end is not read to it", () =>
  withBench(async ({ listen, ask, status, lines }) => {
    const large = new Uint8Array((4 << 20) + 1);
    listen(
      OTHER,
      signing(() => {
        const headers = {
          "content-type": "application/vnd.oci.image.manifest.v1+json",
          "content-length": String(large.length),
          "docker-content-digest": digestOf(large),
        };
        return new Response(large, { headers });
      }),
    );
    ask(OTHER);
    assert.equal(await status(MANIFEST), 503);
    assert.match(lines.join("\n"), /a manifest of more than 4194304 bytes/);
  }));

Deno.test("what was recorded is worth nothing: neither the question nor the answer", () =>
  withBench(async ({ good, listen, ask, status }) => {
    const recorded: { url: string; asked: Headers; headers: Headers; bytes: BodyInit }[] = [];
    listen(OTHER, async (request) => {
      const answer = await good(request);
      if (answer.status !== 200) return answer;
      const { url, headers: asked } = request;
      recorded.push({ url, asked, headers: answer.headers, bytes: await answer.bytes() });
      return new Response(recorded[0]?.bytes, { headers: recorded[0]?.headers ?? {} });
    });
    ask(OTHER);
    assert.equal(await status(MANIFEST), 200);
    const [first] = recorded;
    assert(first !== undefined);
    const again = new Request(first.url, { headers: first.asked });
    assert.equal((await good(again)).status, 401, "the question again");
    assert.equal(await status(MANIFEST), 503, "the answer again");
    assert.equal(recorded.length, 2);
  }));

Deno.test("one that hangs is left alone for a while, one that is gone keeps nobody", () =>
  withBench(async ({ listen, ask, pass, status, lines }) => {
    let asked = 0;
    const hold = Promise.withResolvers<Response>();
    listen(OTHER, () => {
      asked++;
      pass(5_000);
      return hold.promise;
    });
    ask("127.0.0.4", OTHER, GOOD);
    for (const path of [MANIFEST, BLOB]) assert.equal(await status(path), 200);
    assert.equal(asked, 1);
    const none = MANIFEST.replace("/3?", "/4?");
    assert.equal(await status(none), 503, "it may have it");
    assert.equal(asked, 1);
    pass(10_000);
    assert.equal(await status(none), 503);
    assert.equal(asked, 2);
    assert.match(lines.join("\n"), /control plane 127\.0\.0\.3 sent nothing for 3000 ms/);
    hold.resolve(new Response(null, { status: 503 }));
  }));

Deno.test("a control plane that is started anew is asked again, with another challenge", () =>
  withBench(async ({ store, listen, ask, status }) => {
    let now: Handler = () => new Response(null, { status: 503 });
    listen(OTHER, (request) => now(request));
    ask(OTHER);
    assert.equal(await status(MANIFEST), 503);
    for (let time = 0; time < 2; time++) {
      now = handlerOf(store);
      for (const path of [MANIFEST, BLOB]) assert.equal(await status(path), 200);
    }
  }));

Deno.test("nobody is asked where there is something better", () =>
  withBench(async ({ status, lines }) => {
    assert.equal(await status(MANIFEST), 404);
    assert.equal(await status(BLOB), 404);
    assert.deepEqual(lines, []);
  }, { wanted: () => false }));
