// Runs alone: its leases last six seconds.
import assert from "node:assert/strict";
import {
  acquireLease,
  KubeClient,
  KubeError,
  type KubeErrorReason,
  type KubeObject,
  readKubeconfig,
  recordEvent,
  type Snapshot,
} from "../../src/kube/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";

const NAMESPACE = "kube-test";
const MAPS = { apiVersion: "v1", kind: "ConfigMap", namespace: NAMESPACE } as const;

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  const { apiVersion, kind, namespace } = MAPS;
  return { apiVersion, kind, metadata: { namespace, name, labels: { test: "kube" } }, data };
}

function rejects(promise: Promise<unknown>, reason: KubeErrorReason): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof KubeError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  });
}

Deno.test({
  name: "the API client against a real cluster",
  ignore: obstacle() !== undefined,
  async fn(t) {
    await using cluster = await Cluster.up({ name: `e2e-kube-${Deno.pid.toString(36)}` });
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    await kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
    try {
      await t.step("it is let in, and others are not", () => letIn(cluster, kube));
      await t.step("objects are made, read, changed and deleted", () => lifeOfAnObject(kube));
      await t.step("two appliers own their fields", () => twoAppliers(kube));
      await t.step("a refusal carries its reason", () => refusals(kube));
      await t.step("a dry run stores nothing", () => dryRun(kube));
      await t.step("a list of many pages is complete", () => manyPages(kube));
      await t.step("a new kind is found as soon as it is there", () => newKind(kube));
      await t.step("an Event is taken", () => event(kube));
      await t.step("of two candidates one holds the lease", () => lease(cluster, kube));
      await t.step(
        "what is there is followed past a restart of the API server",
        () => follow(cluster, kube),
      );
    } finally {
      kube.close();
    }
  },
});

async function letIn(cluster: Cluster, kube: KubeClient): Promise<void> {
  assert.match(await kube.version(), /^v1\.\d+\.\d+/);
  assert.equal(await kube.ready(), true);
  const { server, ca, cert } = readKubeconfig(cluster.kubeconfig());
  assert.ok(ca !== undefined && cert !== undefined, "the administrator has a certificate");
  const nobody = KubeClient.fromAccess({ server, ca, token: "wrong" });
  await rejects(nobody.list(MAPS), "Unauthorized");
  nobody.close();
}

async function lifeOfAnObject(kube: KubeClient): Promise<void> {
  const before = kube.writes;
  const created = await kube.create(configMap("life", { a: "1" }));
  assert.ok(created.metadata.uid !== undefined);
  const ref = { ...MAPS, name: "life" };
  await kube.replace({ ...created, data: { a: "2" } });
  await rejects(kube.replace({ ...created, data: { a: "3" } }), "Conflict");
  await kube.patch(ref, { type: "merge", body: { data: { b: "1" } } });
  await kube.patch(ref, { type: "json", body: [{ op: "remove", path: "/data/a" }] });
  await kube.patch(ref, { type: "strategic", body: { data: { c: "1" } } });
  assert.deepEqual((await kube.get<ConfigMap>(ref))?.data, { b: "1", c: "1" });
  await rejects(kube.delete(ref, { preconditions: { uid: "another" } }), "Conflict");
  assert.equal(await kube.delete(ref), true);
  assert.equal(await kube.delete(ref), false);
  assert.equal(await kube.get(ref), undefined);
  assert.equal(kube.writes - before, 9);
}

async function twoAppliers(kube: KubeClient): Promise<void> {
  const ours = configMap("shared", { color: "red", size: "1" });
  await kube.apply(ours);
  const { metadata: { resourceVersion } } = await kube.apply(ours);
  assert.equal((await kube.apply(ours)).metadata.resourceVersion, resourceVersion, "no change");
  const theirs = configMap("shared", { color: "blue" });
  await rejects(kube.apply(theirs, { fieldManager: "other" }), "Conflict");
  await kube.apply(theirs, { fieldManager: "other", force: true });
  // What is no longer applied goes, unless somebody else owns it.
  const { data } = await kube.apply(configMap("shared"));
  assert.deepEqual(data, { color: "blue" });
  await kube.delete({ ...MAPS, name: "shared" });
}

async function refusals(kube: KubeClient): Promise<void> {
  await rejects(kube.create(configMap("Not_A_Name")), "Invalid");
  const elsewhere = configMap("x");
  await rejects(
    kube.create({ ...elsewhere, metadata: { namespace: "none", name: "x" } }),
    "NotFound",
  );
  await kube.create(configMap("twice"));
  await rejects(kube.create(configMap("twice")), "AlreadyExists");
  await rejects(kube.create(configMap("big", { a: "x".repeat(2 << 20) })), "Invalid");
  await rejects(kube.create(configMap("huge", { a: "x".repeat(4 << 20) })), "TooLarge");
}

async function dryRun(kube: KubeClient): Promise<void> {
  const before = kube.writes;
  const made = await kube.create(configMap("never"), { dryRun: true });
  assert.equal(made.metadata.name, "never");
  await kube.delete({ ...MAPS, name: "twice" }, { dryRun: true });
  assert.equal(await kube.get({ ...MAPS, name: "never" }), undefined);
  assert.ok(await kube.get({ ...MAPS, name: "twice" }) !== undefined);
  assert.equal(kube.writes, before);
}

async function manyPages(kube: KubeClient): Promise<void> {
  const count = 620;
  const names = Array.from({ length: count }, (_, at) => `page-${String(at).padStart(3, "0")}`);
  const left = [...names];
  const workers = Array.from({ length: 16 }, async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const object = configMap(name);
      await kube.create({ ...object, metadata: { ...object.metadata, labels: { page: "yes" } } });
    }
  });
  await Promise.all(workers);
  const select = { labelSelector: "page=yes" };
  const { items } = await kube.list(MAPS, select);
  assert.deepEqual(items.map(({ metadata }) => metadata.name), names);
  assert.ok(items.every(({ apiVersion, kind }) => apiVersion === "v1" && kind === "ConfigMap"));
  assert.equal((await kube.list(MAPS, { ...select, limit: 3 })).items.length, 3);
  await kube.deleteCollection(MAPS, select);
  assert.equal((await kube.list(MAPS, select)).items.length, 0);
}

async function newKind(kube: KubeClient): Promise<void> {
  const thing = { apiVersion: "test.holdfast.dev/v1", kind: "Thing" };
  const object = { ...thing, metadata: { namespace: NAMESPACE, name: "one" }, spec: { a: 1 } };
  const ref = { ...thing, namespace: NAMESPACE, name: "one" };
  assert.equal(await kube.get(ref), undefined);
  await rejects(kube.create(object), "NotFound");
  await kube.apply({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "things.test.holdfast.dev" },
    spec: {
      group: "test.holdfast.dev",
      scope: "Namespaced",
      names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" },
      versions: [{
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      }],
    },
  });
  await until(async () => {
    try {
      await kube.apply(object);
      return true;
    } catch (error) {
      if (error instanceof KubeError && error.reason === "NotFound") return false;
      throw error;
    }
  });
  const status = { ...object, status: { phase: "Ready" } };
  await kube.apply({ ...status, spec: { a: 2 } }, { subresource: "status", force: true });
  const stored = await kube.get<typeof status & KubeObject>(ref);
  assert.deepEqual([stored?.status, stored?.spec], [{ phase: "Ready" }, { a: 1 }]);
}

async function event(kube: KubeClient): Promise<void> {
  const twice = await kube.get({ ...MAPS, name: "twice" });
  await recordEvent(kube, {
    regarding: { ...MAPS, name: "twice", uid: twice?.metadata.uid ?? assert.fail() },
    reason: "Tested",
    note: "ä".repeat(2000),
    type: "Warning",
    instance: "node1",
  });
  const events = { apiVersion: "v1", kind: "Event", namespace: NAMESPACE };
  const { items } = await kube.list<KubeObject & { reason?: string }>(events);
  assert.equal(items.filter(({ reason }) => reason === "Tested").length, 1);
}

async function lease(cluster: Cluster, kube: KubeClient): Promise<void> {
  const other = KubeClient.fromKubeconfig(cluster.kubeconfig());
  const options = { namespace: NAMESPACE, name: "leader", leaseDuration: 6_000 };
  const first = await acquireLease(kube, { ...options, identity: "one" });
  let taken = false;
  const waiting = acquireLease(other, { ...options, identity: "two" }).finally(() => taken = true);
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  assert.ok(first.held && !taken, "a renewed lease does not expire");
  await first.release();
  const second = await waiting;
  assert.ok(second.held && !first.held);
  // Who cannot reach the API server has lost it before anybody else may take it.
  const lost = new Promise((resolve) => second.lost.addEventListener("abort", resolve));
  await cluster.stop("apiserver");
  const started = performance.now();
  await lost;
  assert.ok(performance.now() - started < 6_000);
  await cluster.start("apiserver");
  await second.release();
  const again = await acquireLease(kube, { ...options, identity: "one" });
  await again.release();
  other.close();
}

/** The next snapshots until one has these ConfigMaps of the test. */
async function seen(snapshots: AsyncGenerator<Snapshot>, wanted: string): Promise<void> {
  for (;;) {
    const { value, done } = await snapshots.next();
    assert.ok(done !== true);
    const snapshot = value as Snapshot;
    const names = [...snapshot.values()].map(({ metadata }) => metadata.name).sort().join(" ");
    if (names === wanted) return;
  }
}

async function follow(cluster: Cluster, kube: KubeClient): Promise<void> {
  const stop = new AbortController();
  const options = { signal: stop.signal, labelSelector: "test=kube" };
  const snapshots = kube.reflect(MAPS, options);
  await kube.delete({ ...MAPS, name: "twice" });
  await kube.create(configMap("f1"));
  await seen(snapshots, "f1");
  await cluster.stop("apiserver", undefined, "SIGKILL");
  await rejects(kube.get({ ...MAPS, name: "f1" }), "Unreachable");
  assert.equal(await kube.ready(), false);
  await cluster.start("apiserver");
  await until(() => kube.ready());
  await kube.delete({ ...MAPS, name: "f1" });
  await kube.create(configMap("f2"));
  await seen(snapshots, "f2");
  stop.abort();
  assert.equal((await snapshots.next()).done, true);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!await condition()) {
    assert.ok(performance.now() < end, "it did not happen within a minute");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
