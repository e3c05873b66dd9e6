import assert from "node:assert/strict";
import { decodeBase64 } from "./base64.ts";
import { pullSecrets } from "./pull_secrets.ts";
import { newState, parseState } from "./state.ts";

const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);

function fixture(name: string) {
  return JSON.parse(Deno.readTextFileSync(new URL(name, FIXTURES)));
}

Deno.test("the pull secret is byte for byte the one that the real Zarf left", () => {
  const state = parseState(JSON.stringify(fixture("zarf-state.decoded.json")));
  const real = fixture("app-small-secrets.json").items[0];
  const [address] = Object.keys(
    JSON.parse(decodeBase64(real.data[".dockerconfigjson"])).auths,
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
  const config = JSON.parse(decodeBase64(secret?.data[".dockerconfigjson"] ?? ""));
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
