/**
 * Deployments whose pods do not come up, each in another way: what the API server, a controller, the
 * scheduler or the kubelet says of them must stand in the error. They are deployed by the room itself,
 * all at once, since each mostly waits.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type DeployContext, DeployError, deployPackage } from "../../../src/deploy/mod.ts";
import type { KubeClient, KubeObject } from "../../../src/kube/mod.ts";
import { describeError } from "../../../src/std/mod.ts";
import { HOLDFAST, ROOT } from "./agent.ts";
import { writePackage } from "./deploy_fixture.ts";
import {
  ADDRESS_IN_USE,
  deployment,
  type Json,
  listener,
  podTemplate,
} from "./failing_packages.ts";

/** What is deployed and what must be said of it. */
interface FailingDeployment {
  readonly name: string;
  /** What is in its namespace before. */
  readonly before?: readonly Json[];
  /** Labels of the namespace. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly objects: readonly Json[];
  readonly context?: Partial<DeployContext>;
  readonly reason: "NotReady" | "TimedOut";
  readonly says: readonly RegExp[];
  /** Seconds within which it must be said. */
  readonly within: number;
}

const SHORT = { timeout: 25_000 };
const IMPATIENT = { troubleGrace: 2_000, timeout: 120_000 };
const hello = deployment({ containers: [listener("hello")] });
const quota = {
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: "none" },
  spec: { hard: { pods: "0" } },
};

/** All of them; each is deployed in a namespace of its name. */
export const FAILING_DEPLOYMENTS: readonly FailingDeployment[] = [
  {
    name: "image-missing",
    objects: [deployment({ containers: [{ name: "c", image: "docker.io/library/nowhere:1" }] })],
    context: { timeout: 300_000 },
    reason: "NotReady",
    says: [
      /Deployment web in namespace image-missing cannot become ready/,
      /pod web-\S+, container c: (ImagePullBackOff|ErrImagePull)/,
      /image docker\.io\/library\/nowhere:1 is not in the registry/,
      /add the image to the images of its component/,
    ],
    within: 120,
  },
  {
    name: "quota",
    before: [quota],
    objects: [hello],
    context: IMPATIENT,
    reason: "NotReady",
    says: [/Deployment web .* exceeded quota: none, requested: pods=1/],
    within: 60,
  },
  {
    name: "quota-stateful",
    before: [quota],
    objects: [{
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "db" },
      spec: {
        serviceName: "db",
        selector: { matchLabels: { app: "db" } },
        template: podTemplate({ containers: [listener("hello")] }, "db"),
      },
    }],
    context: IMPATIENT,
    reason: "NotReady",
    says: [/StatefulSet db .* FailedCreate: .*exceeded quota: none/],
    within: 60,
  },
  {
    name: "limit-range",
    before: [{
      apiVersion: "v1",
      kind: "LimitRange",
      metadata: { name: "small" },
      spec: { limits: [{ type: "Container", max: { memory: "8Mi" } }] },
    }],
    objects: [
      deployment({
        containers: [listener("hello", { resources: { limits: { memory: "64Mi" } } })],
      }),
    ],
    context: IMPATIENT,
    reason: "NotReady",
    says: [/Deployment web .* maximum memory usage per Container is 8Mi/],
    within: 60,
  },
  {
    name: "pod-security",
    labels: { "pod-security.kubernetes.io/enforce": "restricted" },
    objects: [hello],
    context: IMPATIENT,
    reason: "NotReady",
    says: [/Deployment web .* violates PodSecurity "restricted:latest"/],
    within: 60,
  },
  {
    name: "claim",
    objects: [{
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "disk" },
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: "gold",
        resources: { requests: { storage: "1Gi" } },
      },
    }],
    context: SHORT,
    reason: "TimedOut",
    says: [
      /not ready within 25 s: PersistentVolumeClaim disk: not bound \(ProvisioningFailed: .*"gold" not found\)/,
    ],
    within: 60,
  },
  {
    name: "no-node",
    objects: [
      deployment({ containers: [listener("hello")], nodeSelector: { disk: "gold" } }),
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "good" },
        spec: {
          selector: { matchLabels: { app: "good" } },
          template: podTemplate({ containers: [listener("hello")] }, "good"),
        },
      },
    ],
    context: SHORT,
    reason: "TimedOut",
    says: [
      /Deployment web: 0 of 1 ready.* \(pod web-\S+: 0\/1 nodes are available: .*node affinity\/selector/,
      /ready: Deployment good/,
    ],
    within: 60,
  },
  {
    name: "init",
    objects: [deployment({
      initContainers: [listener("first", { restartPolicy: "Always" }), listener("second")],
      containers: [listener("hello")],
    })],
    context: { timeout: 50_000 },
    reason: "TimedOut",
    says: [
      /pod web-\S+, container second: restarted \d times after it ended with code 1/,
      ADDRESS_IN_USE,
    ],
    within: 100,
  },
  {
    name: "probe",
    objects: [deployment({
      containers: [
        listener("hello", { readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1 } }),
      ],
    })],
    context: SHORT,
    reason: "TimedOut",
    says: [
      /Deployment web: .* \(pod web-\S+: Unhealthy: Readiness probe failed: .*connection refused/,
    ],
    within: 60,
  },
  {
    name: "volume",
    objects: [deployment({
      containers: [listener("hello", { volumeMounts: [{ name: "key", mountPath: "/key" }] })],
      volumes: [{ name: "key", secret: { secretName: "nobody-made-it" } }],
    })],
    context: SHORT,
    reason: "TimedOut",
    says: [/pod web-\S+: FailedMount: .*secret "nobody-made-it" not found/],
    within: 60,
  },
];

/** What {@linkcode deployFailing} works with. */
export interface FailingScene {
  readonly kube: KubeClient;
  readonly kubeconfig: string;
  /** For all of them. */
  readonly dataDir: string;
}

/** Deploys one and checks what is said of it. */
export async function deployFailing(
  scene: FailingScene,
  failing: FailingDeployment,
): Promise<void> {
  const { kube, kubeconfig } = scene;
  const { name, before = [], labels = {}, objects, context = {} } = failing;
  const dataDir = `${scene.dataDir}/${name}`;
  await kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  for (const object of before) {
    const { metadata } = object as unknown as KubeObject;
    await kube.create({ ...object, metadata: { ...metadata, namespace: name } } as KubeObject);
  }
  const pkg = writePackage(dataDir, {
    definition: {
      metadata: { name, version: "1.0.0" },
      components: ["base", "app"].map((component) => ({
        name: component,
        required: true,
        manifests: component === "base"
          ? []
          : [{ name: component, namespace: name, files: ["all.yaml"] }],
      })),
    },
    files: {
      "components/app/manifests/app-0.yaml": objects.map((one) => JSON.stringify(one)).join(
        "\n---\n",
      ),
    },
  });
  const started = performance.now();
  const error = await deployPackage(pkg, {
    ...{ kube, kubeconfig, dataDir },
    tools: {
      helm: `${ROOT}/dist/tools/helm`,
      postRenderer: { command: HOLDFAST, args: ["post-render"] },
    },
    ...context,
  }).then(() => undefined, (error) => error);
  const seconds = (performance.now() - started) / 1000;
  assert.ok(error instanceof DeployError, `${name}: ${error}`);
  const words = describeError(error);
  assert.equal(error.reason, failing.reason, words);
  const all = [
    /^component "app": /,
    /release zarf-\w+ of "app" stays as it is; there is no earlier one/,
    /component "base" stays deployed/,
    ...failing.says,
  ];
  for (const says of all) assert.match(words, says);
  assert.ok(seconds <= failing.within, `${name} took ${seconds} s: ${words}`);
  // What does not come up would keep the node busy.
  await kube.delete({ apiVersion: "v1", kind: "Namespace", name });
}
