import assert from "node:assert/strict";
import { compareSync } from "bcryptjs";
import { parseDefinition } from "../package/mod.ts";
import { newState, ZarfStateSchema } from "../zarf/mod.ts";
import * as v from "valibot";
import { stateObject, templateObjects, unknownState } from "./template_objects.ts";

const STATE = v.parse(ZarfStateSchema, {
  ...newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" }),
  distro: "k3s",
  storageClass: "fast",
  agentTLS: { ca: "Y2E=", cert: "Y2VydA==", key: null },
  injectorInfo: {
    injectorImage: "image:1",
    port: 5001,
    payLoadConfigMapAmount: 7,
    payLoadShaSum: "a",
  },
  gitServer: {
    address: "http://zarf-gitea-http.zarf.svc.cluster.local:3000",
    pushUsername: "gu",
    pushPassword: "gp",
    pullUsername: "ru",
    pullPassword: "rp",
  },
});
const { pushPassword, pullPassword, secret } = STATE.registryInfo;

const PUBLIC = {
  Distro: "k3s",
  StorageClass: "fast",
  IPFamily: "ipv4",
  Registry: {
    Address: "127.0.0.1:31999",
    Port: 31999,
    PushUsername: "zarf-push",
    PullUsername: "zarf-pull",
    Mode: "nodeport",
    MTLSEnabled: false,
    SeedAddress: "127.0.0.1:5001",
  },
  Git: {
    Address: "http://zarf-gitea-http.zarf.svc.cluster.local:3000",
    PushUsername: "gu",
    PullUsername: "ru",
    IsInternal: true,
  },
  Injector: { Image: "image:1", Port: 5001, PayloadConfigMaps: 7, PayloadShaSum: "a" },
};

Deno.test("a component sees of the state what everybody may see, and no password", () => {
  const seen = stateObject(STATE, []);
  assert.deepEqual(seen, PUBLIC);
  for (const hidden of [pushPassword, pullPassword, secret, "Y2E=", '"gp"', '"rp"']) {
    assert.ok(!JSON.stringify(seen).includes(hidden), hidden);
  }
});

Deno.test("each group of secrets is there for a component that names it, and no other", () => {
  assert.deepEqual(stateObject(STATE, ["gitCredentials", "unknown"]), {
    ...PUBLIC,
    Git: { ...PUBLIC.Git, PushPassword: "gp", PullPassword: "rp" },
  });
  assert.deepEqual(stateObject(STATE, ["agentCerts"]), {
    ...PUBLIC,
    Agent: { CA: "Y2E=", Cert: "Y2VydA==", Key: "" },
  });
  const { Registry, ...rest } = stateObject(STATE, ["registryCredentials"]);
  const { Registry: registry, ...others } = PUBLIC;
  assert.deepEqual(rest, others);
  const { Htpasswd, ...shown } = Registry as Record<string, unknown>;
  assert.deepEqual(shown, {
    ...registry,
    PushPassword: pushPassword,
    PullPassword: pullPassword,
    Secret: secret,
  });
  // A backslash and an n, as Zarf writes it.
  const users = String(Htpasswd).split("\\n").map((line) => line.split(":"));
  assert.deepEqual(users.map(([name]) => name), ["zarf-push", "zarf-pull"]);
  assert.ok(compareSync(pushPassword, users[0]?.[1] ?? ""));
  assert.ok(compareSync(pullPassword, users[1]?.[1] ?? ""));
});

Deno.test("a registry elsewhere has no file of passwords, and mTLS is told", () => {
  const state = structuredClone(STATE);
  Object.assign(state.registryInfo, { registryMode: "external", mtlsStrategy: "user-provided" });
  Object.assign(state, { ipFamily: "ipv6" });
  state.gitServer.address = "https://git.example";
  const seen = JSON.parse(JSON.stringify(stateObject(state, ["registryCredentials"])));
  assert.equal(seen.Registry.Htpasswd, "");
  assert.equal(seen.Registry.MTLSEnabled, true);
  assert.equal(seen.Registry.SeedAddress, "[::1]:5001");
  assert.equal(seen.Git.IsInternal, false);
});

Deno.test("without a cluster each value of the state says where it would come from", () => {
  const seen = JSON.parse(JSON.stringify(unknownState(["gitCredentials"])));
  assert.equal(seen.Registry.Address, "STATE_REGISTRY_ADDRESS");
  assert.equal(seen.Injector.PayloadShaSum, "STATE_INJECTOR_PAYLOADSHASUM");
  assert.equal(seen.StorageClass, "STATE_STORAGECLASS");
  assert.equal(seen.Git.PushPassword, "STATE_GIT_PUSHPASSWORD");
  assert.equal(seen.Registry.PushPassword, undefined);
});

Deno.test("templates see the package with the chosen components only, as Zarf writes it", () => {
  const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop", unknownKey: 1, version: 1.5 },
    components: [{ name: "a" }, { name: "b", required: true }, { name: "c" }],
    constants: [{ name: "MODE", value: "m" }],
  })));
  const variables = new Map([
    ["PLAIN", { value: "v", sensitive: true }],
    ["FILE", { value: "content", given: "/etc/ca.pem", sensitive: false }],
  ]);
  const values = [{ yaml: "a: 1" }];
  const components = definition.components.filter(({ name }) => name !== "b");
  const objects = templateObjects({ definition, components, variables, values });
  const { metadata, components: seen } = JSON.parse(objects.package ?? "");
  assert.deepEqual(metadata, { name: "shop", version: "1.5" });
  assert.deepEqual(seen.map(({ name }: { name: string }) => name), ["a", "c"]);
  assert.deepEqual(objects.constants, { MODE: "m" });
  assert.deepEqual(objects.variables, { PLAIN: "v", FILE: "/etc/ca.pem" });
  assert.equal(objects.values, values);
  assert.ok(!("state" in objects));
});
