import assert from "node:assert/strict";
import { createLogger, silentLogger } from "../std/mod.ts";
import { issueCertificates } from "./certificates.ts";
import { createAdmissionMetrics } from "./metrics.ts";
import { serveAdmission } from "./serve.ts";
import { createAdmission, MAX_REVIEW_BYTES } from "./webhook.ts";

const REGISTRY = "127.0.0.1:31999";
const NGINX = `${REGISTRY}/library/nginx:latest-zarf-3793515731`;
const BASE = "https://webhook.test";

function podOf(image: string): Record<string, unknown> {
  return { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image }] } };
}

function review(object: unknown, request: Record<string, unknown> = {}) {
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
      name: "web",
      namespace: "default",
      operation: "CREATE",
      userInfo: { username: "admin" },
      object,
      oldObject: null,
      dryRun: false,
      options: null,
      ...request,
    },
  };
}

function post(body: BodyInit, headers: Record<string, string> = {}): Request {
  return new Request(`${BASE}/mutate/pod`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

const SITE = {
  registryAddress: REGISTRY,
  configMediaType: () => Promise.resolve(undefined),
};
const handler = () => createAdmission({ site: () => SITE, logger: silentLogger });

Deno.test("a review is answered with its uid and a patch in base64", async () => {
  const response = await handler()(post(JSON.stringify(review(podOf("nginx")))));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  const body = await response.json();
  const { patch, ...rest } = body.response;
  assert.deepEqual({ ...body, response: rest }, {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: {
      uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
      allowed: true,
      patchType: "JSONPatch",
    },
  });
  assert.deepEqual(JSON.parse(atob(patch)), [
    { op: "add", path: "/spec/imagePullSecrets", value: [{ name: "private-registry" }] },
    { op: "add", path: "/spec/containers/0/image", value: NGINX },
    { op: "add", path: "/metadata/labels/zarf-agent", value: "patched" },
    {
      op: "add",
      path: "/metadata/annotations",
      value: { "zarf.dev/original-image-web": "nginx" },
    },
  ]);
});

Deno.test("a patch with text beyond ASCII survives base64", async () => {
  const container = { name: "wéb", image: "nginx" };
  const object = { metadata: {}, spec: { containers: [container] } };
  const response = await handler()(post(JSON.stringify(review(object))));
  const { patch } = (await response.json()).response;
  const text = new TextDecoder().decode(Uint8Array.fromBase64(patch));
  assert.ok(text.includes("zarf.dev/original-image-wéb"));
});

Deno.test("what is left as it is carries no patch at all", async () => {
  const pod = { ...podOf("nginx"), metadata: { labels: { "zarf.dev/agent": "ignore" } } };
  const response = await handler()(post(JSON.stringify(review(pod))));
  assert.deepEqual((await response.json()).response, {
    uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
    allowed: true,
  });
});

Deno.test("a denial names the container and the image, and is an answer, not a failure", async () => {
  const response = await handler()(post(JSON.stringify(review(podOf("C:\\Users\\zarf")))));
  assert.equal(response.status, 200);
  const { allowed, status, patch } = (await response.json()).response;
  assert.equal(allowed, false);
  assert.equal(patch, undefined);
  assert.equal(status.code, 422);
  assert.match(status.message, /^container "web": "C:\\\\Users\\\\zarf" is not an image reference/);
});

Deno.test("what is no review gets the HTTP status that says why", async () => {
  const good = JSON.stringify(review(podOf("nginx")));
  const without = (field: string) => JSON.stringify(review(podOf("nginx"), { [field]: undefined }));
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const deepPod = good.replace('"labels":{', `"labels":{"deep":${deep},`);
  const invalidUtf8 = new TextEncoder().encode(good).map((byte) => byte === 0x77 ? 0xff : byte);
  const cases: [string, Request, number, RegExp][] = [
    ["another path", new Request(`${BASE}/mutate/x`, { method: "POST" }), 404, /not found/],
    ["a GET", new Request(`${BASE}/mutate/pod`), 405, /only POST/],
    ["another type", post(good, { "content-type": "text/plain" }), 415, /application\/json/],
    ["a type that only begins so", post(good, { "content-type": "application/jsonx" }), 415, /./],
    ["no body", post(""), 400, /not JSON/],
    ["half a body", post(good.slice(0, -5)), 400, /not JSON/],
    ["bytes that are no text", post(invalidUtf8), 400, /UTF-8/],
    ["another value", post("null"), 400, /not a review/],
    ["a list within lists", post(deep), 400, /not a review/],
    ["lists within lists in a label", post(deepPod), 400, /metadata\.labels\.deep/],
    ["another version", post(good.replace("k8s.io/v1", "k8s.io/v2")), 400, /apiVersion/],
    ["no uid", post(without("uid")), 400, /request\.uid/],
    ["no pod", post(without("object")), 400, /not a review of a Pod/],
    [
      "an update without what was",
      post(
        JSON.stringify(review(podOf("nginx"), { operation: "UPDATE", oldObject: null })),
      ),
      400,
      /not a review of a Pod/,
    ],
    [
      "another kind",
      post(
        JSON.stringify(review(podOf("nginx"), { kind: { kind: "Secret" } })),
      ),
      400,
      /kind Pod/,
    ],
    [
      "containers that are no list",
      post(
        JSON.stringify(review({ metadata: {}, spec: { containers: {} } })),
      ),
      400,
      /spec\.containers/,
    ],
  ];
  for (const [name, request, status, text] of cases) {
    const response = await handler()(request);
    assert.equal(response.status, status, name);
    assert.match(await response.text(), text, name);
    if (status === 405) assert.equal(response.headers.get("allow"), "POST");
  }
});

Deno.test("a content type may carry parameters and capitals", async () => {
  const type = { "content-type": "Application/JSON; charset=utf-8" };
  const response = await handler()(post(JSON.stringify(review(podOf("nginx"))), type));
  assert.equal(response.status, 200);
});

Deno.test("a body over the limit is refused by its header and while it streams", async () => {
  const promised = { "content-length": String(MAX_REVIEW_BYTES + 1) };
  assert.equal((await handler()(post("{}", promised))).status, 413);
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1 << 16;
      controller.enqueue(new Uint8Array(1 << 16).fill(0x20));
    },
  });
  assert.equal((await handler()(post(endless))).status, 413);
  assert.ok(pulled <= MAX_REVIEW_BYTES + (2 << 16), `${pulled} bytes were read`);
});

Deno.test("a body of just the limit is read", async () => {
  const text = JSON.stringify(review(podOf("nginx")));
  const padded = text + " ".repeat(MAX_REVIEW_BYTES - text.length);
  assert.equal((await handler()(post(padded))).status, 200);
});

Deno.test("names that objects have of their own are names like others", async () => {
  for (const name of ["constructor", "__proto__", "tostring"]) {
    const text = JSON.stringify(
      review({
        metadata: { labels: { [name]: "x" }, annotations: { [name]: "x" } },
        spec: { containers: [{ name, image: "nginx" }] },
      }, { oldObject: podOf("nginx"), operation: "UPDATE" }),
    );
    const { patch } = (await (await handler()(post(text))).json()).response;
    assert.ok(atob(patch).includes(`original-image-${name}`));
  }
});

Deno.test("health is told to who reads", async () => {
  const health = (method: string) => handler()(new Request(`${BASE}/healthz`, { method }));
  const response = await health("GET");
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "ok\n");
  assert.equal((await health("HEAD")).status, 200);
  assert.equal((await health("POST")).status, 405);
});

Deno.test("requests are counted by what became of them", async () => {
  const metrics = createAdmissionMetrics();
  let now = 0;
  const clock = {
    now: () => new Date(0),
    monotonic: () => now += 250,
    sleep: () => Promise.resolve(),
  };
  const webhook = createAdmission({
    site: () => SITE,
    logger: silentLogger,
    metrics,
    clock,
  });
  const bodies = [podOf("nginx"), podOf("busybox"), podOf("no image"), null];
  for (const body of bodies) await webhook(post(JSON.stringify(review(body))));
  const ignored = { ...podOf("nginx"), metadata: { labels: { "zarf.dev/agent": "skip" } } };
  await webhook(post(JSON.stringify(review(ignored))));
  await webhook(new Request(`${BASE}/healthz`));
  assert.deepEqual(metrics, {
    requests: { patched: 2, unchanged: 1, denied: 1, invalid: 1, busy: 0, failed: 0 },
    seconds: 1.25,
  });
});

Deno.test("a failure of its own is logged, counted and answered without its details", async () => {
  const lines: string[] = [];
  const metrics = createAdmissionMetrics();
  const logger = createLogger({
    level: "info",
    format: "text",
    write: (line) => void lines.push(line),
  });
  const webhook = createAdmission({
    site: () => {
      throw new Error("secret detail");
    },
    logger,
    metrics,
  });
  const response = await webhook(post(JSON.stringify(review(podOf("nginx")))));
  assert.equal(response.status, 500);
  assert.ok(!(await response.text()).includes("secret detail"));
  assert.equal(metrics.requests.failed, 1);
  assert.ok(lines.some((line) => line.includes("secret detail")));
});

Deno.test("over HTTPS a hundred reviews at once are answered, each with its own uid", async () => {
  const { ca, cert, key } = issueCertificates();
  const server = serveAdmission(handler(), { hostname: "127.0.0.1", port: 0, tls: { cert, key } });
  using client = Deno.createHttpClient({ caCerts: [ca] });
  try {
    await Promise.all(Array.from({ length: 100 }, async (_, at) => {
      const response = await fetch(`https://127.0.0.1:${server.port}/mutate/pod?timeout=3s`, {
        client,
        method: "POST",
        body: JSON.stringify(review(podOf(`nginx:${at}`), { uid: `uid-${at}` })),
        headers: { "content-type": "application/json" },
      });
      const { uid, patch } = (await response.json()).response;
      assert.equal(uid, `uid-${at}`);
      assert.ok(atob(patch).includes(`/library/nginx:${at}-zarf-3793515731`));
    }));
  } finally {
    await server.shutdown();
  }
});
