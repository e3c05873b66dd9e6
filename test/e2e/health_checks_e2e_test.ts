import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { DeployError, deployPackage, type DeployProgress } from "../../src/deploy/mod.ts";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { ensureState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually } from "./support/agent.ts";
import { POST_RENDERER, writePackage } from "./support/deploy_fixture.ts";
import { makeNamespace } from "./support/workloads.ts";
import { zarf, zarfCreate } from "./support/zarf.ts";
import { customKind } from "./support/custom_kind.ts";

interface Scene {
  readonly cluster: Cluster;
  readonly kube: KubeClient;
  readonly helm: string;
  readonly directory: string;
}

/** A component with one manifest entry, and what it waits for. */
interface Waiting {
  readonly name: string;
  readonly manifest?: unknown;
  readonly noWait?: boolean;
  readonly healthChecks?: readonly Record<string, string>[];
  readonly after?: readonly unknown[];
}

const GROUP = "waits.example";
const NAMESPACE = "waits";

function componentOf({ name, noWait = false, healthChecks = [], after = [] }: Waiting) {
  return {
    name: "web",
    required: true,
    manifests: [{ name, namespace: NAMESPACE, files: ["web.yaml"], noWait }],
    healthChecks,
    actions: { onDeploy: { after } },
  };
}

function manifestOf({ name, manifest }: Waiting): string {
  return JSON.stringify(
    manifest ?? { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: NAMESPACE } },
  );
}

/** Deploys with Holdfast; what it said, and the error that it ended with. */
function deploy(scene: Scene, waiting: Waiting, timeout = 60_000) {
  const said: string[] = [];
  const pkg = writePackage(scene.directory, {
    definition: {
      metadata: { name: waiting.name, version: "1" },
      components: [componentOf(waiting)],
    },
    files: { [`components/web/manifests/${waiting.name}-0.yaml`]: manifestOf(waiting) },
  });
  const running = deployPackage(pkg, {
    kube: scene.kube,
    dataDir: scene.directory,
    kubeconfig: scene.cluster.kubeconfig(),
    tools: { helm: scene.helm, postRenderer: POST_RENDERER },
    actions: { policy: "always", trusted: false },
    timeout,
    onProgress: ({ message }: DeployProgress) => said.push(message),
  }).then(() => undefined, (error) => error as unknown);
  return { said, running };
}

/** Deploys the same with the real zarf. */
async function deployWithZarf(scene: Scene, waiting: Waiting, timeout: string) {
  const directory = `${scene.directory}/${waiting.name}`;
  await Deno.mkdir(`${directory}/source`, { recursive: true });
  await Deno.writeTextFile(
    `${directory}/source/zarf.yaml`,
    JSON.stringify({
      kind: "ZarfPackageConfig",
      metadata: { name: waiting.name, version: "1" },
      components: [componentOf(waiting)],
    }),
  );
  await Deno.writeTextFile(`${directory}/source/web.yaml`, manifestOf(waiting));
  const flags = ["--skip-sbom", "--architecture=amd64"];
  const file = await zarfCreate(`${directory}/source`, directory, flags);
  const env = { KUBECONFIG: scene.cluster.kubeconfig(), HOME: directory };
  const own = ["--confirm", `--zarf-cache=${directory}/cache`, `--timeout=${timeout}`];
  return await zarf(["package", "deploy", file, ...own], directory, env);
}

/** A kind that the cluster does not have from the start. */
function definition(plural: string, kind: string): KubeObject {
  return customKind(GROUP, plural, kind);
}

function gizmo(kind: string, name: string, ready: string | undefined, finalizers: string[] = []) {
  return {
    apiVersion: `${GROUP}/v1`,
    kind,
    metadata: { name, namespace: NAMESPACE, finalizers },
    ...(ready === undefined
      ? {}
      : { status: { conditions: [{ type: "Ready", status: ready, message: "soon" }] } }),
  };
}

const balancer = (name: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: NAMESPACE },
  spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
});

Deno.test({
  name: "what a package waits for is waited for as the real zarf does",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "waits" });
    const directory = await Deno.makeTempDir({ prefix: "holdfast-waits-" });
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    try {
      const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
      await ensureState(kube, { ...address, ipFamily: "ipv4" });
      await makeNamespace(kube, NAMESPACE);
      await runPod(kube);
      await steps(t, { cluster, kube, directory, helm: await ensureTool(TOOLS.helm) });
    } finally {
      kube.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

/** Zarf takes a cluster for reachable only when a pod runs in it. */
async function runPod(kube: KubeClient): Promise<void> {
  const ref = { apiVersion: "v1", kind: "Pod", name: "pause", namespace: NAMESPACE };
  await kube.create({
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name: ref.name, namespace: NAMESPACE } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "pause", image: "registry.k8s.io/pause:3.10.1" }],
    },
  });
  await eventually("a running pod", async () => {
    const pod = await kube.get<KubeObject & { status?: { phase?: string } }>(ref);
    return pod?.status?.phase === "Running" ? true : undefined;
  });
}

async function steps(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step("a custom resource of a kind that comes late", () => lateKind(scene));
  await t.step("with zarf, a custom resource that becomes ready late", () => lateWithZarf(scene));
  await t.step("a health check comes after the actions that follow", () => afterActions(scene));
  await t.step("what is never there is named when the time is up", () => never(scene));
  await t.step("with zarf, a kind that comes late", () => lateKindWithZarf(scene));
  await t.step("a load balancer's address is part of a release", () => loadBalancer(scene));
}

/** The kind, the object and its readiness come one after the other, and it goes in between. */
async function lateKind(scene: Scene): Promise<void> {
  const { kube } = scene;
  const ref = { apiVersion: `${GROUP}/v1`, kind: "Gizmo", name: "g", namespace: NAMESPACE };
  // The version is one that the cluster will never have.
  const check = { ...ref, apiVersion: `${GROUP}/v1beta1` };
  const { said, running } = deploy(scene, { name: "late", healthChecks: [check] });
  const says = (text: string) =>
    eventually(
      text,
      () => Promise.resolve(said.at(-1)?.endsWith(text) || undefined),
      20_000,
      () => Promise.resolve(said.join("\n")),
    );
  await says(`Gizmo g: the cluster has no kind Gizmo in ${GROUP}`);
  await kube.create(definition("gizmos", "Gizmo"));
  await says("Gizmo g: not there yet");
  const make = (ready: string, finalizers: string[]) =>
    eventually(
      "the new kind",
      () => kube.create(gizmo("Gizmo", "g", ready, finalizers)).catch(() => undefined),
    );
  await make("False", ["waits.example/kept"]);
  await says("Gizmo g: soon");
  await kube.delete(ref);
  await says("Gizmo g: it is being deleted");
  await kube.patch(ref, { type: "merge", body: { metadata: { finalizers: [] } } });
  await says("Gizmo g: not there yet");
  await make("False", []);
  await says("Gizmo g: soon");
  const body = { status: { conditions: [{ type: "Ready", status: "True" }] } };
  await kube.patch(ref, { type: "merge", body });
  assert.equal(await running, undefined);
}

async function lateWithZarf(scene: Scene): Promise<void> {
  const { kube } = scene;
  await kube.create(gizmo("Gizmo", "z", "False"));
  const ref = { apiVersion: `${GROUP}/v1`, kind: "Gizmo", name: "z", namespace: NAMESPACE };
  const healthChecks = [{ ...ref, apiVersion: `${GROUP}/v1beta1` }];
  const running = deployWithZarf(scene, { name: "late-zarf", healthChecks }, "60s");
  await eventually(
    "zarf's release",
    () =>
      kube.get({ apiVersion: "v1", kind: "ConfigMap", name: "late-zarf", namespace: NAMESPACE }),
    60_000,
  );
  const body = { status: { conditions: [{ type: "Ready", status: "True" }] } };
  await kube.patch(ref, { type: "merge", body });
  const answer = await running;
  assert.ok(answer.ok, answer.text);
}

async function afterActions(scene: Scene): Promise<void> {
  const waiting = (name: string): Waiting => ({
    name,
    healthChecks: [
      { apiVersion: "v1", kind: "ConfigMap", name: `${name}-made`, namespace: NAMESPACE },
    ],
    after: [{ cmd: `./zarf tools kubectl -n ${NAMESPACE} create configmap ${name}-made` }],
  });
  const tools = await Deno.makeTempDir({ prefix: "holdfast-waits-tools-" });
  try {
    // By the name kubectl it is kubectl.
    await Deno.symlink(scene.helm, `${tools}/helm`);
    await Deno.symlink(scene.helm, `${tools}/kubectl`);
    const { running } = deploy({ ...scene, helm: `${tools}/helm` }, waiting("after"), 60_000);
    assert.equal(await running, undefined);
  } finally {
    await Deno.remove(tools, { recursive: true });
  }
  const byZarf = await deployWithZarf(scene, waiting("after-zarf"), "60s");
  assert.ok(byZarf.ok, byZarf.text);
}

async function never(scene: Scene): Promise<void> {
  const check = { apiVersion: "v1", kind: "ConfigMap", name: "nowhere", namespace: NAMESPACE };
  const { running } = deploy(scene, { name: "never", healthChecks: [check] }, 3_000);
  const error = await running;
  assert.ok(error instanceof DeployError, String(error));
  assert.equal(error.reason, "TimedOut");
  assert.match(
    error.message,
    /component "web": not ready within 3 s: ConfigMap nowhere: not there yet/,
  );
  const answer = await deployWithZarf(scene, { name: "never-zarf", healthChecks: [check] }, "5s");
  assert.ok(!answer.ok);
  assert.match(answer.text, /nowhere: ConfigMap not ready, status is Unknown/);
}

/** Zarf does not look for a kind again that was not there when it began to wait. */
async function lateKindWithZarf(scene: Scene): Promise<void> {
  const { kube } = scene;
  const name = "gadgets-zarf";
  const ref = { apiVersion: `${GROUP}/v1`, kind: "Gadget", name: "g", namespace: NAMESPACE };
  const running = deployWithZarf(scene, { name, healthChecks: [ref] }, "10s");
  const release = { apiVersion: "v1", kind: "ConfigMap", name, namespace: NAMESPACE };
  await eventually("zarf's release", () => kube.get(release), 60_000);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await kube.create(definition("gadgets", "Gadget"));
  await eventually(
    "the new kind",
    () => kube.create(gizmo("Gadget", "g", "True")).catch(() => undefined),
  );
  const answer = await running;
  assert.ok(!answer.ok);
  assert.match(answer.text, /g: Gadget not ready, status is Unknown/);
}

async function loadBalancer(scene: Scene): Promise<void> {
  const { kube } = scene;
  const late = deploy(scene, { name: "balancer", manifest: balancer("balancer") });
  await eventually(
    "the missing address",
    () => Promise.resolve(late.said.at(-1)?.endsWith("no address yet") || undefined),
    60_000,
    () => Promise.resolve(late.said.join("\n")),
  );
  const ref = { apiVersion: "v1", kind: "Service", name: "balancer", namespace: NAMESPACE };
  const body = { status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } } };
  await kube.patch(ref, { type: "merge", body }, { subresource: "status" });
  assert.equal(await late.running, undefined);
  const free = deploy(scene, { name: "free", manifest: balancer("free"), noWait: true }, 20_000);
  assert.equal(await free.running, undefined);
  const byZarf = await deployWithZarf(
    scene,
    { name: "balancer-zarf", manifest: balancer("balancer-zarf") },
    "5s",
  );
  assert.ok(!byZarf.ok, byZarf.text);
  const freeWithZarf = await deployWithZarf(
    scene,
    { name: "free-zarf", manifest: balancer("free-zarf"), noWait: true },
    "5s",
  );
  assert.ok(freeWithZarf.ok, freeWithZarf.text);
}
