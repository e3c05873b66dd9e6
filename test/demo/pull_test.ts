import assert from "node:assert/strict";
import { digestOf } from "../../src/std/mod.ts";
import { listImages, PullError, pullImage } from "./pull.ts";

const CONFIG = new TextEncoder().encode('{"os":"linux"}');
const LAYER = new Uint8Array(300_000).map((_, at) => (at * 7) ^ (at >> 8));

function descriptor(bytes: Uint8Array) {
  return { mediaType: "x", digest: digestOf(bytes), size: bytes.length };
}

const MANIFEST = JSON.stringify({ config: descriptor(CONFIG), layers: [descriptor(LAYER)] });
const INDEX = JSON.stringify({
  manifests: [{ ...descriptor(new TextEncoder().encode(MANIFEST)), digest: digestOf(MANIFEST) }],
});

type Paths = Record<string, Uint8Array<ArrayBuffer> | string>;

const GOOD: Paths = {
  "/v2/_catalog": JSON.stringify({ repositories: ["library/b", "a"] }),
  "/v2/a/tags/list": JSON.stringify({ tags: ["1-zarf-123", "1"] }),
  "/v2/library/b/tags/list": JSON.stringify({ tags: ["2-zarf-9"] }),
  "/v2/a/manifests/1": MANIFEST,
  "/v2/a/manifests/index": INDEX,
  [`/v2/a/manifests/${digestOf(MANIFEST)}`]: MANIFEST,
  [`/v2/a/blobs/${digestOf(CONFIG)}`]: CONFIG,
  [`/v2/a/blobs/${digestOf(LAYER)}`]: LAYER,
};

async function withRegistry(paths: Paths, work: (url: string) => Promise<void>) {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    const body = paths[pathname];
    if (body === undefined) return new Response("no", { status: 404 });
    const headers = { "docker-content-digest": digestOf(GOOD[pathname] ?? "") };
    return new Response(body, { headers });
  });
  await work(`http://127.0.0.1:${server.addr.port}`);
}

Deno.test("images are listed by their plain tag where they have one", () =>
  withRegistry(GOOD, async (url) => {
    assert.deepEqual(await listImages(url), ["a:1", "library/b:2-zarf-9"]);
  }));

for (const [tag, bytes] of [["1", MANIFEST.length], ["index", INDEX.length]] as const) {
  Deno.test(`an image is pulled whole by ${tag}`, () =>
    withRegistry(GOOD, async (url) => {
      const { blobs, bytes: total, reference } = await pullImage(url, `a:${tag}`);
      assert.equal(reference, `a:${tag}`);
      assert.equal(blobs, 2);
      assert.equal(total, bytes + CONFIG.length + LAYER.length);
    }));
}

const flipped = new Uint8Array(LAYER);
flipped[7] = (flipped[7] ?? 0) ^ 1;

for (
  const [what, change, reason] of [
    ["a blob with one wrong bit", { [`/v2/a/blobs/${digestOf(LAYER)}`]: flipped }, "WrongBytes"],
    ["a short blob", { [`/v2/a/blobs/${digestOf(LAYER)}`]: LAYER.slice(1) }, "WrongBytes"],
    ["another manifest", { "/v2/a/manifests/1": `${MANIFEST} ` }, "WrongBytes"],
  ] as const
) {
  Deno.test(`${what} is noticed`, () =>
    withRegistry({ ...GOOD, ...change }, async (url) => {
      await assert.rejects(
        pullImage(url, "a:1"),
        (error) => error instanceof PullError && error.reason === reason,
      );
    }));
}

Deno.test("an image that is not there is told with its address", () =>
  withRegistry(GOOD, async (url) => {
    await assert.rejects(pullImage(url, "a:9"), /\/v2\/a\/manifests\/9 answered 404/);
  }));
