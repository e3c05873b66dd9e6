import assert from "node:assert/strict";
import { createLogger, digestOf } from "../std/mod.ts";
import { SEED_OWNER, Store } from "../store/mod.ts";
import { createRegistry } from "./handler.ts";
import {
  DOCKER_MANIFEST,
  imageOf,
  OCI_MANIFEST,
  putManifest,
  type TestRegistry,
  withRegistry,
} from "./testing.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";

/** Two images of one repository and different hosts, the second with Docker's media type. */
async function fill({ store }: TestRegistry) {
  const hub = await putManifest(store, { name: "hub" });
  const quay = await putManifest(store, { name: "quay" }, { mediaType: DOCKER_MANIFEST });
  const images = [
    imageOf(hub.descriptor, "library/nginx", "1.27"),
    imageOf(quay.descriptor, "library/nginx", "2", "quay.io"),
  ];
  store.records.putImages(SEED_OWNER, images, [hub.descriptor, quay.descriptor], []);
  return { hub, quay };
}

async function errorCode(response: Response): Promise<string> {
  const body = await response.json();
  assert.deepEqual(Object.keys(body.errors[0]).sort(), ["code", "detail", "message"]);
  assert.equal(response.headers.get("content-type"), "application/json");
  return body.errors[0].code;
}

Deno.test("the base path tells that this is a registry", () =>
  withRegistry(async (registry) => {
    for (const method of ["GET", "HEAD"]) {
      const response = await registry.get("", { method });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("docker-distribution-api-version"), "registry/2.0");
      await response.body?.cancel();
    }
  }));

for (
  const [reference, which] of [
    ["1.27", "hub"],
    ["1.27-zarf-3892838293", "hub"],
    ["1.27?ns=docker.io", "hub"],
    ["1.27?ns=index.docker.io", "hub"],
    ["2", "quay"],
    ["2?ns=quay.io", "quay"],
  ] as const
) {
  for (const method of ["GET", "HEAD"]) {
    Deno.test(`${method} of the tag ${reference} answers the manifest of ${which}`, () =>
      withRegistry(async (registry) => {
        const { bytes, descriptor } = (await fill(registry))[which];
        const response = await registry.get(`library/nginx/manifests/${reference}`, { method });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("content-type"), descriptor.mediaType);
        assert.equal(response.headers.get("content-length"), String(bytes.length));
        assert.equal(response.headers.get("docker-content-digest"), descriptor.digest);
        assert.equal(response.headers.get("etag"), `"${descriptor.digest}"`);
        const expected = method === "GET" ? bytes : new Uint8Array();
        assert.deepEqual(new Uint8Array(await response.arrayBuffer()), expected);
      }));
  }
}

for (
  const [ns, which] of [
    ["docker.io", "hub"],
    ["index.docker.io", "hub"],
    ["registry-1.docker.io", "mirrored"],
    ["quay.io", "quay"],
    ["QUAY.io", "quay"],
    ["quay.io:443", "port"],
    ["Registry.Example", "upper"],
    ["registry.example", undefined],
    ["ghcr.io", undefined],
  ] as const
) {
  Deno.test(`of images that differ by their host alone, ${ns} has ${which ?? "none"}`, () =>
    withRegistry(async (registry) => {
      const hosts = {
        hub: "docker.io",
        mirrored: "registry-1.docker.io",
        quay: "quay.io",
        port: "quay.io:443",
        upper: "Registry.Example",
      };
      const digests: Record<string, string> = {};
      const images = [];
      for (const [name, host] of Object.entries(hosts)) {
        const { descriptor } = await putManifest(registry.store, { name });
        digests[name] = descriptor.digest;
        images.push(imageOf(descriptor, "library/app", "1", host));
      }
      registry.store.records.putImages(SEED_OWNER, images, images.map((one) => one.descriptor), []);
      const response = await registry.get(`library/app/manifests/1?ns=${ns}`);
      const digest = response.headers.get("docker-content-digest") ?? undefined;
      assert.equal(digest, which && digests[which]);
      assert.equal(response.status, which === undefined ? 404 : 200);
      await response.body?.cancel();
      const tags = await registry.get(`library/app/tags/list?ns=${ns}`);
      assert.equal(tags.status, which === undefined ? 404 : 200);
      await tags.body?.cancel();
    }));
}

Deno.test("a manifest is served by digest with its own media type, under any host", () =>
  withRegistry(async (registry) => {
    const { quay } = await fill(registry);
    for (const ns of ["", "?ns=docker.io", "?ns=quay.io"]) {
      const path = `library/nginx/manifests/${quay.descriptor.digest}${ns}`;
      const response = await registry.get(path);
      assert.equal(response.headers.get("content-type"), DOCKER_MANIFEST);
      assert.deepEqual(new Uint8Array(await response.arrayBuffer()), quay.bytes);
    }
  }));

Deno.test("a manifest that the client has already is not sent again", () =>
  withRegistry(async (registry) => {
    const { hub } = await fill(registry);
    const { digest } = hub.descriptor;
    for (const header of [`"${digest}"`, `W/"${digest}"`, `"x", "${digest}"`, "*"]) {
      const headers = { "if-none-match": header };
      const response = await registry.get("library/nginx/manifests/1.27", { headers });
      assert.equal(response.status, 304, header);
      assert.equal(await response.text(), "");
    }
    const headers = { "if-none-match": `"sha256:other"` };
    const response = await registry.get("library/nginx/manifests/1.27", { headers });
    assert.equal(response.status, 200);
    await response.body?.cancel();
  }));

const UNKNOWN = digestOf("unknown");
for (
  const [path, status, code] of [
    ["library/nginx/manifests/1.27?ns=quay.io", 404, "MANIFEST_UNKNOWN"],
    ["library/nginx/manifests/nope", 404, "MANIFEST_UNKNOWN"],
    ["library/other/manifests/1.27", 404, "MANIFEST_UNKNOWN"],
    [`library/nginx/manifests/${UNKNOWN}`, 404, "MANIFEST_UNKNOWN"],
    ["library/nginx/manifests/sha256:abc", 400, "DIGEST_INVALID"],
    ["library/nginx/manifests/.bad", 400, "TAG_INVALID"],
    ["library/NGINX/manifests/1", 400, "NAME_INVALID"],
    ["library/nginx/manifests/1?ns=a%2Fb", 400, "NAME_INVALID"],
    ["library/nginx/manifests/1?ns=a..b", 400, "NAME_INVALID"],
    [`library/nginx/blobs/${UNKNOWN}`, 404, "BLOB_UNKNOWN"],
    [`library/nginx/blobs/sha512:${"0".repeat(128)}`, 404, "BLOB_UNKNOWN"],
    ["library/nginx/blobs/sha256:..", 400, "DIGEST_INVALID"],
    ["library/other/tags/list", 404, "NAME_UNKNOWN"],
    ["library/nginx/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"],
    ["library/nginx/tags/list?n=-1", 400, "PAGINATION_NUMBER_INVALID"],
    ["library/nginx/referrers/sha256:x", 400, "DIGEST_INVALID"],
    ["library/nginx", 404, "NAME_UNKNOWN"],
  ] as const
) {
  Deno.test(`GET ${path.slice(0, 60)} is ${status} ${code}`, () =>
    withRegistry(async (registry) => {
      await fill(registry);
      const response = await registry.get(path);
      assert.equal(response.status, status);
      assert.equal(await errorCode(response), code);
      const head = await registry.get(path, { method: "HEAD" });
      assert.equal(head.status, status);
      assert.equal(await head.text(), "");
    }));
}

for (
  const [method, path] of [
    ["POST", "library/nginx/blobs/uploads/"],
    ["GET", "library/nginx/blobs/uploads/1"],
    ["PATCH", "library/nginx/blobs/uploads/1"],
    ["PUT", "library/nginx/blobs/uploads/1"],
    ["PUT", "library/nginx/manifests/1"],
    ["DELETE", "library/nginx/manifests/1.27"],
    ["DELETE", `library/nginx/blobs/${UNKNOWN}`],
    ["POST", ""],
    ["OPTIONS", "_catalog"],
  ] as const
) {
  Deno.test(`${method} ${path.slice(0, 40)} is 405 and says what is allowed`, () =>
    withRegistry(async (registry) => {
      await fill(registry);
      const response = await registry.get(path, { method });
      assert.equal(response.status, 405);
      assert.equal(response.headers.get("allow"), "GET, HEAD");
      assert.equal(await errorCode(response), "UNSUPPORTED");
      const kept = await registry.get("library/nginx/manifests/1.27");
      assert.equal(kept.status, 200);
      await kept.body?.cancel();
    }));
}

Deno.test("tags and repositories are listed in pages that link to each other", () =>
  withRegistry(async (registry) => {
    await fill(registry);
    const tags = ["1.27", "1.27-zarf-3892838293", "2", "2-zarf-3892838293"];
    const all = await registry.get("library/nginx/tags/list");
    assert.deepEqual(await all.json(), { name: "library/nginx", tags });
    const one = await registry.get("library/nginx/tags/list?ns=quay.io");
    assert.deepEqual((await one.json()).tags, tags.slice(2));
    const seen: string[] = [];
    let next: string | undefined = "/v2/library/nginx/tags/list?n=3";
    for (let pages = 0; next !== undefined; pages++) {
      assert.ok(pages < 2, "there are two pages");
      const response: Response = await fetch(registry.url + next);
      seen.push(...(await response.json()).tags);
      const link = response.headers.get("link");
      next = link === null ? undefined : /^<([^>]+)>; rel="next"$/.exec(link)?.[1];
    }
    assert.deepEqual(seen, tags);
    const none = await registry.get("library/nginx/tags/list?n=0");
    assert.equal(none.headers.get("link"), null);
    assert.deepEqual((await none.json()).tags, []);
    const after = await registry.get("library/nginx/tags/list?last=1.99");
    assert.deepEqual((await after.json()).tags, tags.slice(2));
    const catalog = await registry.get("_catalog");
    assert.deepEqual(await catalog.json(), { repositories: ["library/nginx"] });
  }));

Deno.test("referrers are an index, filtered by artifact type where one is asked for", () =>
  withRegistry(async (registry) => {
    const { hub } = await fill(registry);
    const subject = hub.descriptor.digest;
    const put = async (artifactType: string) =>
      (await putManifest(registry.store, { artifactType }, {
        artifactType,
        subject,
        annotations: { made: "by a test" },
      })).descriptor;
    const signature = await put("application/example.signature");
    const sbom = await put("application/example.sbom");
    registry.store.records.putImages("more", [], [signature, sbom], []);

    const all = await registry.get(`library/nginx/referrers/${subject}`);
    assert.equal(all.headers.get("content-type"), INDEX);
    assert.equal(all.headers.get("oci-filters-applied"), null);
    const index = await all.json();
    assert.equal(index.schemaVersion, 2);
    assert.equal(index.mediaType, INDEX);
    assert.equal(index.manifests.length, 2);

    const path = `library/nginx/referrers/${subject}?artifactType=application/example.sbom`;
    const filtered = await registry.get(path);
    assert.equal(filtered.headers.get("oci-filters-applied"), "artifactType");
    const { digest, size } = sbom;
    const annotations = { made: "by a test" };
    assert.deepEqual((await filtered.json()).manifests, [
      { mediaType: OCI_MANIFEST, digest, size, artifactType: sbom.artifactType, annotations },
    ]);

    const none = await registry.get(`library/nginx/referrers/${digestOf("nobody")}`);
    assert.equal(none.status, 200);
    assert.deepEqual((await none.json()).manifests, []);
  }));

Deno.test("requests are counted by route and status, bytes by source", () =>
  withRegistry(async (registry) => {
    const { hub } = await fill(registry);
    for (const path of ["library/nginx/manifests/1.27", "library/nginx/manifests/nope", "nope"]) {
      await (await registry.get(path)).body?.cancel();
    }
    assert.deepEqual(registry.metrics.requests, {
      manifests: { "200": 1, "404": 1 },
      unknown: { "404": 1 },
    });
    assert.deepEqual(registry.metrics.bytes, { store: hub.bytes.length });
  }));

Deno.test("a store that cannot be read is a 500 without its details, and is logged", async () => {
  const dir = await Deno.makeTempDir();
  const store = Store.open(dir);
  store.close();
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const logger = createLogger({ level: "error", format: "json", write });
  const handler = createRegistry({ store, upstreams: [], logger });
  const response = await handler(new Request("http://127.0.0.1/v2/a/manifests/1"));
  assert.equal(response.status, 500);
  const { errors } = await response.json();
  assert.deepEqual(errors[0].code, "UNKNOWN");
  assert.ok(!JSON.stringify(errors).includes(dir));
  assert.match(lines.join(""), /a registry request failed/);
  await Deno.remove(dir, { recursive: true });
});
