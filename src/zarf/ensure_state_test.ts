import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import { encodeBase64 } from "./base64.ts";
import { ensureState, ensureZarfNamespace } from "./ensure_state.ts";
import { ZarfError } from "./errors.ts";
import { loadState, saveState } from "./state.ts";

const OPTIONS = {
  registryAddress: "127.0.0.1:31999",
  port: 31999,
  ipFamily: "ipv4",
} as const;
const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);
const REAL_STATE = Deno.readTextFileSync(new URL("zarf-state.decoded.json", FIXTURES));
const ACCOUNT = {
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name: "default", namespace: "zarf" },
};

/** A cluster whose controllers work: a new namespace gets its ServiceAccount. */
function cluster(): ApiObjects {
  const api = new ApiObjects();
  api.onChange = ({ kind, metadata }) => {
    if (kind === "Namespace" && metadata.name === "zarf") api.put(ACCOUNT);
  };
  return api;
}

const labelsOf = (api: ApiObjects, name: string) => api.find("namespaces", name)?.metadata.labels;

Deno.test("the first time makes the namespace, spares what runs already, and saves the state", async () => {
  await using api = cluster();
  const namespaceLabels = { "pod-security.kubernetes.io/enforce": "privileged" };
  const state = await ensureState(api.client, { ...OPTIONS, namespaceLabels });
  assert.deepEqual(labelsOf(api, "zarf"), {
    "app.kubernetes.io/managed-by": "zarf",
    "zarf.dev/agent": "mutate",
    "pod-security.kubernetes.io/enforce": "privileged",
  });
  for (const name of ["default", "kube-system"]) {
    assert.deepEqual(labelsOf(api, name), { "zarf.dev/agent": "ignore" }, name);
  }
  assert.deepEqual(api.writes, [
    "PATCH namespaces/zarf",
    "PATCH namespaces/default",
    "PATCH namespaces/kube-system",
    "PATCH secrets/zarf-state",
  ]);
  assert.deepEqual(await loadState(api.client), state);
  assert.equal(state.registryInfo.address, "127.0.0.1:31999");
});

Deno.test("the second time writes nothing, and later namespaces are not spared", async () => {
  await using api = cluster();
  const first = await ensureState(api.client, OPTIONS);
  api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "later" } });
  api.writes.length = 0;
  assert.deepEqual(await ensureState(api.client, OPTIONS), first);
  assert.deepEqual(api.writes, []);
  assert.equal(labelsOf(api, "later"), undefined);
});

Deno.test("the state of the real Zarf is taken over, credentials and all", async () => {
  await using api = cluster();
  api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "zarf" } });
  api.put({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "zarf-state", namespace: "zarf" },
    data: { state: encodeBase64(REAL_STATE) },
  } as never);
  const state = await ensureState(api.client, OPTIONS);
  assert.equal(state.registryInfo.pushPassword, JSON.parse(REAL_STATE).registryInfo.pushPassword);
  assert.deepEqual(api.writes, ["PATCH namespaces/zarf"], "only the labels were missing");
});

Deno.test("a state that cannot be read is left alone", async () => {
  const broken: [name: string, data: unknown, where: RegExp][] = [
    ["no data at all", undefined, /data\.state is wrong/],
    ["another key", { other: "" }, /data\.state is wrong/],
    ["no JSON", { state: encodeBase64("geheim") }, /outermost value is wrong/],
    ["no base64", { state: "%%%" }, /data\.state is wrong/],
    ["a number", { state: 7 }, /data\.state is wrong/],
  ];
  for (const [name, data, where] of broken) {
    await using api = cluster();
    await ensureZarfNamespace(api.client);
    const secret = { apiVersion: "v1", kind: "Secret", data };
    const metadata = { name: "zarf-state", namespace: "zarf" };
    api.put({ ...secret, metadata } as never);
    api.writes.length = 0;
    await assert.rejects(ensureState(api.client, OPTIONS), (error) => {
      assert.ok(error instanceof ZarfError, `${name}: ${error}`);
      assert.equal(error.reason, "StateInvalid");
      assert.equal(error.disposition, "wait");
      assert.match(error.message, /zarf\/zarf-state/);
      assert.match(error.message, where);
      assert.doesNotMatch(error.message, /geheim/);
      return true;
    }, name);
    assert.deepEqual(api.writes, [], name);
  }
});

Deno.test("a crash before the state was saved is made good, with nothing done twice", async () => {
  await using api = cluster();
  let refusals = 1;
  api.intercept = ({ path, method }) =>
    method === "PATCH" && path.endsWith("/secrets/zarf-state") && refusals-- > 0
      ? Response.json({ message: "etcd is full" }, { status: 500 })
      : undefined;
  await assert.rejects(ensureState(api.client, OPTIONS), /etcd is full/);
  api.writes.length = 0;
  await ensureState(api.client, OPTIONS);
  assert.deepEqual(api.writes, ["PATCH secrets/zarf-state"]);
});

Deno.test("the state waits for the namespace's ServiceAccount, for two minutes", async () => {
  await using api = new ApiObjects();
  const clock = new TestClock();
  await assert.rejects(ensureState(api.client, { ...OPTIONS, clock }), (error) => {
    assert.ok(error instanceof ZarfError);
    assert.equal(error.reason, "ServiceAccountMissing");
    assert.equal(error.disposition, "retry");
    assert.match(error.message, /within 120 s/);
    return true;
  });
  assert.equal(clock.monotonic(), 120_000);
  assert.equal(api.find("secrets", "zarf-state"), undefined, "no credentials were made");
  assert.equal(labelsOf(api, "default"), undefined, "nothing was labelled");

  setTimeout(() => api.put(ACCOUNT), 20);
  await ensureState(api.client, OPTIONS);
  assert.ok(api.find("secrets", "zarf-state"));
});

Deno.test("waiting for the ServiceAccount ends with the signal", async () => {
  await using api = new ApiObjects();
  const controller = new AbortController();
  const clock = new TestClock();
  clock.sleep = (_, signal) => {
    assert.equal(signal, controller.signal);
    controller.abort(new Error("shutting down"));
    return Promise.resolve();
  };
  const { signal } = controller;
  await assert.rejects(ensureState(api.client, { ...OPTIONS, clock, signal }), /shutting down/);
});

Deno.test("labels of the namespace are added to what it has, and only if one is missing", async () => {
  const rows: [name: string, labels: Record<string, string> | undefined, writes: number][] = [
    ["no labels", undefined, 1],
    ["one of two", { "zarf.dev/agent": "mutate" }, 1],
    ["another value", { "zarf.dev/agent": "ignore", "app.kubernetes.io/managed-by": "zarf" }, 1],
    [
      "all and more",
      { "zarf.dev/agent": "mutate", "app.kubernetes.io/managed-by": "zarf", tier: "1" },
      0,
    ],
  ];
  for (const [name, labels, writes] of rows) {
    await using api = new ApiObjects();
    const metadata = labels === undefined ? { name: "zarf" } : { name: "zarf", labels };
    api.put({ apiVersion: "v1", kind: "Namespace", metadata });
    await ensureZarfNamespace(api.client);
    assert.equal(api.writes.length, writes, name);
    assert.deepEqual(labelsOf(api, "zarf"), {
      ...labels,
      "zarf.dev/agent": "mutate",
      "app.kubernetes.io/managed-by": "zarf",
    }, name);
  }
});

Deno.test("a namespace that is spared already is not written again", async () => {
  await using api = cluster();
  const labels = { "zarf.dev/agent": "ignore" };
  api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default", labels } });
  await ensureState(api.client, OPTIONS);
  assert.ok(!api.writes.includes("PATCH namespaces/default"));
  assert.ok(api.writes.includes("PATCH namespaces/kube-system"));
});

Deno.test("a state is saved in a Secret of Zarf's shape, and again after a change", async () => {
  await using api = cluster();
  const state = await ensureState(api.client, OPTIONS);
  state.registryInfo.port = 30_000;
  await saveState(api.client, state);
  const secret = api.find("secrets", "zarf-state");
  assert.deepEqual(secret?.metadata.labels, { "app.kubernetes.io/managed-by": "zarf" });
  assert.equal(secret?.["type"], "Opaque");
  assert.deepEqual(Object.keys(secret?.["data"]), ["state"]);
  assert.equal((await loadState(api.client))?.registryInfo.nodePort, 30_000);
  const applied = api.peer.seen.filter(({ path }) => path.endsWith("/secrets/zarf-state"))
    .filter(({ method }) => method === "PATCH");
  assert.deepEqual(applied.map(({ query }) => query.get("force")), ["true", "true"]);
});
