import assert from "node:assert/strict";
import { noise, seedIn } from "../../test/fakes/seed_cluster.ts";
import { eventually, loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { CHALLENGE_HEADER, ImageKey, MAX_TARGET } from "./peer_question.ts";
import { createImageHandler, type ImageServing, MAX_SENDING } from "./peer_serve.ts";
import { newNonce } from "./site_key.ts";

const KEY = new ImageKey("token");
const MANIFEST = "/v1/images/v2/library/registry/manifests/3?ns=docker.io";
const LAYER = noise(1_300_000);
const BLOB = `/v1/images/v2/library/registry/blobs/${digestOf(LAYER)}`;

interface Bench {
  readonly handler: (request: Request) => Promise<Response>;
  /** Asks as a machine of the site does that knows the challenge. */
  ask(target: string, key?: ImageKey): Promise<Response>;
  challenge(): Promise<string>;
}

function withBench(
  action: (bench: Bench) => Promise<void>,
  options: Partial<ImageServing> = {},
): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await seedIn(store, LAYER);
    const handler = createImageHandler({
      ...{ store, logger: loggerOf().logger, key: () => Promise.resolve(KEY) },
      ...options,
    });
    const challenge = async () => {
      const { status, headers } = await handler(new Request(`http://peer${MANIFEST}`));
      assert.equal(status, 401);
      return headers.get(CHALLENGE_HEADER) ?? "";
    };
    const ask = async (target: string, key = KEY) => {
      const { headers } = key.ask(await challenge(), "GET", target);
      return await handler(new Request(`http://peer${target}`, { headers }));
    };
    await action({ handler, ask, challenge });
  });
}

Deno.test("a machine of the site is given what the store has, and told what it has not", () =>
  withBench(async ({ ask }) => {
    const manifest = await ask(MANIFEST);
    assert.equal(manifest.status, 200);
    const digest = digestOf(await manifest.bytes());
    assert.equal(manifest.headers.get("docker-content-digest"), digest);
    assert.equal((await ask(`/v1/images/v2/library/registry/manifests/${digest}`)).status, 200);
    assert.equal(digestOf(await (await ask(BLOB)).bytes()), digestOf(LAYER));
    const none = [MANIFEST.replace("/3?", "/4?"), BLOB.replace(/sha256:../, "sha256:00")];
    for (const target of none) assert.equal((await ask(target)).status, 404, target);
  }));

Deno.test("whatever is wrong with a question, the answer is the same", () =>
  withBench(async ({ handler, challenge }) => {
    const now = await challenge();
    const good = KEY.ask(now, "GET", MANIFEST).headers;
    const first = await handler(new Request(`http://peer${MANIFEST}`, { headers: good }));
    assert.equal(first.status, 200);
    await first.body?.cancel();
    const rows: [name: string, headers: Record<string, string>][] = [
      ["nothing of a key", {}],
      ["a question that was asked before", good],
      ["another key", { ...new ImageKey("other").ask(now, "GET", MANIFEST).headers }],
      ["an old challenge", { ...KEY.ask(newNonce(), "GET", MANIFEST).headers }],
      ["another path", { ...KEY.ask(now, "GET", BLOB).headers }],
      ["another method", { ...KEY.ask(now, "HEAD", MANIFEST).headers }],
    ];
    for (const [name, headers] of rows) {
      const response = await handler(new Request(`http://peer${MANIFEST}`, { headers }));
      assert.equal(response.status, 401, name);
      assert.deepEqual([...response.headers], [[CHALLENGE_HEADER, now]], name);
      assert.equal(response.body, null, name);
    }
  }));

Deno.test("nothing but manifests and blobs can be asked for, and nothing can be changed", () =>
  withBench(async ({ ask, handler }) => {
    const targets = [
      ...["/", "/v1/images", "/v1/images/v2/", "/v2/library/registry/manifests/3"],
      ...["/v1/images/v2/_catalog", "/v1/images/v2/library/registry/tags/list"],
      ...["/v1/images/v2/library/registry/blobs/uploads/"],
    ];
    for (const target of targets) {
      const { status } = await handler(new Request(`http://peer${target}`));
      assert.equal(status, 404, target);
    }
    for (const method of ["HEAD", "POST", "PUT", "DELETE"]) {
      const { headers } = KEY.ask("0".repeat(64), method, MANIFEST);
      const request = new Request(`http://peer${MANIFEST}`, { method, headers });
      assert.equal((await handler(request)).status, 404, method);
    }
    const long = `${MANIFEST}&${"x".repeat(MAX_TARGET)}`;
    assert.equal((await handler(new Request(`http://peer${long}`))).status, 414);
    assert.equal((await ask("/v1/images/v2/UPPER/manifests/3")).status, 400);
  }));

Deno.test("while the key is not known nobody is answered, and nobody is told why", async () => {
  const keys: ImageServing["key"][] = [
    () => Promise.resolve(undefined),
    () => Promise.reject(new Error("machined is gone")),
  ];
  for (const key of keys) {
    await withBench(async ({ handler }) => {
      const { headers } = KEY.ask("0".repeat(64), "GET", MANIFEST);
      const response = await handler(new Request(`http://peer${MANIFEST}`, { headers }));
      assert.deepEqual([response.status, await response.text()], [503, ""]);
    }, { key });
  }
});

Deno.test("there is a limit to how much is sent at once, and then there is room again", () =>
  withBench(async ({ ask }) => {
    const sending: Response[] = [];
    for (let number = 0; number < MAX_SENDING; number++) sending.push(await ask(BLOB));
    assert.deepEqual(new Set(sending.map(({ status }) => status)), new Set([200]));
    assert.equal((await ask(BLOB)).status, 503);
    await sending[0]?.body?.cancel();
    const again = await ask(BLOB);
    assert.equal(again.status, 200);
    for (const { body } of [...sending.slice(1), again]) await body?.cancel();
  }));

Deno.test("a machine that takes nothing any more is given up", () =>
  withBench(async ({ ask }) => {
    const sending: Response[] = [];
    for (let number = 0; number < MAX_SENDING; number++) sending.push(await ask(BLOB));
    const reader = sending.at(-1)?.body?.getReader();
    assert.ok((await reader?.read())?.value?.length);
    // All of them stand still, so there is room when they were given up.
    await eventually(async () => {
      const response = await ask(BLOB);
      await response.body?.cancel();
      return response.status === 200;
    }, 30_000);
    assert(reader !== undefined);
    await assert.rejects(reader.closed, /nothing was taken any more/);
  }, { takeTimeout: 2_000 }));
