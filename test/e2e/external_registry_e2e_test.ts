import assert from "node:assert/strict";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { loadState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, TestAgent } from "./support/agent.ts";
import { podPackage } from "./support/named_images.ts";
import { SiteRegistryNode } from "./support/site_registry_node.ts";
import { helloArchive, shopPackage } from "./support/shop_package.ts";
import { type Pod, said } from "./support/workloads.ts";
import { ZarfClient } from "./support/zarf_client.ts";
import { podBefore, zarfInitPackage } from "./support/zarf_init_package.ts";

/*
 * Holdfast on a cluster that the real `zarf init --registry-url` prepared: the registry is the site's own,
 * the real distribution by TLS with an authority of the site and a password, and images lie below a
 * path there.
 */

interface Scene {
  readonly agent: TestAgent;
  readonly kube: KubeClient;
  readonly registry: SiteRegistryNode;
  readonly directory: string;
}

Deno.test({
  name: "Holdfast works on a cluster whose registry is the site's own",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-external-registry-" });
    const archive = `${directory}/hello.tar`;
    await helloArchive(archive);
    const init = await zarfInitPackage(`${directory}/init`);
    await using cluster = await Cluster.up({ name: "external-registry" });
    const [node] = cluster.nodes;
    assert(node);
    const registry = await SiteRegistryNode.start(node);
    const agent = new TestAgent(node);
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    const client = new ZarfClient(cluster, directory);
    const scene = { agent, kube, registry, directory };
    try {
      await podBefore(kube);
      await client.run(
        ...["init", init, "--confirm", "--timeout=180s", "--insecure-skip-tls-verify"],
        ...registry.zarfFlags(),
      );
      assert.equal((await loadState(kube))?.registryInfo.registryMode, "external");
      await agent.start();
      await t.step("Zarf's agent is left to rewrite", async () => {
        await said(agent, "image rewriting", true, /^left to Zarf's own agent /);
      });
      await t.step("images go where Zarf's state says", () => runs(scene, "one"));
      await t.step("the webhook of the agents sends pods there, too", async () => {
        await kube.delete({ ...ZARF_WEBHOOK });
        await said(agent, "image rewriting", true, /^the API server asks the agent of its node/);
        await runs(scene, "two");
      });
      await t.step("what the registry has is not sent again", async () => {
        const before = await registry.writes();
        await agent.drop(await packageOf(scene, "two"), "again.tar.zst");
        await ready(scene, "/var/drop/again.tar.zst");
        assert.deepEqual(await registry.writes(), before);
      });
      await t.step("zarf upgrades what was dropped", async () => {
        const shop = await agent.drop(await shopPackage(`${directory}/shop1`, "1.0.0", archive));
        await ready(scene, shop);
        await client.deploy(
          await shopPackage(`${directory}/shop2`, "2.0.0", archive),
          "--insecure-skip-tls-verify",
        );
      });
      await t.step("no registry was started, and an init package leaves the site's", async () => {
        const path = await agent.drop(init, "init.tar.zst");
        const { components } = await ready(scene, path);
        const { message } = components.find(({ name }) => name === "zarf-registry") ?? {};
        assert.match(message ?? "", /the site has a registry of its own, which stays in use/);
        const { items } = await kube.list({
          apiVersion: "apps/v1",
          kind: "Deployment",
          namespace: "zarf",
        });
        assert.deepEqual(items.map(({ metadata }) => metadata.name), ["agent-hook"]);
      });
      await t.step("one that is not there is waited for, by name", async () => {
        await registry.stop();
        const path = await agent.drop(await packageOf(scene, "three"));
        const { message } = await eventually(
          "verdict of what waits",
          async () => {
            const found = await agent.verdict(path);
            return found?.reason === "RegistryOutside" ? found : undefined;
          },
          120_000,
          () => agent.logTail(),
        );
        assert.match(message, /the site's registry .*\/team cannot be used: /);
        await registry.run();
        await ready(scene, path);
      });
      assert.equal(await cluster.outsidePackets(), 0);
    } finally {
      kube.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

const ZARF_WEBHOOK = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  name: "zarf",
} as const;

const made = new Map<string, string>();

/** A package with an image that nobody has seen; the same file each time. */
async function packageOf({ directory }: Scene, name: string): Promise<string> {
  const before = made.get(name);
  if (before !== undefined) return before;
  const { file } = await podPackage(`${directory}/${name}`, name);
  made.set(name, file);
  return file;
}

async function ready({ agent }: Scene, path: string) {
  const verdict = await agent.settled(path);
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
  return verdict;
}

/** Drops a package: its pod runs with the image out of the site's registry, and signs in there. */
async function runs(scene: Scene, name: string): Promise<void> {
  const { agent, kube, registry } = scene;
  await ready(scene, await agent.drop(await packageOf(scene, name)));
  const pod = await kube.get<Pod>({ apiVersion: "v1", kind: "Pod", namespace: name, name });
  assert.equal(pod?.status.phase, "Running");
  const [, tag] = pod.spec.containers[0]?.image.split(`${registry.address}/site/${name}:`) ?? [];
  assert.match(tag ?? "", /^1-zarf-\d+$/, pod.spec.containers[0]?.image);
  assert.deepEqual(pod.spec.imagePullSecrets, [{ name: "private-registry" }]);
  for (const one of ["1", tag ?? ""]) assert.equal(await registry.has(`site/${name}`, one), true);
  const secret = await kube.get<KubeObject & { data: Record<string, string> }>({
    ...{ apiVersion: "v1", kind: "Secret", namespace: name, name: "private-registry" },
  });
  const { auths } = JSON.parse(atob(secret?.data[".dockerconfigjson"] ?? ""));
  assert.deepEqual(Object.keys(auths), [registry.address]);
}
