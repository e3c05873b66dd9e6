import assert from "node:assert/strict";
import { loggerOf, randomNumbers } from "../../test/fakes/testing.ts";
import {
  answerOn,
  assertServes,
  close,
  GOOD,
  head,
  MOVED,
  pod,
  review,
  SITE,
  withWebhook,
} from "../../test/fakes/webhook.ts";
import { RULES } from "./rules/rules.ts";
import { createAdmission } from "./webhook.ts";

Deno.test("each version of a review is answered in its own, an unknown one is refused", async () => {
  await withWebhook({}, async (hooked) => {
    for (const version of ["v1", "v1beta1"]) {
      const response = await hooked.post(GOOD.replace("k8s.io/v1", `k8s.io/${version}`));
      const body = await response.json();
      assert.equal(body.apiVersion, `admission.k8s.io/${version}`);
      assert.equal(body.kind, "AdmissionReview");
      assert.equal(body.response.uid, "the-uid");
    }
    for (const version of ["v2", "v1alpha1", "", "V1"]) {
      const response = await hooked.post(GOOD.replace("k8s.io/v1", `k8s.io/${version}`));
      assert.equal(response.status, 400);
      assert.match(await response.text(), /apiVersion/);
    }
    await assertServes(hooked);
  });
});

Deno.test("other types, methods and paths are refused before the body is read", async () => {
  await withWebhook({}, async (hooked) => {
    const cases: [request: string, status: number][] = [
      [head(9).replace("application/json", "text/plain"), 415],
      [head(9).replace("content-type", "x-type"), 415],
      [head(9).replace("POST", "PUT"), 405],
      [head(9).replace("/mutate/pod", "/mutate/../mutate/pods"), 404],
      [head(9).replace("/mutate/pod", "/"), 404],
    ];
    for (const [request, status] of cases) {
      const connection = await hooked.connect(request);
      assert.match(await answerOn(connection), new RegExp(`^HTTP/1\\.1 ${status} `), request);
      close(connection);
    }
    await assertServes(hooked);
  });
});

Deno.test("JSON of any depth is answered", async () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const objects = (levels: number) => '{"a":'.repeat(levels) + "1" + "}".repeat(levels);
  const inSpec = (deep: string) => GOOD.replace('"spec":{', `"spec":{"deep":${deep},`);
  await withWebhook({}, async (hooked) => {
    const cases: [body: string, status: number][] = [
      [nested(100_000), 400],
      [nested(1_500_000), 400],
      ["[".repeat(3_000_000), 400],
      [objects(500_000), 400],
      [GOOD.replace('"web","image"', `${nested(100_000)},"image"`), 400],
      // What no rule looks at is nobody's business.
      [inSpec(nested(100_000)), 200],
      [inSpec(objects(300_000)), 200],
    ];
    for (const [body, status] of cases) {
      const response = await hooked.post(body);
      assert.equal(response.status, status, body.slice(0, 40));
      const text = await response.text();
      if (status === 200) assert.ok(atob(JSON.parse(text).response.patch).includes(MOVED));
    }
    assert.deepEqual(hooked.lines, []);
  });
});

Deno.test("of a key that comes twice the last one counts", async () => {
  await withWebhook({}, async ({ post }) => {
    const twice = GOOD.replace('"uid":"the-uid"', '"uid":"first","uid":"last"')
      .replace('"image":"nginx"', '"image":"busybox","image":"nginx"');
    const { response } = await (await post(twice)).json();
    assert.equal(response.uid, "last");
    assert.ok(atob(response.patch).includes(MOVED));
    const spec = GOOD.replace('"spec":', '"spec":{"containers":[{"image":"busybox"}]},"spec":');
    assert.ok(atob((await (await post(spec)).json()).response.patch).includes(MOVED));
  });
});

Deno.test("halves of characters come back as JSON, and not at all as bytes", async () => {
  await withWebhook({}, async (hooked) => {
    const inImage = GOOD.replace('"nginx"', '"\\ud800nginx"');
    const denied = (await (await hooked.post(inImage)).json()).response;
    assert.deepEqual([denied.uid, denied.allowed], ["the-uid", false]);
    const inName = GOOD.replace('"name":"web","image"', '"name":"\\udc00","image"');
    const { patch } = (await (await hooked.post(inName)).json()).response;
    assert.ok(JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(patch))));
    const bytes = new TextEncoder().encode(GOOD.replace("nginx", "???nginx"));
    bytes.set([0xed, 0xa0, 0x80], bytes.indexOf(0x3f));
    const refused = await hooked.post(bytes);
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /not UTF-8/);
    await assertServes(hooked);
  });
});

/** An object of each kind that its rule changes. */
const OBJECTS: Record<string, unknown> = {
  Pod: pod("nginx"),
  GitRepository: { metadata: {}, spec: { url: "https://h/a/b.git" } },
  HelmRepository: { metadata: {}, spec: { url: "oci://ghcr.io/a", type: "oci" } },
  OCIRepository: { metadata: {}, spec: { url: "oci://ghcr.io/a", ref: { tag: "1" } } },
  Application: { metadata: {}, spec: { sources: [{ repoURL: "https://h/a/b" }] } },
  ApplicationSet: { metadata: {}, spec: { generators: [{ git: { repoURL: "https://h/a/b" } }] } },
  AppProject: { metadata: {}, spec: { sourceRepos: ["https://h/a/b"] } },
  Secret: {
    metadata: { labels: { "argocd.argoproj.io/secret-type": "repository" } },
    data: { url: btoa("https://h/a/b") },
  },
};

function request(path: string, body: BodyInit): Request {
  const headers = { "content-type": "application/json" };
  return new Request(`https://webhook.test${path}`, { method: "POST", body, headers });
}

Deno.test("each path answers for its kind, and for no other", async () => {
  const { logger } = loggerOf("error");
  const handler = createAdmission({ site: () => SITE, logger });
  assert.deepEqual([...RULES.keys()].sort(), [
    "/mutate/argocd-application",
    "/mutate/argocd-applicationset",
    "/mutate/argocd-appproject",
    "/mutate/argocd-repository",
    "/mutate/flux-gitrepository",
    "/mutate/flux-helmrepository",
    "/mutate/flux-ocirepository",
    "/mutate/pod",
  ]);
  for (const [path, rule] of RULES) {
    for (const [kind, object] of Object.entries(OBJECTS)) {
      const body = JSON.stringify(review(object, kind));
      const response = await handler(request(path, body));
      assert.equal(response.status, kind === rule.kind ? 200 : 400, `${path} ${kind}`);
      if (kind === rule.kind) assert.ok((await response.json()).response.patch, kind);
    }
  }
});

Deno.test("a warning goes to the API server", async () => {
  const { logger } = loggerOf("error");
  const handler = createAdmission({ site: () => SITE, logger });
  const object = { metadata: {}, spec: { source: { repoURL: "https://charts.jetstack.io" } } };
  const body = JSON.stringify(review(object, "Application"));
  const { response } = await (await handler(request("/mutate/argocd-application", body))).json();
  assert.equal(response.allowed, true);
  assert.match(response.warnings[0], /^spec\.source\.repoURL stays as it is: /);
});

Deno.test("whatever becomes of a body on its way, the answer is a review or a refusal", async () => {
  const random = randomNumbers(20261125);
  const { logger, lines } = loggerOf("error");
  const handler = createAdmission({ site: () => SITE, logger });
  const bits = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "null",
    "true",
    "-1",
    '""',
    "\\u0000",
    "\\ud800",
  ];
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  let answered = 0;
  for (let run = 0; run < 4_000; run++) {
    const [path, rule] = pick([...RULES]);
    let body = JSON.stringify(review(OBJECTS[rule.kind], rule.kind));
    for (let change = 0; change <= random() * 3; change++) {
      const at = Math.floor(random() * body.length);
      body = body.slice(0, at) + pick(bits) + body.slice(at + Math.floor(random() * 6));
    }
    const response = await handler(request(path, body));
    assert.ok(response.status === 200 || response.status === 400, `${response.status}: ${body}`);
    if (response.status !== 200) continue;
    answered++;
    const { kind, response: { uid, allowed } } = await response.json();
    assert.deepEqual([kind, typeof uid, typeof allowed], ["AdmissionReview", "string", "boolean"]);
  }
  assert.ok(answered > 100, `${answered} of 4000 were reviews`);
  assert.deepEqual(lines, []);
});
