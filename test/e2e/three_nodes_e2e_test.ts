import assert from "node:assert/strict";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { assertHelloAnswers, eventually, HELLO, TestAgent } from "./support/agent.ts";

interface Pod {
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly containerStatuses?: { readonly imageID: string }[] };
}

async function getPods(cluster: Cluster, namespace: string): Promise<Pod[]> {
  const text = await cluster.kubectl(["get", "pods", "-n", namespace, "-o", "json"]);
  return JSON.parse(text).items;
}

Deno.test({
  name: "three nodes: a package dropped on one runs on all",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "three", nodes: 3 });
    const agents = cluster.nodes.map((node) => new TestAgent(node));
    const [control, holder, bystander] = agents;
    assert(control && holder && bystander);
    // The registry must not find its image where the package lies.
    await cluster.kubectl(["cordon", holder.node.name]);
    for (const agent of agents) {
      // Only the holder has the registry's image: the others must get it over the API server.
      const without = agent === holder ? [] : ["--seed-dir=/var/nothing"];
      await agent.start({ flags: without });
    }

    await t.step("the registry starts on a node that never had the file", async () => {
      const file = await holder.drop(HELLO);
      const [pod] = await eventually("running registry", async () => {
        const pods = await getPods(cluster, "zarf");
        return pods[0]?.status.containerStatuses?.[0]?.imageID ? pods : undefined;
      }, 120_000);
      assert.notEqual(pod?.spec.nodeName, holder.node.name);
      await cluster.kubectl(["uncordon", holder.node.name]);
      const verdict = await holder.settled(file);
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail(30)}`);
    });

    await t.step("every agent has put the registry's image together", async () => {
      const nodes = JSON.parse(await cluster.kubectl(["get", "nodes", "-o", "json"])).items;
      const digests = nodes.map((node: { metadata: { annotations: Record<string, string> } }) =>
        node.metadata.annotations["holdfast.dev/seed"]
      );
      assert.equal(digests.length, 3);
      assert.match(digests[0], /^sha256:[0-9a-f]{64}$/);
      assert.deepEqual(new Set(digests).size, 1, digests.join(" "));
      for (const agent of agents) {
        await using registry = agent.forward("127.0.0.1:31999");
        const manifest = await fetch(
          `http://${registry.address}/v2/library/registry/manifests/${digests[0]}`,
        );
        assert.equal(manifest.status, 200, agent.node.name);
        for (const layer of (await manifest.json()).layers) {
          const blob = await fetch(
            `http://${registry.address}/v2/library/registry/blobs/${layer.digest}`,
          );
          assert.equal((await blob.arrayBuffer()).byteLength, layer.size, agent.node.name);
        }
      }
    });

    await t.step("pods run on all three nodes, each from its own node registry", async () => {
      const pods = await getPods(cluster, "hello");
      assert.deepEqual(
        [...new Set(pods.map((pod) => pod.spec.nodeName))].sort(),
        cluster.nodes.map((node) => node.name).sort(),
      );
      for (const pod of pods) {
        assert.match(pod.status.containerStatuses?.[0]?.imageID ?? "", /^127\.0\.0\.1:31999\//);
      }
      for (const node of cluster.nodes) {
        await assertHelloAnswers(node);
      }
    });

    await t.step(
      "the webhook is called on the control plane's own node, and nothing waits for it",
      async () => {
        const configuration = JSON.parse(
          await cluster.kubectl(["get", "mutatingwebhookconfiguration", "holdfast", "-o", "json"]),
        );
        assert.equal(configuration.webhooks[0].failurePolicy, "Ignore");
        assert.match(configuration.webhooks[0].clientConfig.url, /^https:\/\/127\.0\.0\.1:7471\//);
      },
    );

    await t.step("nothing is left of the payload, and nobody holds the lease", async () => {
      const left = await cluster.kubectl(
        ["get", "configmaps", "-n", "zarf", "-l", "zarf-injector=payload", "-o", "name"],
      );
      assert.equal(left, "");
      const lease = JSON.parse(
        await cluster.kubectl(["get", "lease", "holdfast", "-n", "zarf", "-o", "json"]),
      );
      assert.equal(lease.spec.holderIdentity ?? "", "");
    });

    await t.step("a registry that starts anew elsewhere is filled again", async () => {
      const [before] = await getPods(cluster, "zarf");
      assert(before);
      await cluster.kubectl(["cordon", before.spec.nodeName]);
      await cluster.kubectl(["delete", "pod", "-n", "zarf", "--all", "--wait=true"]);
      const [pod] = await eventually("registry on another node", async () => {
        const pods = await getPods(cluster, "zarf");
        return pods[0]?.status.containerStatuses?.[0]?.imageID ? pods : undefined;
      }, 60_000);
      assert.notEqual(pod?.spec.nodeName, before.spec.nodeName);
      await cluster.kubectl(["uncordon", before.spec.nodeName]);
      // Neither has the package: what they serve comes from the registry.
      for (const agent of [control, bystander]) {
        await eventually(
          `hello on ${agent.node.name}`,
          async () => {
            await using registry = agent.forward("127.0.0.1:31999");
            const response = await fetch(
              `http://${registry.address}/v2/library/hello/manifests/0.1.0`,
            );
            await response.body?.cancel();
            return response.status === 200 ? true : undefined;
          },
          90_000,
          () => holder.logTail(),
        );
      }
    });

    await t.step("not one packet went outside", async () => {
      assert.equal(await cluster.outsidePackets(), 0);
    });
  },
});
