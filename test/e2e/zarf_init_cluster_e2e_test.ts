import assert from "node:assert/strict";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { digestOf } from "../../src/std/mod.ts";
import { loadState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, TestAgent } from "./support/agent.ts";
import { podPackage } from "./support/named_images.ts";
import { helloArchive, SHOP_COMPONENTS, shopPackage } from "./support/shop_package.ts";
import { type Pod, said } from "./support/workloads.ts";
import { ZarfClient } from "./support/zarf_client.ts";
import { zarfInit, zarfInitPackage } from "./support/zarf_init_package.ts";

/*
 * Holdfast on a cluster that the real `zarf init` prepared: with Zarf's registry behind a node port and
 * Zarf's agent in pods. It takes both as they are.
 */

interface Scene {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
  readonly kube: KubeClient;
  readonly client: ZarfClient;
  readonly directory: string;
  /** Of the example's image. */
  readonly archive: string;
}

Deno.test({
  name: "Holdfast works on a cluster that the real zarf init prepared",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-zarf-init-" });
    const archive = `${directory}/hello.tar`;
    await helloArchive(archive);
    const init = await zarfInitPackage(`${directory}/init`);
    await using cluster = await Cluster.up({ name: "zarf-init", proxyMode: "iptables" });
    const [node] = cluster.nodes;
    assert(node);
    const agent = new TestAgent(node);
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    const client = new ZarfClient(cluster, directory);
    const scene = { cluster, agent, kube, client, directory, archive };
    try {
      await zarfInit(client, kube, node, init);
      await client.deploy(await shopPackage(`${directory}/one`, "1.0.0", archive));
      const before = await zarfsOwn(scene);
      await agent.start();
      await t.step("Zarf's agent is left to rewrite", () => leftToZarf(scene));
      await t.step("a version that is dropped upgrades what zarf deployed", () => upgraded(scene));
      await t.step("images that are dropped go into Zarf's registry", () => pushed(scene, "one"));
      await t.step("everything of Zarf's is as it was", async () => {
        assert.deepEqual(await zarfsOwn(scene), before);
        assert.equal(await kube.get(WEBHOOKS), undefined);
      });
      await t.step("credentials that zarf changes are followed", async () => {
        await client.run("tools", "update-creds", "registry", "--confirm");
        await client.run("tools", "update-creds", "agent", "--confirm");
        await pushed(scene, "two");
      });
      await t.step("what zarf removes stays away", () => removed(scene));
      assert.equal(await cluster.outsidePackets(), 0);
    } finally {
      kube.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

const WEBHOOKS = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  name: "holdfast",
} as const;

/** What zarf made for itself, without what changes by itself. */
async function zarfsOwn({ cluster }: Scene): Promise<string[]> {
  const list = async (kinds: string, ...args: string[]) =>
    JSON.parse(await cluster.kubectl(["get", kinds, "-o", "json", ...args])).items as (
      & KubeObject
      & { data?: unknown; spec?: { selector?: unknown; type?: string } }
    )[];
  const objects = [
    ...await list("deployments,services,configmaps,secrets,daemonsets", "-n", "zarf"),
    ...await list("mutatingwebhookconfigurations"),
    ...await list("namespaces"),
  ];
  return objects
    .filter(({ metadata: { name = "" } }) =>
      !/^(zarf-package-(?!init)|holdfast|one$|two$)/.test(name)
    )
    .map(({ kind, metadata, data, spec }) => {
      const { name, labels, generation } = metadata as KubeObject["metadata"] & {
        generation?: number;
      };
      const { type, selector } = spec ?? {};
      const content = data === undefined ? undefined : digestOf(JSON.stringify(data));
      return `${kind} ${name} ${JSON.stringify({ labels, generation, content, type, selector })}`;
    }).sort();
}

async function leftToZarf({ agent }: Scene): Promise<void> {
  await said(agent, "image rewriting", true, /^left to Zarf's own agent .*zarf\)$/);
}

async function podsOf({ kube }: Scene, namespace: string): Promise<Pod[]> {
  const { items } = await kube.list<Pod>({ apiVersion: "v1", kind: "Pod", namespace });
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

async function dropped(scene: Scene, file: string): Promise<string> {
  const { agent } = scene;
  const path = await agent.drop(file);
  const verdict = await agent.settled(path);
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
  return path;
}

const SHOP = "/var/drop/zarf-package-shop-amd64-2.0.0.tar.zst";

async function upgraded(scene: Scene): Promise<void> {
  const { client, directory, archive, cluster } = scene;
  const path = await dropped(scene, await shopPackage(`${directory}/two`, "2.0.0", archive));
  assert.equal(path, SHOP);
  const listed = (await client.packages()).map((one) => [one.package, one.version]);
  assert.deepEqual(listed, [["init", "v0.84.0"], ["shop", "2.0.0"]]);
  const releases: { name: string; revision: string }[] = JSON.parse(
    await client.run("tools", "helm", "list", "-n", "shop", "-o", "json"),
  );
  assert.equal(releases.length, 4);
  for (const { name, revision } of releases) assert.equal(revision, "2", name);
  const [pod] = await podsOf(scene, "shop");
  assert.equal(pod?.metadata.labels?.["zarf-agent"], "patched");
  assert.deepEqual(pod.spec.imagePullSecrets, [{ name: "private-registry" }]);
  assert.match(pod.spec.containers[0]?.image ?? "", /^127\.0\.0\.1:31999\/library\/hello:.*-zarf-/);
  const labels = await cluster.kubectl(["get", "namespace", "zarf", "--show-labels"]);
  assert(!labels.includes("pod-security"), labels);
}

/** Drops a package with an image that nobody has seen, and waits until it runs. */
async function pushed(scene: Scene, name: string): Promise<void> {
  const { client, directory } = scene;
  const { file, images } = await podPackage(`${directory}/${name}-made`, name);
  await dropped(scene, file);
  const [pod] = await podsOf(scene, name);
  assert.equal(pod?.status.phase, "Running");
  const image = `127.0.0.1:31999/site/${name}:1`;
  const digest = await client.run("tools", "registry", "digest", image);
  assert.equal(digest.trim(), images[0]?.digest);
}

async function removed(scene: Scene): Promise<void> {
  const { client, agent, kube } = scene;
  const listed = (await client.packages()).find((one) => one.package === "shop");
  assert.deepEqual(listed?.components, [...SHOP_COMPONENTS]);
  await client.run("package", "remove", "shop", "--confirm");
  await agent.stop();
  await agent.start();
  const verdict = await eventually("verdict of what was removed", async () => {
    const found = await agent.verdict(SHOP);
    return found?.reason === "Removed" ? found : undefined;
  });
  assert.equal(verdict.phase, "Superseded");
  assert.deepEqual(await podsOf(scene, "shop"), []);
  assert.equal((await loadState(kube))?.registryInfo.registryMode, "nodeport");
}
