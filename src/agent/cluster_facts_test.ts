import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { FullDisk } from "../../test/fakes/full_disk.ts";
import { eventually, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { ensureAdmissionTls, TLS_SECRET } from "../admission/mod.ts";
import { systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { newState, saveState, type ZarfState } from "../zarf/mod.ts";
import { ClusterFacts, KEEP_INTERVAL } from "./cluster_facts.ts";

const freshState = () =>
  newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

interface Stage {
  readonly api: ApiObjects;
  readonly store: Store;
  readonly facts: ClusterFacts;
  readonly lines: string[];
}

/** Runs `action` with facts that are followed. */
function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    const { logger, lines } = loggerOf();
    const facts = new ClusterFacts(store, logger);
    const stop = new AbortController();
    const running = facts.run(api.client, stop.signal);
    try {
      await action({ api, store, lines, facts });
    } finally {
      stop.abort();
      await running;
    }
  });
}

function service(name: string, inNamespace: string, spec: Record<string, unknown>): AnyObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: inNamespace },
    spec: { type: "ClusterIP", ports: [{ port: 5000 }], ...spec },
  };
}

async function bootstrapped(api: ApiObjects): Promise<ZarfState> {
  const state = freshState();
  await saveState(api.client, state);
  api.put(service("zarf-docker-registry", "zarf", { clusterIP: "10.96.0.12" }));
  await ensureAdmissionTls(api.client);
  return state;
}

/** The facts of a node that may read only the readers' part of the state. */
async function followedAsReader(
  api: ApiObjects,
  facts: ClusterFacts,
  action: () => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const running = facts.run(api.client, stop.signal, "for-readers");
  try {
    await action();
  } finally {
    stop.abort();
    await running;
  }
}

Deno.test("who only serves learns from the readers' part of the state, and asks for nothing else", () =>
  withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    const state = await bootstrapped(api);
    const secret = api.find("secrets", "zarf-state");
    assert(secret);
    api.put({ ...secret, metadata: { name: "for-readers", namespace: "zarf" } });
    const facts = new ClusterFacts(store, loggerOf().logger);
    api.intercept = ({ path, query }) => {
      const name = query.get("fieldSelector")?.replace("metadata.name=", "") ?? "";
      const isGranted = ["for-readers", "zarf-docker-registry"].includes(name);
      return isGranted ? undefined : status(403, "Forbidden", path);
    };
    await followedAsReader(api, facts, async () => {
      const known = await eventually(() => facts.current.registry);
      assert.deepEqual(known, {
        url: "http://10.96.0.12:5000",
        username: state.registryInfo.pullUsername,
        password: state.registryInfo.pullPassword,
      });
      assert.equal(facts.current.tls, undefined);
    });
    // More is granted: the same facts from the state itself.
    api.intercept = () => undefined;
    const stop = new AbortController();
    const running = facts.run(api.client, stop.signal);
    await eventually(() => facts.current.tls);
    stop.abort();
    await running;
  }));

/** Waits until everything that {@linkcode bootstrapped} makes is known. */
function known(facts: ClusterFacts) {
  return eventually(() => facts.current.tls && facts.current.registry && facts.current);
}

Deno.test("of a cluster without Zarf nothing is known, and nothing is written", () =>
  staged(async ({ api, store, facts }) => {
    await eventually(() => facts.synced);
    assert.deepEqual(facts.current, {});
    assert.equal(store.records.getValue("cluster-facts"), undefined);
    assert.deepEqual(api.writes, []);
  }));

Deno.test("the registry is known with the reader's password, and the webhook's certificate", () =>
  staged(async ({ api, facts }) => {
    const { registryInfo } = await bootstrapped(api);
    const { registry, access, tls, clientTls } = await known(facts);
    assert.deepEqual(registry, {
      url: "http://10.96.0.12:5000",
      username: registryInfo.pullUsername,
      password: registryInfo.pullPassword,
    });
    assert.deepEqual(access, {
      registryAddress: "127.0.0.1:31999",
      registry: {
        serviceAddress: "zarf-docker-registry.zarf.svc.cluster.local:5000",
        clusterAddress: "10.96.0.12:5000",
        isInternal: true,
        usesMtls: false,
        pullUsername: registryInfo.pullUsername,
        pullPassword: registryInfo.pullPassword,
      },
      mutationPolicy: "all",
    });
    assert.match(tls?.cert ?? "", /BEGIN CERTIFICATE/);
    assert.equal(clientTls, undefined);
    assert(!JSON.stringify(facts.current).includes(registryInfo.pushPassword));
  }));

Deno.test("only the few objects that matter are followed, each by its name", () =>
  staged(async ({ api, facts }) => {
    await bootstrapped(api);
    await known(facts);
    const asked = api.peer.seen.filter(({ query }) => query.has("watch")).map(({ path, query }) =>
      `${path} ${query.get("fieldSelector")}`
    );
    assert.deepEqual([...new Set(asked)].sort(), [
      "/api/v1/namespaces/zarf/secrets metadata.name=holdfast-admission-tls",
      "/api/v1/namespaces/zarf/secrets metadata.name=zarf-registry-client-tls",
      "/api/v1/namespaces/zarf/secrets metadata.name=zarf-state",
      "/api/v1/namespaces/zarf/services metadata.name=zarf-docker-registry",
    ]);
    const requests = api.peer.seen.length;
    await systemClock.sleep(300);
    assert.equal(api.peer.seen.length, requests, "nothing is asked while nothing changes");
  }));

Deno.test("what was known is known after a start without an API server, but as hearsay", () =>
  staged(async ({ api, store, facts, lines }) => {
    await bootstrapped(api);
    await known(facts);
    const { logger } = loggerOf();
    const restarted = new ClusterFacts(store, logger);
    assert.deepEqual(restarted.current, facts.current);
    assert.equal(restarted.synced, false);
    store.records.setValue("cluster-facts", { registry: "of another version" });
    assert.deepEqual(new ClusterFacts(store, logger).current, {});
    assert.deepEqual(lines, []);
  }));

Deno.test("facts that a full disk does not take are used all the same, and kept when it does", () =>
  withDirectory(async (dir) => {
    Deno.mkdirSync(`${dir}/data`);
    const disk = new FullDisk();
    using store = Store.open(`${dir}/data`, disk.options);
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    await bootstrapped(api);
    const { logger, lines } = loggerOf();
    const [clock, stop] = [new TestClock(), new AbortController()];
    const facts = new ClusterFacts(store, logger, clock);
    const running = facts.run(api.client, stop.signal);
    await known(facts);
    await eventually(() => clock.slept.length > 3);
    assert.deepEqual(new Set(clock.slept), new Set([KEEP_INTERVAL]));
    const said = lines.filter((line) => /not kept for the next start: .*disk was full/.test(line));
    assert.equal(said.length, 1);
    disk.free();
    assert.equal(store.thaw(), true);
    const again = () => new ClusterFacts(store, logger).current;
    await eventually(() => again().registry);
    assert.deepEqual(again(), facts.current);
    stop.abort();
    await running;
  }));

Deno.test("when the state is gone, so are the facts, also in the store", () =>
  staged(async ({ api, store, facts }) => {
    await bootstrapped(api);
    await known(facts);
    const state = api.find("secrets", "zarf-state");
    assert(state);
    const { changed } = facts;
    api.remove(state);
    await eventually(() => facts.current.access === undefined);
    assert.equal(changed.aborted, true);
    assert.deepEqual(facts.current, {});
    assert.deepEqual(new ClusterFacts(store, loggerOf().logger).current, {});
  }));

Deno.test("whoever serves with the certificate is told when there is another one, and only then", () =>
  staged(async ({ api, facts }) => {
    const first = facts.tlsChanged;
    await bootstrapped(api);
    await known(facts);
    assert.equal(first.aborted, true, "there is one now");
    const second = facts.tlsChanged;
    const { changed } = facts;
    const state = freshState();
    await saveState(api.client, state);
    await eventually(() => changed.aborted);
    assert.equal(facts.current.registry?.password, state.registryInfo.pullPassword);
    assert.equal(second.aborted, false, "only the registry's password is another one");
    const secret = api.find("secrets", TLS_SECRET);
    assert(secret);
    api.remove(secret);
    await ensureAdmissionTls(api.client);
    await eventually(() => second.aborted);
    assert.equal(facts.tlsChanged.aborted, false);
  }));

Deno.test("a Service that moves is followed", () =>
  staged(async ({ api, facts }) => {
    await bootstrapped(api);
    await known(facts);
    api.put(service("zarf-docker-registry", "zarf", { clusterIP: "fd00::99" }));
    await eventually(() => facts.current.registry?.url === "http://[fd00::99]:5000");
    assert.equal(facts.current.access?.registry.clusterAddress, "[fd00::99]:5000");
  }));

Deno.test("a registry outside the cluster is known by its address, and not read from", () =>
  staged(async ({ api, facts }) => {
    await bootstrapped(api);
    const state = freshState();
    Object.assign(state.registryInfo, { address: "r.example.com", registryMode: "external" });
    await saveState(api.client, state);
    await eventually(() => facts.current.access?.registryAddress === "r.example.com");
    assert.equal(facts.current.registry, undefined);
    assert.equal(facts.current.access?.registry.serviceAddress, "r.example.com");
  }));

Deno.test("while the registry may be any Service with a node port, all Services are followed", () =>
  staged(async ({ api, facts }) => {
    const state = freshState();
    Object.assign(state.registryInfo, { address: "127.0.0.1:30500", registryMode: "external" });
    await saveState(api.client, state);
    const dns = () => facts.current.access?.registry.serviceAddress;
    await eventually(() => dns() === "127.0.0.1:30500");
    const ports = [{ port: 80, nodePort: 30500 }];
    const mirror = service("r", "default", { type: "NodePort", clusterIP: "10.96.0.7", ports });
    api.put(mirror);
    await eventually(() => dns() === "r.default.svc.cluster.local:80");
    api.remove(mirror);
    await eventually(() => dns() === "127.0.0.1:30500");
    await bootstrapped(api);
    await eventually(() => dns() === "zarf-docker-registry.zarf.svc.cluster.local:5000");
    await saveState(api.client, state);
    await eventually(() => dns() === "127.0.0.1:30500");
    api.put(mirror);
    await eventually(() => dns() === "r.default.svc.cluster.local:80");
  }));

Deno.test("where the registry asks for a certificate it is known, and plain HTTP is not tried", () =>
  staged(async ({ api, facts }) => {
    await bootstrapped(api);
    await known(facts);
    const state = freshState();
    state.registryInfo.mtlsStrategy = "zarf-managed";
    await saveState(api.client, state);
    await eventually(() => facts.current.access?.registry.usesMtls);
    assert.equal(facts.current.registry, undefined);
    assert.equal(facts.current.clientTls, undefined);
    const data = { "ca.crt": btoa("ca"), "tls.crt": btoa("cert"), "tls.key": btoa("key") };
    const metadata = { name: "zarf-registry-client-tls", namespace: "zarf" };
    api.put({ apiVersion: "v1", kind: "Secret", metadata, data });
    await eventually(() => facts.current.clientTls);
    assert.deepEqual(facts.current.clientTls, { ca: "ca", cert: "cert", key: "key" });
  }));

Deno.test("what is no state or no certificate is said once and changes nothing else", () =>
  staged(async ({ api, facts, lines }) => {
    await bootstrapped(api);
    const before = await known(facts);
    const spoil = (name: string, value: string) => {
      const secret = api.find("secrets", name);
      assert(secret);
      const data = Object.fromEntries(Object.keys(secret["data"]).map((key) => [key, value]));
      api.put({ ...secret, data });
    };
    spoil(TLS_SECRET, btoa("no certificate"));
    await eventually(() => lines.some((line) => line.includes(TLS_SECRET)));
    assert.deepEqual(facts.current, before);
    spoil("zarf-state", btoa("geheim"));
    await eventually(() => lines.some((line) => line.includes("zarf-state")));
    api.put(service("zarf-docker-registry", "zarf", { clusterIP: "10.96.0.13" }));
    spoil("zarf-state", btoa("still geheim"));
    await systemClock.sleep(200);
    assert.deepEqual(facts.current, before);
    assert.equal(lines.length, 2, lines.join("\n"));
    assert(!lines.join().includes("geheim"));
    const state = freshState();
    await saveState(api.client, state);
    await eventually(() => facts.current.registry?.url === "http://10.96.0.13:5000");
    assert.deepEqual(facts.current.tls, before.tls, "there is no better one yet");
  }));

Deno.test("a cluster that does not answer takes nothing away from what was known", () =>
  staged(async ({ api, store, facts }) => {
    const { registryInfo } = await bootstrapped(api);
    const before = await known(facts);
    api.intercept = () => status(500, "InternalError", "etcd is gone");
    const { logger, lines } = loggerOf();
    const restarted = new ClusterFacts(store, logger);
    const stop = new AbortController();
    const running = restarted.run(api.client, stop.signal);
    await systemClock.sleep(300);
    assert.deepEqual(restarted.current, before);
    assert.equal(restarted.synced, false);
    api.intercept = () => undefined;
    await eventually(() => restarted.synced);
    assert.deepEqual(restarted.current, before);
    assert(!lines.join().includes(registryInfo.pullPassword));
    stop.abort();
    await running;
  }));
