// Runs alone: Secrets have to be there within a second.
import assert from "node:assert/strict";
import { KubeClient, KubeError, type KubeObject } from "../../src/kube/mod.ts";
import { systemClock } from "../../src/std/mod.ts";
import { loadState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, HELLO, TestAgent } from "./support/agent.ts";
import { zarf } from "./support/zarf.ts";

/** How long a namespace is without its Secret, in milliseconds, where the machine is not busy. */
const LIMIT = 1_000;
/** How long it may be on any machine, in milliseconds. */
const PATIENCE = 30_000;
const NAME = "private-registry";
const SECRET = { apiVersion: "v1", kind: "Secret", name: NAME } as const;
/** How long nothing is written, to believe that it is quiet, in milliseconds. */
const QUIET = 4_000;

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

/** One node with an agent that has brought up the registry. */
class Scene {
  constructor(
    readonly cluster: Cluster,
    readonly agent: TestAgent,
    readonly kube: KubeClient,
  ) {}

  async addNamespace(name: string, labels: Record<string, string> = {}): Promise<void> {
    await this.kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
  }

  async label(namespace: string, value: string | null): Promise<void> {
    const ref = { apiVersion: "v1", kind: "Namespace", name: namespace };
    const body = { metadata: { labels: { "zarf.dev/agent": value } } };
    await this.kube.patch(ref, { type: "merge", body });
  }

  secret(namespace: string): Promise<Secret | undefined> {
    return this.kube.get<Secret>({ ...SECRET, namespace });
  }

  async change(namespace: string, data: Record<string, string | null>): Promise<void> {
    await this.kube.patch({ ...SECRET, namespace }, { type: "merge", body: { data } });
  }

  /** Whether what a namespace has lets in the state's reader, at all three addresses. */
  async isRight(namespace: string): Promise<boolean> {
    const encoded = (await this.secret(namespace))?.data?.[".dockerconfigjson"];
    const info = (await loadState(this.kube))?.registryInfo;
    if (encoded === undefined || info === undefined) return false;
    const { auths = {} }: { auths?: Record<string, { auth: string }> } = JSON.parse(atob(encoded));
    const expected = `${info.pullUsername}:${info.pullPassword}`;
    return Object.keys(auths).length === 3 && info.address in auths &&
      Object.values(auths).every(({ auth }) => atob(auth) === expected);
  }

  /** Waits until a namespace's Secret is right, and gives the milliseconds that it took. */
  async right(namespace: string, limit = PATIENCE): Promise<number> {
    const started = performance.now();
    while (!await this.isRight(namespace)) {
      if (performance.now() - started > limit) {
        assert.fail(`the Secret in ${namespace} was not right in time\n${await this.trouble()}`);
      }
      await systemClock.sleep(10);
    }
    return performance.now() - started;
  }

  /** Waits until the agent has seen all namespaces, and every one that needs a Secret is right. */
  async settled(): Promise<void> {
    const { items } = await this.kube.list({ apiVersion: "v1", kind: "Namespace" });
    const needed = items.filter(({ metadata: { name, labels } }) =>
      name !== "kube-system" && !["ignore", "skip"].includes(labels?.["zarf.dev/agent"] ?? "")
    );
    await this.says(true, new RegExp(`^right in ${needed.length} namespaces$`));
  }

  /** Says of a namespace that it is somebody else's, and waits until the agent knows. */
  async leave(namespace: string): Promise<void> {
    await this.settled();
    await this.label(namespace, "ignore");
    await this.settled();
  }

  async trouble(): Promise<string> {
    const { message } = await this.agent.part("pull secrets");
    return `pull secrets: ${message}\n${await this.agent.logTail()}`;
  }

  async says(ok: boolean, message: RegExp): Promise<void> {
    const said = async () => {
      const part = await this.agent.part("pull secrets");
      return part.ok === ok && message.test(part.message) ? part : undefined;
    };
    await eventually(`"${message.source}"`, said, 60_000, () => this.trouble());
  }

  /** How many requests the agent sends that write, while `action` runs. */
  async writes(action: () => Promise<void>): Promise<number> {
    const before = await this.agent.metric("holdfast_api_writes_total");
    await action();
    return await this.agent.metric("holdfast_api_writes_total") - before;
  }
}

Deno.test({
  name: "pull secrets are there, and right, in every namespace that needs them",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "secrets" });
    const [node] = cluster.nodes;
    assert(node);
    const agent = new TestAgent(node);
    await agent.start();
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    const scene = new Scene(cluster, agent, kube);
    const verdict = await agent.settled(await agent.drop(HELLO));
    assert.equal(verdict.phase, "Ready", verdict.message);
    try {
      await t.step("a namespace that appears has its Secret within a second", () => appear(scene));
      await t.step("what is deleted or changed comes back", () => repaired(scene));
      await t.step("what is not right to touch stays untouched", () => untouched(scene));
      await t.step("a namespace that refuses holds up no other", () => refused(scene));
      await t.step("a Secret of another type waits for somebody", () => otherType(scene));
      await t.step("a namespace that ends gets nothing", () => ending(scene));
      await t.step("credentials that the real zarf changed are everywhere", () => changed(scene));
      await t.step("after an API server that was away all is made good", () => away(scene));
      await t.step("after an agent that was killed all is made good", () => killed(scene));
      await t.step("while nothing changes nothing is written", async () => {
        await scene.says(true, /^right in \d+ namespaces$/);
        await systemClock.sleep(1_000);
        assert.equal(await scene.writes(() => systemClock.sleep(QUIET)), 0);
      });
    } finally {
      kube.close();
    }
  },
});

async function appear(scene: Scene): Promise<void> {
  const took: number[] = [];
  const writes = await scene.writes(async () => {
    for (let round = 0; round < 20; round++) {
      await scene.addNamespace(`new-${round}`);
      took.push(await scene.right(`new-${round}`));
    }
  });
  assert.equal(writes, 20, "one write for each");
  // Now and then a machine is busy with something else.
  const late = took.filter((ms) => ms > LIMIT);
  assert.ok(late.length <= took.length / 2, `${took.map(Math.round).join(", ")} ms`);
}

async function repaired(scene: Scene): Promise<void> {
  const writes = await scene.writes(async () => {
    await scene.kube.delete({ ...SECRET, namespace: "new-0" });
    const deleted = await scene.right("new-0");
    await scene.change("new-1", { ".dockerconfigjson": btoa("{}") });
    const changed = await scene.right("new-1");
    assert.ok(Math.min(deleted, changed) <= LIMIT, `${deleted} and ${changed} ms`);
    const body = { metadata: { labels: null } };
    await scene.kube.patch({ ...SECRET, namespace: "new-2" }, { type: "merge", body });
    const hasLabel = async () => (await scene.secret("new-2"))?.metadata.labels !== undefined;
    await eventually("label", async () => await hasLabel() || undefined, PATIENCE);
  });
  assert.equal(writes, 3);
  assert.equal(await scene.writes(async () => await scene.change("new-3", { more: "" })), 0);
  await systemClock.sleep(LIMIT);
  assert.equal((await scene.secret("new-3"))?.data?.["more"], "");
}

async function untouched(scene: Scene): Promise<void> {
  await scene.addNamespace("theirs", { "zarf.dev/agent": "ignore" });
  await scene.addNamespace("theirs-too", { "zarf.dev/agent": "skip" });
  await systemClock.sleep(LIMIT);
  for (const namespace of ["theirs", "theirs-too", "kube-system", "default"]) {
    assert.equal(await scene.secret(namespace), undefined, namespace);
  }
  await scene.label("theirs", null);
  await scene.right("theirs");
  await scene.leave("theirs");
  await scene.change("theirs", { ".dockerconfigjson": btoa("{}") });
  await systemClock.sleep(LIMIT);
  assert.equal(await scene.isRight("theirs"), false, "it is theirs now");
  const other = { ...SECRET, metadata: { name: NAME, namespace: "theirs-too" } };
  await scene.kube.create({
    ...other,
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": btoa('{"auths":{}}'), mine: "" },
  });
  await scene.label("theirs-too", null);
  await scene.right("theirs-too");
  assert.equal((await scene.secret("theirs-too"))?.data?.["mine"], "");
}

async function refused(scene: Scene): Promise<void> {
  const { kube } = scene;
  await scene.addNamespace("full", { "zarf.dev/agent": "ignore" });
  const quota = { apiVersion: "v1", kind: "ResourceQuota", namespace: "full", name: "none" };
  await kube.create({
    ...quota,
    metadata: { namespace: "full", name: "none" },
    spec: { hard: { "count/secrets": "0" } },
  });
  await scene.label("full", null);
  await scene.says(false, /^cannot be written in full: .*(quota|status unknown)/);
  await scene.addNamespace("not-full");
  await scene.right("not-full");
  await kube.delete(quota);
  await scene.right("full", 60_000);
  await scene.says(true, /^right in/);
}

async function otherType(scene: Scene): Promise<void> {
  await scene.kube.delete({ ...SECRET, namespace: "new-4" });
  const wrong = { ...SECRET, metadata: { name: NAME, namespace: "new-4" }, type: "Opaque" };
  try {
    await scene.kube.create(wrong);
  } catch (error) {
    // The agent may have been faster.
    assert(error instanceof KubeError && error.reason === "AlreadyExists", String(error));
    await scene.leave("new-4");
    await scene.kube.delete({ ...SECRET, namespace: "new-4" });
    await scene.kube.create(wrong);
    await scene.label("new-4", null);
  }
  await scene.says(false, /^cannot be written in new-4: .*immutable/);
  await scene.kube.delete({ ...SECRET, namespace: "new-4" });
  await scene.right("new-4", 60_000);
}

async function ending(scene: Scene): Promise<void> {
  const { kube } = scene;
  await scene.addNamespace("ending");
  await scene.right("ending");
  const keeper = { apiVersion: "v1", kind: "ConfigMap", namespace: "ending", name: "keeper" };
  const finalizers = ["holdfast.dev/test"];
  const metadata = { namespace: "ending", name: "keeper", finalizers };
  await kube.create({ apiVersion: "v1", kind: "ConfigMap", metadata });
  const writes = await scene.writes(async () => {
    await kube.delete({ apiVersion: "v1", kind: "Namespace", name: "ending" });
    const gone = async () => await scene.secret("ending") === undefined ? true : undefined;
    await eventually("end of the Secret", gone, 20_000);
    await systemClock.sleep(LIMIT);
  });
  assert.equal(writes, 0);
  assert.equal((await scene.agent.part("pull secrets")).ok, true);
  await kube.patch(keeper, { type: "merge", body: { metadata: { finalizers: null } } });
}

/** All namespaces that have to have a Secret, `zarf` among them. */
const SERVED = ["zarf", "hello", "new-0", "new-4", "new-19", "not-full", "full", "theirs-too"];

/** The one for all services; `update-creds registry` insists on Zarf's own init package. */
async function changed(scene: Scene): Promise<void> {
  const { cluster, kube } = scene;
  const before = (await loadState(kube))?.registryInfo.pullPassword;
  const env = { KUBECONFIG: cluster.kubeconfig(), HOME: cluster.plan.layout.state };
  const git = { url: "http://git.example.com:3000", "pull-username": "reader" };
  const flags = Object.entries({ ...git, "push-username": "o", "pull-password": "geheim" })
    .map(([name, value]) => `--git-${name}=${value}`);
  const { ok, text } = await zarf(["tools", "update-creds", "--confirm", ...flags], "/", env);
  assert(ok, text);
  const state = await loadState(kube);
  assert.notEqual(state?.registryInfo.pullPassword, before, text);
  assert.equal(state?.gitServer.address, git.url, text);
  for (const namespace of SERVED) {
    await scene.right(namespace);
    const read = () => kube.get<Secret>({ ...SECRET, name: "private-git-server", namespace });
    const secret = await eventually(`git secret in ${namespace}`, read, PATIENCE);
    assert.deepEqual(secret.data, { username: btoa("reader"), password: btoa("geheim") });
  }
  await systemClock.sleep(LIMIT);
  assert.equal(await scene.writes(() => systemClock.sleep(LIMIT)), 0);
  assert.equal(await scene.isRight("theirs"), false);
}

async function away(scene: Scene): Promise<void> {
  await scene.cluster.stop("apiserver");
  await systemClock.sleep(3_000);
  await scene.cluster.start("apiserver");
  await eventually("API server", async () => await scene.kube.ready() || undefined);
  await scene.addNamespace("after");
  await scene.kube.delete({ ...SECRET, namespace: "new-5" });
  await scene.right("after", 60_000);
  await scene.right("new-5", 60_000);
}

async function killed(scene: Scene): Promise<void> {
  await scene.agent.stop("SIGKILL");
  await scene.addNamespace("meanwhile");
  await scene.kube.delete({ ...SECRET, namespace: "new-6" });
  await scene.change("new-7", { ".dockerconfigjson": btoa("{}") });
  await scene.agent.start();
  for (const namespace of ["meanwhile", "new-6", "new-7"]) await scene.right(namespace, 60_000);
}
