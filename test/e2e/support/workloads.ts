import assert from "node:assert/strict";
import { KubeClient, type KubeObject } from "../../../src/kube/mod.ts";
import { transformImage } from "../../../src/refs/mod.ts";
import type { Cluster, ClusterNode } from "../../cluster/mod.ts";
import { despitePauses } from "../../fakes/testing.ts";
import { eventually, type TestAgent } from "./agent.ts";

/** The example package's image, as manifests name it; nobody in a test cluster can pull that. */
export const IMAGE = "docker.io/library/hello:0.1.0";
/** The same as every node has it. */
export const REWRITTEN = transformImage("127.0.0.1:31999", IMAGE);

/** A pod as these tests read it. */
export interface Pod extends KubeObject {
  spec: {
    nodeName?: string;
    containers: { name: string; image: string }[];
    imagePullSecrets?: { name: string }[];
  };
  status: { phase?: string };
}

type Part = Awaited<ReturnType<TestAgent["part"]>>;

function template(name: string, labels: Record<string, string> = {}) {
  const containers = [{ name: "hello", image: IMAGE }];
  return {
    metadata: { labels: { app: name, ...labels } },
    spec: { containers, terminationGracePeriodSeconds: 0 },
  };
}

/** A pod of nobody's that runs the example. */
export function barePod(name: string, namespace: string, nodeName?: string): Pod {
  const { metadata, spec } = template(name);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, name, namespace },
    spec: { ...spec, ...(nodeName === undefined ? {} : { nodeName }) },
    status: {},
  };
}

/** A Deployment or StatefulSet that runs the example. */
export function workload(
  kind: "Deployment" | "StatefulSet",
  name: string,
  namespace: string,
  replicas = 1,
): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name, namespace },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name) },
  };
}

/** A Job that runs the example; it does not end. */
export function job(name: string, namespace: string): KubeObject {
  const { metadata, spec } = template(name);
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace },
    spec: { template: { metadata, spec: { ...spec, restartPolicy: "Never" } } },
  };
}

/** A client of the API server of one node. */
export function clientOf(cluster: Cluster, node: ClusterNode): KubeClient {
  // JSON, which is YAML too.
  const config = JSON.parse(Deno.readTextFileSync(cluster.kubeconfig()));
  for (const { cluster } of config.clusters) cluster.server = `https://${node.ip}:6443`;
  return KubeClient.fromKubeconfig(config);
}

/** Makes a namespace that says nothing about rewriting, and waits until pods can be made in it. */
export async function makeNamespace(kube: KubeClient, name: string): Promise<void> {
  await kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  const account = { apiVersion: "v1", kind: "ServiceAccount", namespace: name, name: "default" };
  await eventually("ServiceAccount", () => kube.get(account));
}

/** All pods of a namespace. */
export async function podsIn(kube: KubeClient, namespace: string): Promise<Pod[]> {
  return (await kube.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace })).items;
}

/** Waits until there are so many pods in a namespace, and all run with the rewritten image. */
export async function allRun(
  kube: KubeClient,
  namespace: string,
  count: number,
  timeout = 120_000,
): Promise<void> {
  const summary = async () =>
    (await podsIn(kube, namespace)).map(({ metadata, spec, status }) =>
      `${metadata.name} on ${spec.nodeName}: ${spec.containers[0]?.image} ${status.phase}`
    );
  await eventually(
    `${count} running pods`,
    async () => {
      const pods = (await podsIn(kube, namespace))
        .filter(({ metadata, status }) =>
          // A Job keeps the pods that failed, as with the node that they ran on.
          metadata.deletionTimestamp === undefined && status.phase !== "Failed"
        );
      const run = pods.filter(({ spec, status }) =>
        status.phase === "Running" && spec.containers[0]?.image === REWRITTEN
      );
      return pods.length === count && run.length === count ? true : undefined;
    },
    timeout,
    async () => [...await summary(), ...await eventsIn(kube, namespace)].join("\n"),
  );
}

/** What was last said about the objects of a namespace. */
async function eventsIn(kube: KubeClient, namespace: string): Promise<string[]> {
  interface Event extends KubeObject {
    readonly involvedObject: { readonly name: string };
    readonly lastTimestamp?: string | null;
    readonly reason?: string;
    readonly message?: string;
  }
  const { items } = await kube.list<Event>({ apiVersion: "v1", kind: "Event", namespace });
  return items.map(({ involvedObject, lastTimestamp, metadata, reason, message }) =>
    `${lastTimestamp ?? metadata.creationTimestamp} ${involvedObject.name}: ${reason}: ${message}`
  ).sort().slice(-MAX_EVENTS);
}

/** Events that a failure shows. */
const MAX_EVENTS = 40;

/** Milliseconds that an action takes. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

/**
 * Makes a pod, in less than `limit` milliseconds. Where the machine was busy just then, pods that are
 * made for trial have to be as quick: they take the same way to the webhooks.
 */
export async function createWithin(
  kube: KubeClient,
  pod: KubeObject,
  limit: number,
): Promise<KubeObject> {
  let made: KubeObject | undefined;
  if (await timed(async () => made = await kube.create(pod)) >= limit) {
    const trial = { ...pod, metadata: { ...pod.metadata, name: `${pod.metadata.name}-trial` } };
    await despitePauses(async () => {
      const took = await timed(() => kube.create(trial, { dryRun: true }));
      assert.ok(took < limit, `${took} ms`);
    });
  }
  return made ?? assert.fail();
}

/** Waits until a part of the agent says something, and gives all that it says. */
export async function said(
  agent: TestAgent,
  name: string,
  ok: boolean,
  message: RegExp,
  timeout = 90_000,
): Promise<Part> {
  let last: Part | undefined;
  return await eventually(
    `"${message.source}" from the part ${name}`,
    async () => {
      last = await agent.part(name).catch(() => undefined);
      return last?.ok === ok && message.test(last.message) ? last : undefined;
    },
    timeout,
    async () => `${JSON.stringify(last)}\n${await agent.logTail()}`,
  );
}

/** How many objects the agent has mended. */
export async function mended(agent: TestAgent): Promise<number> {
  const lines = (await agent.status("/metrics")).split("\n")
    .filter((line) => line.startsWith("holdfast_admission_mended_total{"));
  assert.ok(lines.length > 0, "the metric is there");
  return lines.reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
}
