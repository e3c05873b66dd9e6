// Runs alone: three API servers are a load, and it measures how long it takes to make a pod.
import assert from "node:assert/strict";
import type { KubeClient, KubeObject } from "../../src/kube/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, HELLO, TestAgent } from "./support/agent.ts";
import {
  allRun,
  barePod,
  clientOf,
  createWithin,
  IMAGE,
  makeNamespace,
  mended,
  podsIn,
  REWRITTEN,
  said,
  workload,
} from "./support/workloads.ts";

const OURS = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  name: "holdfast",
};

/** Milliseconds that making a pod may take where no agent, or one that hangs, is asked. */
const AT_ONCE = 2_500;
const HUNG = 4_500;

function scale(kube: KubeClient, namespace: string, name: string, replicas: number) {
  const ref = { apiVersion: "apps/v1", kind: "Deployment", namespace, name };
  return kube.patch(ref, { type: "merge", body: { spec: { replicas } } });
}

/** No pod goes to the node of an agent that is down: it has no registry to pull from. */
async function setUnschedulable(kube: KubeClient, { node }: TestAgent, unschedulable: boolean) {
  const ref = { apiVersion: "v1", kind: "Node", name: node.name };
  await kube.patch(ref, { type: "merge", body: { spec: { unschedulable } } });
}

/** Images of pods as they were when they were made, by API server. */
function imagesOf(objects: readonly KubeObject[]): (string | undefined)[] {
  return objects.map((one) =>
    (one.spec as { containers: { image: string }[] }).containers[0]?.image
  );
}

Deno.test({
  name: "three control planes: with agents down no pod is refused, and every one comes to run",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "planes", nodes: 3, controlPlanes: 3 });
    const agents = cluster.nodes.map((node) => new TestAgent(node));
    const [first, second, third] = agents;
    assert(first && second && third);
    for (const agent of agents) await agent.start();
    const verdict = await first.settled(await first.drop(HELLO));
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await first.logTail(30)}`);
    const clients = cluster.nodes.map((node) => clientOf(cluster, node));
    const [kube] = clients;
    assert(kube);
    for (const agent of agents) await said(agent, "image rewriting", true, /asks the agent/);

    /** One pod on each node through each API server, and what they were stored with. */
    const makeThroughAll = async (namespace: string, limit: number) => {
      const made: KubeObject[] = [];
      for (const [at, client] of clients.entries()) {
        made.push(await createWithin(client, barePod(`by-${at + 1}`, namespace), limit));
      }
      return imagesOf(made);
    };
    const writes = async () => {
      const all = await Promise.all(agents.map((one) => one.metric("holdfast_api_writes_total")));
      return all.reduce((sum, one) => sum + one, 0);
    };

    await t.step("each API server asks the agent of its node", async () => {
      await makeNamespace(kube, "all");
      assert.deepEqual(await makeThroughAll("all", AT_ONCE), [REWRITTEN, REWRITTEN, REWRITTEN]);
      await allRun(kube, "all", 3);
    });

    await t.step(
      "one agent dead: pods through its API server are mended by the others",
      async () => {
        await makeNamespace(kube, "one");
        await setUnschedulable(kube, second, true);
        await second.stop("SIGKILL");
        assert.deepEqual(await makeThroughAll("one", AT_ONCE), [REWRITTEN, IMAGE, REWRITTEN]);
        await kube.create(workload("Deployment", "web", "one", 2));
        await scale(kube, "one", "web", 4);
        await allRun(kube, "one", 3 + 4);
        const kept = await kube.get<KubeObject & { webhooks: unknown[] }>(OURS);
        assert.equal(kept?.webhooks.length, 8, "nobody takes the webhooks out");
        assert.ok(await mended(first) + await mended(third) >= 1);
      },
    );

    await t.step("the agent that is back is asked again", async () => {
      await second.start();
      await setUnschedulable(kube, second, false);
      await said(second, "image rewriting", true, /asks the agent/);
      await makeNamespace(kube, "back");
      assert.deepEqual(await makeThroughAll("back", AT_ONCE), [REWRITTEN, REWRITTEN, REWRITTEN]);
    });

    await t.step("one agent hangs: pods take three seconds at most there", async () => {
      await makeNamespace(kube, "hung");
      await setUnschedulable(kube, third, true);
      await third.process.kill("SIGSTOP");
      assert.deepEqual(await makeThroughAll("hung", HUNG), [REWRITTEN, REWRITTEN, IMAGE]);
      await allRun(kube, "hung", 3);
      await third.process.kill("SIGCONT");
      await setUnschedulable(kube, third, false);
      await said(third, "image rewriting", true, /asks the agent/);
    });

    await t.step("all agents dead: pods are stored, and run when the agents are back", async () => {
      await makeNamespace(kube, "none");
      for (const agent of agents) await agent.stop("SIGKILL");
      assert.deepEqual(await makeThroughAll("none", AT_ONCE), [IMAGE, IMAGE, IMAGE]);
      await kube.create(workload("Deployment", "web", "none", 3));
      await eventually(
        "all pods",
        async () => (await podsIn(kube, "none")).length === 6 ? true : undefined,
      );
      for (const agent of agents) await agent.start();
      await allRun(kube, "none", 6);
      const sum = (await Promise.all(agents.map(mended))).reduce((a, b) => a + b, 0);
      assert.ok(sum >= 6, "each pod was mended");
      assert.ok(sum <= 12, "mostly by one agent");
    });

    await t.step("while nothing changes nothing is written", async () => {
      const before = await writes();
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      assert.equal(await writes(), before);
    });

    for (const client of clients) client.close();
  },
});
