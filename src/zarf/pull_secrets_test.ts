import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { ensurePullSecrets, holdsSecret, needsPullSecrets, pullSecrets } from "./pull_secrets.ts";
import { registryServiceAt } from "./registry_service.ts";
import { siteAccessOf } from "./site_access.ts";
import { newState, parseState } from "./state.ts";

const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);

function fixture(name: string) {
  return JSON.parse(Deno.readTextFileSync(new URL(name, FIXTURES)));
}

Deno.test("the pull secret is byte for byte the one that the real Zarf left", () => {
  const state = parseState(JSON.stringify(fixture("zarf-state.decoded.json")));
  const real = fixture("app-small-secrets.json").items[0];
  const [address] = Object.keys(
    JSON.parse(decodeBase64(real.data[".dockerconfigjson"]) ?? "").auths,
  );
  const clusterIP = address?.split(":")[0];
  assert.equal(clusterIP, "10.98.222.164");
  const access = siteAccessOf(state, registryServiceAt(clusterIP ?? ""));
  const secrets = pullSecrets("app-small", access);
  assert.equal(secrets.length, 1);
  assert.deepEqual(secrets[0], {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "private-registry", namespace: "app-small", labels: real.metadata.labels },
    type: real.type,
    data: real.data,
  });
});

Deno.test("an IPv6 service address is written in brackets", () => {
  const state = newState({ registryAddress: "[::1]:31999", port: 31999, ipFamily: "ipv6" });
  const [secret] = pullSecrets("a", siteAccessOf(state, registryServiceAt("fd00::5")));
  const config = JSON.parse(decodeBase64(secret?.data[".dockerconfigjson"] ?? "") ?? "");
  assert.deepEqual(Object.keys(config.auths), [
    "[::1]:31999",
    "[fd00::5]:5000",
    "zarf-docker-registry.zarf.svc.cluster.local:5000",
  ]);
});

Deno.test("a configured git server adds a secret with its read-only user", () => {
  const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
  Object.assign(state.gitServer, {
    address: "http://zarf-gitea-http.zarf.svc.cluster.local:3000",
    pullUsername: "zarf-git-read-user",
    pullPassword: "pässword",
  });
  const secret = pullSecrets("a", siteAccessOf(state))[1];
  assert.equal(secret?.metadata.name, "private-git-server");
  assert.equal(secret?.type, "Opaque");
  assert.equal(decodeBase64(secret?.data["username"] ?? ""), "zarf-git-read-user");
  assert.equal(decodeBase64(secret?.data["password"] ?? ""), "pässword");
});

/** The state that the real Zarf left. */
const STATE = parseState(JSON.stringify(fixture("zarf-state.decoded.json")));
const ACCESS = siteAccessOf(STATE, registryServiceAt("10.98.222.164"));

async function clusterWith(...names: string[]): Promise<ApiObjects> {
  const api = new ApiObjects();
  for (const name of names) api.put(namespace(name));
  return await Promise.resolve(api);
}

Deno.test("pull secrets are written once and then left alone", async () => {
  await using api = await clusterWith("shop");
  await ensurePullSecrets(api.client, "shop", ACCESS);
  assert.deepEqual(api.writes, ["PATCH secrets/private-registry"]);
  const written = api.peer.seen.find(({ method }) => method === "PATCH");
  assert.equal(written?.query.get("force"), "true", "the real Zarf may have owned it before");
  const [wanted] = pullSecrets("shop", ACCESS);
  const found = api.find("secrets", "private-registry");
  assert.deepEqual(found?.["data"], wanted?.data);
  assert.equal(found?.["type"], "kubernetes.io/dockerconfigjson");
  await ensurePullSecrets(api.client, "shop", ACCESS);
  assert.equal(api.writes.length, 1);
});

Deno.test("a pull secret that the real Zarf wrote is left alone", async () => {
  await using api = await clusterWith("app-small");
  api.put(fixture("app-small-secrets.json").items[0]);
  await ensurePullSecrets(api.client, "app-small", ACCESS);
  assert.deepEqual(api.writes, []);
});

Deno.test("a pull secret that somebody changed is put right", async () => {
  const [good] = pullSecrets("shop", ACCESS);
  assert.ok(good);
  const rows: [name: string, changed: Record<string, unknown>][] = [
    ["another password", { data: { ".dockerconfigjson": encodeBase64("{}") } }],
    ["another key", { data: { other: good.data[".dockerconfigjson"] } }],
    ["no data", { data: undefined }],
    ["another type", { type: "Opaque" }],
    ["no labels", { metadata: { name: good.metadata.name, namespace: "shop" } }],
  ];
  for (const [name, changed] of rows) {
    await using api = await clusterWith("shop");
    api.put({ ...good, ...changed } as never);
    await ensurePullSecrets(api.client, "shop", ACCESS);
    assert.deepEqual(api.writes, ["PATCH secrets/private-registry"], name);
  }
});

Deno.test("a key that somebody added is left alone: an apply would not take it away", () => {
  const [good] = pullSecrets("shop", ACCESS);
  assert.ok(good);
  assert.equal(holdsSecret({ ...good, data: { ...good.data, more: "" } }, good), true);
  assert.equal(holdsSecret(undefined, good), false);
});

Deno.test("without a Service a pull secret names the address alone, as Zarf's does", () => {
  const [secret] = pullSecrets("shop", siteAccessOf(STATE));
  const config = JSON.parse(decodeBase64(secret?.data[".dockerconfigjson"] ?? "") ?? "");
  assert.deepEqual(Object.keys(config.auths), [STATE.registryInfo.address]);
  const auths: { auth: string }[] = Object.values(config.auths);
  const { pullUsername, pullPassword } = STATE.registryInfo;
  for (const { auth } of auths) assert.equal(decodeBase64(auth), `${pullUsername}:${pullPassword}`);
});

Deno.test("only where there is a git server do controllers get a secret for it", async () => {
  for (const address of ["", "http://gitea.zarf:3000"]) {
    await using api = await clusterWith("shop");
    const state = { ...STATE, gitServer: { ...STATE.gitServer, address } };
    await ensurePullSecrets(api.client, "shop", siteAccessOf(state));
    assert.equal(api.find("secrets", "private-git-server") !== undefined, address !== "");
  }
});

Deno.test("without a registry there is no secret for one", () => {
  const none = { ...STATE, registryInfo: { ...STATE.registryInfo, address: "" } };
  assert.deepEqual(pullSecrets("shop", siteAccessOf(none)), []);
});

Deno.test("where the registry asks for a certificate it is beside the pull secret", () => {
  const tls = { ca: "ca", cert: "cert", key: "key" };
  const mtls = siteAccessOf({
    ...STATE,
    registryInfo: { ...STATE.registryInfo, mtlsStrategy: "zarf-managed" },
  });
  const names = (...parameters: Parameters<typeof pullSecrets>) =>
    pullSecrets(...parameters).map(({ metadata }) => metadata.name);
  assert.deepEqual(names("shop", mtls, tls), ["private-registry", "zarf-registry-client-tls"]);
  const [, secret] = pullSecrets("shop", mtls, tls);
  assert.equal(secret?.type, "kubernetes.io/tls");
  assert.deepEqual(secret?.data, {
    "ca.crt": encodeBase64("ca"),
    "tls.crt": encodeBase64("cert"),
    "tls.key": encodeBase64("key"),
  });
  assert.deepEqual(names("zarf", mtls, tls), ["private-registry"], "there it is Zarf's own");
  assert.deepEqual(names("shop", mtls), ["private-registry"], "while there is none");
  assert.deepEqual(names("shop", ACCESS, tls), ["private-registry"], "where nobody asks for it");
});

Deno.test("a namespace needs pull secrets where objects may be mutated", () => {
  const rows: [metadata: Record<string, unknown>, all: boolean, labeled: boolean][] = [
    [{ name: "shop" }, true, false],
    [{ name: "shop", labels: {} }, true, false],
    [{ name: "shop", labels: { "zarf.dev/agent": "mutate" } }, true, true],
    [{ name: "shop", labels: { "zarf.dev/agent": "ignore" } }, false, false],
    [{ name: "shop", labels: { "zarf.dev/agent": "skip" } }, false, false],
    [{ name: "shop", labels: { "zarf.dev/agent": "Ignore" } }, true, false],
    [{ name: "zarf", labels: { "zarf.dev/agent": "mutate" } }, true, true],
    [{ name: "kube-system" }, false, false],
    [{ name: "kube-system", labels: { "zarf.dev/agent": "mutate" } }, false, false],
    [{ name: "kube-public" }, true, false],
    [{ name: "shop", deletionTimestamp: "2026-01-01T00:00:00Z" }, false, false],
  ];
  for (const [metadata, all, labeled] of rows) {
    const text = JSON.stringify(metadata);
    assert.equal(needsPullSecrets({ metadata }, "all"), all, text);
    assert.equal(needsPullSecrets({ metadata }, "labeled"), labeled, text);
  }
  assert.equal(needsPullSecrets({}, "all"), false);
});
