import assert from "node:assert/strict";
import * as v from "valibot";
import { encodeBase64 } from "./base64.ts";
import { clientTlsOf } from "./client_tls.ts";
import { registryServiceAt } from "./registry_service.ts";
import { siteAccessOf, SiteAccessSchema } from "./site_access.ts";
import { newState, parseState } from "./state.ts";

const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);
/** The state that the real Zarf left. */
const REAL = parseState(Deno.readTextFileSync(new URL("zarf-state.decoded.json", FIXTURES)));

Deno.test("of the real state what readers need is taken, and no password of a writer", () => {
  const access = siteAccessOf(REAL, registryServiceAt("10.98.222.164"));
  assert.deepEqual(access, {
    registryAddress: "127.0.0.1:31999",
    registry: {
      serviceAddress: "zarf-docker-registry.zarf.svc.cluster.local:5000",
      clusterAddress: "10.98.222.164:5000",
      isInternal: true,
      usesMtls: false,
      pullUsername: "zarf-pull",
      pullPassword: REAL.registryInfo.pullPassword,
    },
    mutationPolicy: "all",
  });
  const text = JSON.stringify(access);
  for (const secret of [REAL.registryInfo.pushPassword, REAL.registryInfo.secret]) {
    assert(!text.includes(secret));
  }
  assert.deepEqual(v.parse(SiteAccessSchema, JSON.parse(text)), access, "it can be kept");
});

Deno.test("a registry that is no Service is itself the address, also inside the cluster", () => {
  const state = newState({ registryAddress: "r.example.com/a", port: 0, ipFamily: "ipv4" });
  state.registryInfo.registryMode = "external";
  const { registry } = siteAccessOf(state);
  assert.equal(registry.serviceAddress, "r.example.com/a");
  assert(!("clusterAddress" in registry));
  assert.equal(registry.isInternal, false);
});

Deno.test("a git server is known with its owner's name and its reader", () => {
  const state = structuredClone(REAL);
  Object.assign(state.gitServer, {
    address: "http://zarf-gitea-http.zarf.svc.cluster.local:3000",
    pushUsername: "zarf-git-user",
    pushPassword: "of the writer",
    pullUsername: "zarf-git-read-user",
    pullPassword: "of the reader",
  });
  assert.deepEqual(siteAccessOf(state).gitServer, {
    address: "http://zarf-gitea-http.zarf.svc.cluster.local:3000",
    pushUsername: "zarf-git-user",
    pullUsername: "zarf-git-read-user",
    pullPassword: "of the reader",
  });
});

Deno.test("policy and mTLS are what Zarf reads out of the state", () => {
  const policies: [written: string, meant: string][] = [
    ["labeled", "labeled"],
    ["all", "all"],
    ["", "all"],
    ["Labeled", "all"],
  ];
  for (const [written, meant] of policies) {
    const state = { ...REAL, agentMutationPolicy: written };
    assert.equal(siteAccessOf(state).mutationPolicy, meant, written);
  }
  const strategies: [written: string | undefined, meant: boolean][] = [
    [undefined, false],
    ["", false],
    ["none", false],
    ["zarf-managed", true],
  ];
  for (const [mtlsStrategy, meant] of strategies) {
    const state = parseState(JSON.stringify({
      ...REAL,
      registryInfo: { ...REAL.registryInfo, mtlsStrategy },
    }));
    assert.equal(siteAccessOf(state).registry.usesMtls, meant, mtlsStrategy);
  }
});

Deno.test("a client's certificate is whole or it is none", () => {
  const whole = { "ca.crt": "ca", "tls.crt": "cert", "tls.key": "key" };
  const secret = (data: Record<string, string>) => ({
    data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, encodeBase64(text)])),
  });
  assert.deepEqual(clientTlsOf(secret(whole)), { ca: "ca", cert: "cert", key: "key" });
  for (const key of Object.keys(whole)) {
    assert.equal(clientTlsOf(secret({ ...whole, [key]: "" })), undefined, key);
  }
  for (const other of [undefined, {}, { data: null }, { data: { "ca.crt": "%%%" } }]) {
    assert.equal(clientTlsOf(other), undefined);
  }
});
