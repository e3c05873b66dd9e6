import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { KubeError } from "../kube/mod.ts";
import { newState, saveState, stateOf } from "../zarf/mod.ts";
import { mayDeploy, NodeRights } from "./node_rights.ts";

const state = () => newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

const administrators = (api: ApiObjects) => api.find("clusterrolebindings", "holdfast:nodes");

Deno.test("serving takes one Role, and deploying the administrator's", async () => {
  await using api = new ApiObjects();
  await savedState(api);
  await new NodeRights(api.client, "serve").ensure();
  const role = api.find("roles", "holdfast:nodes");
  assert.equal(role?.metadata.namespace, "zarf");
  const rules = role?.["rules"] as Record<string, string[]>[];
  assert(rules.every(({ verbs }) => verbs?.every((verb) => /^(get|list|watch)$/.test(verb))));
  const secrets = rules.filter(({ resources }) => resources?.includes("secrets"));
  assert.deepEqual(secrets.map(({ resourceNames }) => resourceNames), [["holdfast-nodes"]]);
  const [subject] = api.find("rolebindings", "holdfast:nodes")?.["subjects"] as { name: string }[];
  assert.equal(subject?.name, "holdfast:nodes");
  assert.equal(administrators(api), undefined);

  await new NodeRights(api.client, "deploy").ensure();
  assert.deepEqual(administrators(api)?.["roleRef"], {
    apiGroup: "rbac.authorization.k8s.io",
    kind: "ClusterRole",
    name: "cluster-admin",
  });
});

Deno.test("what is right is not written, and what somebody changed is put right", async () => {
  await using api = new ApiObjects();
  await savedState(api);
  const rights = new NodeRights(api.client, "deploy");
  await rights.ensure();
  const writes = api.writes.length;
  await rights.ensure();
  await rights.keep();
  assert.equal(api.writes.length, writes);
  const role = api.find("roles", "holdfast:nodes");
  assert(role);
  api.put({ ...role, rules: [] });
  await rights.keep();
  assert.deepEqual(api.writes.slice(writes), ["PATCH roles/holdfast:nodes"]);
  assert.deepEqual(api.find("roles", "holdfast:nodes")?.["rules"], role["rules"]);
});

Deno.test("a cluster without such agents is not written to", async () => {
  await using api = new ApiObjects();
  await savedState(api);
  const writes = api.writes.length;
  await new NodeRights(api.client, "deploy").keep();
  assert.equal(api.writes.length, writes);
});

Deno.test("the right to deploy is taken back when it is to be no more", async () => {
  await using api = new ApiObjects();
  await new NodeRights(api.client, "deploy").ensure();
  assert(administrators(api));
  await new NodeRights(api.client, "serve").keep();
  assert.equal(administrators(api), undefined);
  assert(api.find("roles", "holdfast:nodes"));
});

Deno.test("of the state they read who may pull, never who may push", async () => {
  await using api = new ApiObjects();
  const whole = await savedState(api);
  const rights = new NodeRights(api.client, "serve");
  await rights.ensure();
  const secret = () => api.find("secrets", "holdfast-nodes");
  const read = stateOf(secret());
  assert.equal(read.registryInfo.pullPassword, whole.registryInfo.pullPassword);
  assert.equal(read.registryInfo.address, "127.0.0.1:31999");
  const text = JSON.stringify(read);
  assert(whole.registryInfo.pushPassword.length > 10);
  for (
    const password of [
      whole.registryInfo.pushPassword,
      whole.registryInfo.secret,
      "git-secret",
      "agent-key",
    ]
  ) assert(!text.includes(password), password);
  // As `zarf tools update-creds` does.
  await saveState(api.client, {
    ...whole,
    registryInfo: { ...whole.registryInfo, pullPassword: "another" },
  });
  await rights.keep();
  assert.equal(stateOf(secret()).registryInfo.pullPassword, "another");
});

Deno.test("before there is a state there are rights", async () => {
  await using api = new ApiObjects();
  await new NodeRights(api.client, "serve").ensure();
  assert(api.find("roles", "holdfast:nodes"));
  assert.equal(api.find("secrets", "holdfast-nodes"), undefined);
});

Deno.test("who may read the state may deploy; who cannot be told is an error", async () => {
  await using api = new ApiObjects();
  assert.equal(await mayDeploy(api.client), true);
  api.intercept = () => status(403, "Forbidden");
  assert.equal(await mayDeploy(api.client), false);
  api.intercept = () => status(500, "InternalError");
  await assert.rejects(mayDeploy(api.client), KubeError);
});

async function savedState(api: ApiObjects) {
  const fresh = state();
  const whole = {
    ...fresh,
    gitServer: { ...fresh.gitServer, pushPassword: "git-secret", pullPassword: "git-secret" },
    agentTLS: { ca: null, cert: null, key: "agent-key" },
  };
  api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "zarf" } });
  await saveState(api.client, whole);
  return whole;
}
