// Runs alone: it measures how long it takes to make a pod.
import assert from "node:assert/strict";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { Cluster, type ClusterNode, type NodeProcess, obstacle } from "../cluster/mod.ts";
import { eventually, HELLO, TestAgent } from "./support/agent.ts";
import {
  allRun,
  barePod,
  createWithin,
  IMAGE,
  job,
  makeNamespace,
  mended,
  type Pod,
  podsIn,
  said,
  workload,
} from "./support/workloads.ts";

const PAUSE = "registry.k8s.io/pause:3.10.1";
const CONFIGURATIONS = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
} as const;
const OURS = { ...CONFIGURATIONS, name: "holdfast" };
/** What Zarf's chart installs, for objects that there are none of. */
const ZARF = {
  ...CONFIGURATIONS,
  metadata: { name: "zarf" },
  webhooks: [{
    name: "agent-pod.zarf.dev",
    admissionReviewVersions: ["v1"],
    clientConfig: { service: { name: "agent-hook", namespace: "zarf", path: "/mutate/pod" } },
    failurePolicy: "Fail",
    objectSelector: { matchLabels: { nobody: "has-this" } },
    rules: [{
      apiGroups: [""],
      apiVersions: ["v1"],
      operations: ["CREATE"],
      resources: ["pods"],
    }],
    sideEffects: "None",
  }],
};

/** Takes the webhook's port and never answers. */
const OCCUPANT = `
  const all = [];
  for await (const one of Deno.listen({ hostname: "127.0.0.1", port: 7471 })) all.push(one);
`;

async function occupy(node: ClusterNode): Promise<NodeProcess> {
  const process = await node.spawn(Deno.execPath(), ["eval", "--no-lock", OCCUPANT], {
    env: { DENO_NO_UPDATE_CHECK: "1", DENO_DIR: "/var/tmp/deno" },
  });
  await eventually("occupant of the port", async () => {
    const probe = await node.exec("bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/7471"]);
    return probe.code === 0 ? true : undefined;
  });
  return process;
}

function webhooksOf(kube: KubeClient): Promise<number> {
  return kube.get<KubeObject & { webhooks?: unknown[] }>(OURS)
    .then((found) => found?.webhooks?.length ?? 0);
}

function webhooksBecome(kube: KubeClient, count: number): Promise<unknown> {
  return eventually(
    `configuration with ${count} webhooks`,
    async () => await webhooksOf(kube) === count ? true : undefined,
    60_000,
  );
}

Deno.test({
  name: "one node: no pod waits for the agent, and none is lost",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "way" });
    const [node] = cluster.nodes;
    assert(node);
    const agent = new TestAgent(node);
    await agent.start();
    const verdict = await agent.settled(await agent.drop(HELLO));
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
    let kube = KubeClient.fromKubeconfig(cluster.kubeconfig());

    await t.step("pods that are made while the agent is dead run when it is back", async () => {
      await makeNamespace(kube, "dead");
      await agent.stop("SIGKILL");
      await kube.create(barePod("bare", "dead"));
      for (const kind of ["Deployment", "StatefulSet"] as const) {
        await kube.create(workload(kind, kind.toLowerCase(), "dead"));
      }
      await kube.create(job("job", "dead"));
      await eventually("all pods", async () => {
        const pods = await podsIn(kube, "dead");
        const outside = pods.filter(({ spec }) => spec.containers[0]?.image === IMAGE);
        return pods.length === 4 && outside.length === 4 ? true : undefined;
      });
      await agent.start();
      await allRun(kube, "dead", 4);
      assert.equal(await mended(agent), 4);
      for (const { metadata } of await podsIn(kube, "dead")) {
        assert.equal(metadata.labels?.["zarf-agent"], "patched");
        assert.equal(metadata.annotations?.["zarf.dev/original-image-hello"], IMAGE);
      }
    });

    await t.step("what opted out, and what was there before Zarf, is not mended", async () => {
      const before = await mended(agent);
      const ignoring = barePod("ignoring", "dead");
      ignoring.metadata.labels = { "zarf.dev/agent": "ignore" };
      await kube.create(ignoring);
      await kube.create(barePod("bare", "default"));
      await kube.create(barePod("bare", "kube-system"));
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      for (const [namespace, name] of [["dead", "ignoring"], ["default", "bare"]]) {
        const ref = { apiVersion: "v1", kind: "Pod", namespace: namespace ?? "", name: name ?? "" };
        assert.equal((await kube.get<Pod>(ref))?.spec.containers[0]?.image, IMAGE);
        await kube.delete(ref);
      }
      await kube.delete({ apiVersion: "v1", kind: "Pod", namespace: "kube-system", name: "bare" });
      assert.equal(await mended(agent), before);
    });

    await t.step("an agent that hangs costs each pod three seconds at most", async () => {
      await makeNamespace(kube, "hung");
      await agent.process.kill("SIGSTOP");
      await createWithin(kube, barePod("bare", "hung"), 4_500);
      await agent.process.kill("SIGCONT");
      await allRun(kube, "hung", 1);
    });

    await t.step("what somebody deletes or edits comes back without a package", async () => {
      await kube.delete(OURS);
      await webhooksBecome(kube, 8);
      await kube.patch(OURS, { type: "json", body: [{ op: "remove", path: "/webhooks/3" }] });
      await webhooksBecome(kube, 8);
    });

    await t.step(
      "where Zarf's agent is installed the webhooks go, and come when it goes",
      async () => {
        await kube.create(ZARF);
        await eventually(
          "removal",
          async () => await kube.get(OURS) === undefined ? true : undefined,
          60_000,
        );
        await said(agent, "image rewriting", true, /left to Zarf's own agent/);
        await kube.delete({ ...CONFIGURATIONS, name: "zarf" });
        await webhooksBecome(kube, 8);
        await said(agent, "image rewriting", true, /asks the agent/);
      },
    );

    await t.step(
      "with its port taken the webhooks are taken out, and pods are mended",
      async () => {
        await makeNamespace(kube, "taken");
        await agent.stop("SIGKILL");
        const occupant = await occupy(node);
        await createWithin(kube, barePod("slow", "taken"), 4_500);
        await agent.start();
        await said(agent, "image rewriting", false, /taken out by the agent of node node1/);
        assert.equal(await webhooksOf(kube), 0);
        await createWithin(kube, barePod("quick", "taken"), 2_500);
        await allRun(kube, "taken", 2);
        await occupant.kill();
        await occupant.status;
        await said(agent, "image rewriting", true, /asks the agent/);
        assert.equal(await webhooksOf(kube), 8);
      },
    );

    await t.step("while nothing changes nothing is written", async () => {
      const before = await agent.metric("holdfast_api_writes_total");
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      assert.equal(await agent.metric("holdfast_api_writes_total"), before);
    });

    await t.step("a node that boots without an agent gets its static and system pods", async () => {
      await agent.stop("SIGKILL");
      await node.powerOff();
      await node.powerOn();
      await cluster.waitReady();
      // The old one's connections ended with the node.
      kube.close();
      kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
      const spec = { containers: [{ name: "pause", image: PAUSE }] };
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "static" }, spec };
      const manifest = "/etc/kubernetes/manifests/static.json";
      await Deno.writeTextFile(
        node.hostPath(manifest),
        JSON.stringify({ ...pod, metadata: { name: "static", namespace: "default" } }),
      );
      const metadata = { name: "system", namespace: "kube-system" };
      await kube.create({ ...pod, metadata });
      const runs = (namespace: string, name: string) =>
        eventually(`running pod ${name}`, async () => {
          const ref = { apiVersion: "v1", kind: "Pod", namespace, name };
          const found = await kube.get<Pod>(ref);
          assert.ok([undefined, PAUSE].includes(found?.spec.containers[0]?.image));
          return found?.status.phase === "Running" ? true : undefined;
        });
      await runs("kube-system", "system");
      await runs("default", "static-node1");
      await agent.start();
      await allRun(kube, "dead", 4);
      await said(agent, "image rewriting", true, /asks the agent/);
    });

    kube.close();
  },
});
