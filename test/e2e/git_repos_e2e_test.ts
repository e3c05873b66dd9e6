import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { KubeClient } from "../../src/kube/mod.ts";
import type { ExecResult } from "../../src/std/mod.ts";
import { loadState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, TestAgent } from "./support/agent.ts";
import { Origin, packageOf } from "./support/git_packages.ts";

/** One node with an agent; what readers of repositories do is done in the node's network. */
class Scene {
  constructor(
    readonly agent: TestAgent,
    readonly kube: KubeClient,
    readonly origin: Origin,
    readonly directory: string,
  ) {}

  async deploy(version: string, manifests: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const directory = `${this.directory}/${version}`;
    const file = await packageOf([this.origin.url], version, directory, manifests);
    const verdict = await this.agent.settled(await this.agent.drop(file));
    assert.equal(verdict.phase, "Ready", verdict.message);
  }

  /** The Service by its cluster IP, as pods reach it. */
  async url(password?: string): Promise<string> {
    const ref = { apiVersion: "v1", kind: "Service", namespace: "zarf", name: "holdfast-git" };
    const service = await this.kube.get(ref) ?? assert.fail("there is no Service");
    const { clusterIP } = service["spec"] as { clusterIP: string };
    const { gitServer } = await loadState(this.kube) ?? assert.fail("there is no state");
    const { pullUsername, pullPassword, pushUsername } = gitServer;
    const reader = `${pullUsername}:${encodeURIComponent(password ?? pullPassword ?? "")}`;
    return `http://${reader}@${clusterIP}:3000/${pushUsername}/${this.origin.name}`;
  }

  git(...args: string[]): Promise<ExecResult> {
    return this.agent.node.exec("git", args, { env: { GIT_TERMINAL_PROMPT: "0" } });
  }

  /** Clones in the node and gives the commit that is checked out. */
  async clone(name: string, ...flags: string[]): Promise<string> {
    const directory = `/var/${name}`;
    const cloned = await this.git("clone", "--quiet", ...flags, await this.url(), directory);
    assert.equal(cloned.code, 0, cloned.stderr);
    return (await this.git("-C", directory, "rev-parse", "HEAD")).stdout.trim();
  }
}

/** What a package may be told of the git server. */
const CONFIG = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "readers" },
  data: { user: "###ZARF_GIT_PULL###", password: "###ZARF_GIT_AUTH_PULL###" },
};

Deno.test({
  name: "git repositories of packages are served inside the cluster",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-e2e-" });
    await using cluster = await Cluster.up({ name: "repos" });
    const [node] = cluster.nodes;
    assert(node);
    const agent = new TestAgent(node);
    await agent.start();
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    const scene = new Scene(agent, kube, await Origin.make(directory), directory);
    try {
      await t.step("a package's repository is cloned through the Service", () => first(scene));
      await t.step("the package and its namespace know who may read", () => told(scene));
      await t.step("go-git clones it as Flux does", () => flux(scene));
      await t.step("whoever has not the password gets nothing", () => refused(scene));
      await t.step("a new version adds its commits", () => upgraded(scene));
      await t.step("after a kill of the agent it is served again", () => killed(scene));
      await t.step("while nothing changes nothing is written", () => quiet(scene));
    } finally {
      kube.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function first(scene: Scene): Promise<void> {
  const { origin } = scene;
  const tip = await origin.clone.git("rev-parse", "HEAD");
  await scene.deploy("1.0.0", { readers: CONFIG });
  assert.equal(await scene.clone("first"), tip);
  assert.equal(await scene.clone("shallow", "--depth=1", "--branch=stable"), tip);
}

async function told({ kube }: Scene): Promise<void> {
  const { gitServer } = await loadState(kube) ?? assert.fail("no state");
  const { address, pullUsername: user = "", pullPassword: password = "" } = gitServer;
  assert.equal(address, "http://holdfast-git.zarf.svc.cluster.local:3000");
  const config = await kube.get({ ...CONFIG, namespace: "shop", name: "readers" });
  assert.deepEqual(config?.["data"], { user, password });
  const ref = { apiVersion: "v1", kind: "Secret", namespace: "shop", name: "private-git-server" };
  const secret = await eventually("git secret", () => kube.get(ref), 60_000);
  assert.deepEqual(secret["data"], { username: btoa(user), password: btoa(password) });
}

async function flux(scene: Scene): Promise<void> {
  const { gitServer } = await loadState(scene.kube) ?? assert.fail("no state");
  const url = (await scene.url()).replace(/\/\/.*@/, "//");
  const { code, stdout, stderr } = await scene.agent.node.exec(
    await ensureTool(TOOLS.gogit),
    [
      `--url=${url}`,
      `--username=${gitServer.pullUsername}`,
      "--reference=refs/heads/main",
      "--depth=1",
    ],
    { env: { PASSWORD: gitServer.pullPassword ?? "" } },
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^[0-9a-f]{40} 1\nfirst\n$/);
}

async function refused(scene: Scene): Promise<void> {
  const wrong = await scene.git("clone", "--quiet", await scene.url("wrong"), "/var/wrong");
  assert.equal(wrong.code, 128);
  assert.match(wrong.stderr, /Authentication failed/);
  const pushed = await scene.git("-C", "/var/first", "push", await scene.url(), "main:new");
  assert.match(pushed.stderr, /403/);
}

async function upgraded(scene: Scene): Promise<void> {
  const second = await scene.origin.commit("second");
  await scene.origin.clone.git("tag", "v2");
  await scene.origin.push();
  await scene.deploy("2.0.0", { readers: CONFIG });
  const pulled = await scene.git("-C", "/var/first", "pull", "--quiet", "--tags");
  assert.equal(pulled.code, 0, pulled.stderr);
  const head = await scene.git("-C", "/var/first", "rev-parse", "HEAD", "v2");
  assert.equal(head.stdout, `${second}\n${second}\n`);
}

async function killed(scene: Scene): Promise<void> {
  const tip = await scene.origin.clone.git("rev-parse", "HEAD");
  await scene.agent.stop("SIGKILL");
  assert.notEqual((await scene.git("ls-remote", await scene.url())).code, 0);
  await scene.agent.start();
  const answers = async () => {
    const { code } = await scene.git("ls-remote", await scene.url());
    return code === 0 ? true : undefined;
  };
  await eventually("git server", answers, 30_000, () => scene.agent.logTail());
  assert.equal(await scene.clone("again"), tip);
  assert.match((await scene.agent.part("git server")).message, /^listens on 0\.0\.0\.0:7474$/);
}

async function quiet(scene: Scene): Promise<void> {
  const before = await scene.agent.metric("holdfast_api_writes_total");
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assert.equal(await scene.agent.metric("holdfast_api_writes_total"), before);
}
