import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { eventually, loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { ensureAdmissionTls, TLS_SECRET } from "../admission/mod.ts";
import { Store } from "../store/mod.ts";
import { newState, saveState, type ZarfState } from "../zarf/mod.ts";
import { ClusterFacts } from "./cluster_facts.ts";

const freshState = () =>
  newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

interface Stage {
  readonly api: ApiObjects;
  readonly store: Store;
  readonly facts: ClusterFacts;
  readonly lines: string[];
}

function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    const { logger, lines } = loggerOf();
    await action({ api, store, lines, facts: new ClusterFacts(store, logger) });
  });
}

async function bootstrapped(api: ApiObjects): Promise<ZarfState> {
  const state = freshState();
  await saveState(api.client, state);
  api.put({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "zarf-docker-registry", namespace: "zarf" },
    spec: { clusterIP: "10.96.0.12" },
  } as AnyObject);
  await ensureAdmissionTls(api.client);
  return state;
}

Deno.test("of a cluster without Zarf nothing is known, and nothing is written", () =>
  staged(async ({ api, store, facts }) => {
    await facts.refresh(api.client);
    assert.deepEqual(facts.current, {});
    assert.equal(store.records.getValue("cluster-facts"), undefined);
    assert.deepEqual(api.writes, []);
  }));

Deno.test("the registry is known with the reader's password, and the webhook's certificate", () =>
  staged(async ({ api, facts }) => {
    const { registryInfo } = await bootstrapped(api);
    await facts.refresh(api.client);
    assert.deepEqual(facts.current.registry, {
      url: "http://10.96.0.12:5000",
      username: registryInfo.pullUsername,
      password: registryInfo.pullPassword,
    });
    assert.match(facts.current.tls?.cert ?? "", /BEGIN CERTIFICATE/);
    assert.notEqual(facts.current.registry?.password, registryInfo.pushPassword);
  }));

Deno.test("what was known is known after a start without an API server", () =>
  staged(async ({ api, store, facts, lines }) => {
    await bootstrapped(api);
    await facts.refresh(api.client);
    const { logger } = loggerOf();
    assert.deepEqual(new ClusterFacts(store, logger).current, facts.current);
    store.records.setValue("cluster-facts", { registry: "of another version" });
    assert.deepEqual(new ClusterFacts(store, logger).current, {});
    assert.deepEqual(lines, []);
  }));

Deno.test("whoever serves with the certificate is told when there is another one, and only then", () =>
  staged(async ({ api, facts }) => {
    await bootstrapped(api);
    const first = facts.tlsChanged;
    await facts.refresh(api.client);
    assert.equal(first.aborted, true, "there is one now");
    const second = facts.tlsChanged;
    await facts.refresh(api.client);
    await saveState(api.client, freshState());
    await facts.refresh(api.client);
    assert.equal(second.aborted, false, "only the registry's password is another one");
    const secret = api.find("secrets", TLS_SECRET);
    assert(secret);
    api.remove(secret);
    await ensureAdmissionTls(api.client);
    await facts.refresh(api.client);
    assert.equal(second.aborted, true);
    assert.equal(facts.tlsChanged.aborted, false);
  }));

Deno.test("running it learns what is made later, by itself or when it is woken", () =>
  staged(async ({ api, facts }) => {
    const abort = new AbortController();
    const running = facts.run(api.client, abort.signal);
    await eventually(() => api.peer.seen.length > 0);
    await bootstrapped(api);
    await eventually(() => facts.current.tls);
    const { url } = facts.current.registry ?? {};
    assert.equal(url, "http://10.96.0.12:5000");
    const service = api.find("services", "zarf-docker-registry");
    assert(service);
    api.put({ ...service, spec: { clusterIP: "10.96.0.99" } } as AnyObject);
    facts.wake();
    await eventually(() => facts.current.registry?.url.includes("10.96.0.99"));
    abort.abort();
    await running;
  }));

Deno.test("a cluster that does not answer takes nothing away from what was known", () =>
  staged(async ({ api, facts, lines }) => {
    await bootstrapped(api);
    await facts.refresh(api.client);
    const known = facts.current;
    api.intercept = () => status(500, "InternalError", "etcd is gone");
    const abort = new AbortController();
    const running = facts.run(api.client, abort.signal);
    await eventually(() => lines.length > 0);
    assert.match(lines[0] ?? "", /^warn\s+the cluster's facts could not be read: .*etcd is gone/);
    assert.deepEqual(facts.current, known);
    assert(!lines.join().includes(known.registry?.password ?? "?"));
    abort.abort();
    await running;
  }));
