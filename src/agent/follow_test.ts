import assert from "node:assert/strict";
import { namespace } from "../../test/fakes/api_objects.ts";
import { node, SeedCluster, seedIn } from "../../test/fakes/seed_cluster.ts";
import { eventually, withDirectory } from "../../test/fakes/testing.ts";
import { SeedFollower } from "../bootstrap/mod.ts";
import { silentLogger, systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { ClusterConnection } from "./cluster.ts";
import { ClusterFacts } from "./cluster_facts.ts";
import { lead, LEASE_NAME } from "./lead.ts";
import { Part } from "./listeners.ts";
import { assemblingUpstream, clusterUpstream, seedRegistry } from "./upstreams.ts";

const never = new AbortController().signal;

interface Joined {
  readonly store: Store;
  readonly facts: ClusterFacts;
  readonly follower: SeedFollower;
  end(): Promise<void>;
}

/** What an agent runs beside leading: it learns the cluster's facts and takes the seed image. */
function join(dir: string, name: string, cluster: SeedCluster): Joined {
  const store = Store.open(`${dir}/${name}`);
  const facts = new ClusterFacts(store, silentLogger);
  const upstream = clusterUpstream(facts);
  const follower = new SeedFollower({
    kube: cluster.api.client,
    store,
    nodeName: name,
    logger: silentLogger,
    registry: () => seedRegistry(upstream, facts),
    nameImage: () => assert.fail("it comes from the payload"),
  });
  const stop = new AbortController();
  const kube = cluster.api.client;
  const running = Promise.all([facts.run(kube, stop.signal), follower.run(stop.signal)]);
  const end = async () => {
    stop.abort();
    await running;
    store.close();
  };
  return { store, facts, follower, end };
}

Deno.test("one node leads and two follow: all of them end with the image, and the payload goes", () =>
  withDirectory(async (dir) => {
    await using cluster = new SeedCluster();
    const names = ["node-1", "node-2", "node-3"];
    for (const one of [namespace("zarf"), ...names.map((name) => node(name))]) cluster.api.put(one);
    const nodes = names.map((name) => join(dir, name, cluster));
    const [first] = nodes;
    assert(first);
    try {
      const { image } = await seedIn(first.store);
      const options = {
        kube: cluster.api.client,
        store: first.store,
        logger: silentLogger,
        nodeName: "node-1",
        registryAddress: "127.0.0.1:31999",
        admissionAddress: "127.0.0.1:7471",
        rewrite: false,
        onStage: () => {},
      };
      await lead(options, () => Promise.resolve(), never);
      assert.equal(cluster.api.find("leases", LEASE_NAME)?.spec.holderIdentity, "");
      assert.deepEqual(cluster.api.all("configmaps"), []);
      for (const { store, facts, follower } of nodes) {
        const upstream = assemblingUpstream(store, () => follower);
        const found = await upstream.manifest("library/registry", "3", "docker.io", never);
        assert.equal(found?.digest, image.descriptor.digest);
        await eventually(() => facts.current.registry?.url.includes(cluster.registry.ip));
      }
      cluster.api.writes.length = 0;
      await systemClock.sleep(300);
      assert.deepEqual(cluster.api.writes, [], "nothing is written while nothing changes");
    } finally {
      for (const one of nodes) await one.end();
    }
  }));

Deno.test("who does not have the lease waits until it is given back", () =>
  withDirectory(async (dir) => {
    await using cluster = new SeedCluster();
    cluster.api.put(namespace("zarf"));
    using store = Store.open(dir);
    await seedIn(store, new Uint8Array(10));
    const order: string[] = [];
    const begun = Promise.withResolvers<void>();
    const leadAs = (nodeName: string, work: () => Promise<void>) =>
      lead(
        {
          kube: cluster.api.client,
          store,
          logger: silentLogger,
          nodeName,
          registryAddress: "127.0.0.1:31999",
          admissionAddress: "127.0.0.1:7471",
          rewrite: false,
          onStage: () => {},
        },
        work,
        never,
      );
    const first = leadAs("node-1", async () => {
      begun.resolve();
      await systemClock.sleep(500);
      order.push("node-1");
    });
    await begun.promise;
    await leadAs("node-2", () => Promise.resolve(void order.push("node-2")));
    await first;
    assert.deepEqual(order, ["node-1", "node-2"]);
  }));

Deno.test("writing requests are counted for the metrics, reading ones are not", () =>
  withDirectory(async (dir) => {
    await using cluster = new SeedCluster();
    Deno.writeTextFileSync(`${dir}/kubeconfig`, cluster.api.peer.kubeconfig);
    const part = new Part("cluster", "not asked yet");
    const connection = new ClusterConnection(`${dir}/kubeconfig`, { logger: silentLogger, part });
    const client = await connection.connected(never);
    await client?.list({ apiVersion: "v1", kind: "Namespace" });
    assert.equal(connection.writes, 0);
    await client?.apply(namespace("one"));
    assert.equal(connection.writes, 1);
    client?.close();
  }));
