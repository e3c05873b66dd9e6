import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { ensurePullSecrets, pullSecrets } from "./pull_secrets.ts";
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
  const secrets = pullSecrets("app-small", state, clusterIP);
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
  const [secret] = pullSecrets("a", state, "fd00::5");
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
  const secret = pullSecrets("a", state)[1];
  assert.equal(secret?.metadata.name, "private-git-server");
  assert.equal(secret?.type, "Opaque");
  assert.equal(decodeBase64(secret?.data["username"] ?? ""), "zarf-git-read-user");
  assert.equal(decodeBase64(secret?.data["password"] ?? ""), "pässword");
});

/** The state that the real Zarf left. */
const STATE = parseState(JSON.stringify(fixture("zarf-state.decoded.json")));

async function clusterWith(...names: string[]): Promise<ApiObjects> {
  const api = new ApiObjects();
  for (const name of names) api.put(namespace(name));
  return await Promise.resolve(api);
}

Deno.test("pull secrets are written once and then left alone", async () => {
  await using api = await clusterWith("shop");
  const options = { clusterIP: "10.96.0.12" };
  await ensurePullSecrets(api.client, "shop", STATE, options);
  assert.deepEqual(api.writes, ["PATCH secrets/private-registry"]);
  const written = api.peer.seen.find(({ method }) => method === "PATCH");
  assert.equal(written?.query.get("force"), "true", "the real Zarf may have owned it before");
  const [wanted] = pullSecrets("shop", STATE, "10.96.0.12");
  const found = api.find("secrets", "private-registry");
  assert.deepEqual(found?.["data"], wanted?.data);
  assert.equal(found?.["type"], "kubernetes.io/dockerconfigjson");
  await ensurePullSecrets(api.client, "shop", STATE, options);
  assert.equal(api.writes.length, 1);
});

Deno.test("a pull secret that the real Zarf wrote is left alone", async () => {
  await using api = await clusterWith("app-small");
  api.put(fixture("app-small-secrets.json").items[0]);
  const clusterIP = "10.98.222.164";
  await ensurePullSecrets(api.client, "app-small", STATE, { clusterIP });
  assert.deepEqual(api.writes, []);
});

Deno.test("a pull secret that somebody changed is put right", async () => {
  const [good] = pullSecrets("shop", STATE);
  assert.ok(good);
  const rows: [name: string, changed: Record<string, unknown>][] = [
    ["another password", { data: { ".dockerconfigjson": encodeBase64("{}") } }],
    ["another key", { data: { other: good.data[".dockerconfigjson"] } }],
    ["one key more", { data: { ...good.data, more: "" } }],
    ["no data", { data: undefined }],
    ["another type", { type: "Opaque" }],
    ["no labels", { metadata: { name: good.metadata.name, namespace: "shop" } }],
  ];
  for (const [name, changed] of rows) {
    await using api = await clusterWith("shop");
    api.put({ ...good, ...changed } as never);
    await ensurePullSecrets(api.client, "shop", STATE);
    assert.deepEqual(api.writes, ["PATCH secrets/private-registry"], name);
  }
});

Deno.test("without the Service's address a pull secret names the node and the DNS name", () => {
  const [secret] = pullSecrets("shop", STATE);
  const config = JSON.parse(decodeBase64(secret?.data[".dockerconfigjson"] ?? "") ?? "");
  assert.deepEqual(
    Object.keys(config.auths),
    [
      STATE.registryInfo.address,
      "zarf-docker-registry.zarf.svc.cluster.local:5000",
    ].sort(),
  );
  const auths: { auth: string }[] = Object.values(config.auths);
  const { pullUsername, pullPassword } = STATE.registryInfo;
  for (const { auth } of auths) assert.equal(decodeBase64(auth), `${pullUsername}:${pullPassword}`);
});

Deno.test("only where there is a git server do controllers get a secret for it", async () => {
  for (const address of ["", "http://gitea.zarf:3000"]) {
    await using api = await clusterWith("shop");
    const state = { ...STATE, gitServer: { ...STATE.gitServer, address } };
    await ensurePullSecrets(api.client, "shop", state);
    assert.equal(api.find("secrets", "private-git-server") !== undefined, address !== "");
  }
});
