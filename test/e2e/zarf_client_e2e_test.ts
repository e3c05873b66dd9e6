import assert from "node:assert/strict";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { loadState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, HELLO, TestAgent } from "./support/agent.ts";
import { imagesPackage } from "./support/named_images.ts";
import {
  HELLO_IMAGE,
  helloArchive,
  REMOVED_ANNOTATION,
  SHOP_COMPONENTS,
  shopPackage,
} from "./support/shop_package.ts";
import { ZarfClient } from "./support/zarf_client.ts";

/*
 * The real zarf, as somebody has it on a laptop, on a cluster that Holdfast prepared and deployed to.
 */

const REGISTRY = "127.0.0.1:31999";

interface Scene {
  readonly cluster: Cluster;
  readonly agent: TestAgent;
  readonly kube: KubeClient;
  readonly client: ZarfClient;
  /** A directory of the test's own. */
  readonly directory: string;
  /** Paths of the shop's packages, by version, and where 1.0.0 was dropped. */
  readonly shops: Readonly<Record<"1.0.0" | "2.0.0", string>>;
  readonly dropped: string;
}

Deno.test({
  name: "the real zarf works with a cluster that Holdfast prepared",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-client-" });
    await using cluster = await Cluster.up({ name: "client" });
    const [node] = cluster.nodes;
    assert(node);
    const agent = new TestAgent(node);
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    try {
      await agent.start();
      const archive = `${directory}/hello.tar`;
      await helloArchive(archive);
      const shops = {
        "1.0.0": await shopPackage(`${directory}/one`, "1.0.0", archive),
        "2.0.0": await shopPackage(`${directory}/two`, "2.0.0", archive),
      };
      const dropped = await agent.drop(shops["1.0.0"]);
      const verdict = await agent.settled(dropped);
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
      const client = new ZarfClient(cluster, directory);
      const scene = { cluster, agent, kube, client, directory, shops, dropped };
      await t.step("it lists and inspects what Holdfast deployed", () => inspected(scene));
      await t.step("it connects to a Service of the package", () => connected(scene));
      await t.step("it reads the credentials, which are good", () => credentials(scene));
      await t.step("it reads the registry", () => registryRead(scene));
      await t.step("it deploys a package of its own", () => deployed(scene));
      await t.step(
        "what it upgrades stands, until the file is dropped again",
        () => upgraded(scene),
      );
      await t.step(
        "what it removes stays away, until the file is dropped again",
        () => removed(scene),
      );
      await t.step("credentials that it changes hold everywhere", () => newCredentials(scene));
      await t.step("it prunes the registry", () => pruned(scene));
      await t.step("it destroys what Zarf is, and Holdfast begins anew", () => destroyed(scene));
    } finally {
      kube.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function inspected({ client }: Scene): Promise<void> {
  const [init, ...packages] = await client.packages();
  assert.deepEqual([init?.package, init?.components], ["init", ["zarf-registry"]]);
  assert.deepEqual(packages, [{
    package: "shop",
    namespaceOverride: "",
    version: "1.0.0",
    connectivity: "airgap",
    components: [...SHOP_COMPONENTS],
  }]);
  const definition = await client.run("package", "inspect", "definition", "shop");
  assert.match(definition, /^ {2}version: "?1\.0\.0"?$/m);
  const images = await client.run("package", "inspect", "images", "shop");
  assert.match(images, new RegExp(HELLO_IMAGE));
}

async function connected({ client }: Scene): Promise<void> {
  const listed = await client.run("connect", "list");
  assert.match(listed, /zarf connect shop.*The shop/);
  await using connection = await client.connect("shop");
  assert.equal(new URL(connection.url).pathname, "/start");
  const response = await fetch(connection.url);
  assert.match(await response.text(), /^hello 0\.1\.0 from pod web-/);
  await using registry = await client.connect("registry");
  const catalog = await fetch(registry.url);
  await catalog.body?.cancel();
  assert.equal(catalog.status, 401, registry.url);
}

/** What the in-cluster registry itself says to somebody. */
async function signIn({ cluster, kube }: Scene, username: string, password: string) {
  const [node] = cluster.nodes;
  const ref = {
    apiVersion: "v1",
    kind: "Service",
    namespace: "zarf",
    name: "zarf-docker-registry",
  };
  const service = await kube.get<KubeObject & { spec: { clusterIP: string } }>(ref);
  assert(node && service);
  await using forward = node.forward(`${service.spec.clusterIP}:5000`);
  const response = await fetch(`http://${forward.address}/v2/`, {
    headers: { authorization: `Basic ${btoa(`${username}:${password}`)}` },
  });
  await response.body?.cancel();
  return response.status;
}

async function credentials(scene: Scene): Promise<void> {
  const { client } = scene;
  for (const key of ["registry", "registry-readonly"]) {
    const { username, password } = await client.credentials(key);
    assert.equal(await signIn(scene, username, password), 200, key);
    assert.equal(await signIn(scene, username, `${password}x`), 401, key);
    assert.equal((await client.run("tools", "get-creds", key)).trim(), password);
  }
  const git = await client.credentials("git");
  assert.equal(git.password, "", "there is no git server");
}

async function registryRead({ client, directory }: Scene): Promise<void> {
  const registry = ["tools", "registry"];
  const catalog = await client.run(...registry, "catalog");
  assert.deepEqual(catalog.trim().split("\n"), ["library/hello", "library/registry"]);
  const tags = await client.run(...registry, "ls", `${REGISTRY}/library/hello`);
  assert.match(tags, /^0\.1\.0$/m);
  assert.match(tags, /^0\.1\.0-zarf-\d+$/m);
  const digest = await client.run(...registry, "digest", `${REGISTRY}/library/hello:0.1.0`);
  assert.match(digest, /^sha256:[0-9a-f]{64}$/m);
  await client.run(...registry, "pull", `${REGISTRY}/library/hello:0.1.0`, `${directory}/pulled`);
  assert((await Deno.stat(`${directory}/pulled`)).size > 1_000_000);
}

/** A package with an image that Holdfast has never seen. */
async function deployed({ client, directory, kube }: Scene): Promise<void> {
  const names = { tagged: ["quay.io/laptop/tool:1"], byDigest: [] };
  const { file } = await imagesPackage(
    `${directory}/tool`,
    "tool",
    names,
    ([image]) =>
      JSON.stringify({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "tool" },
        spec: {
          selector: { matchLabels: { app: "tool" } },
          template: {
            metadata: { labels: { app: "tool" } },
            spec: { containers: [{ name: "tool", image: image?.reference }] },
          },
        },
      }),
  );
  await client.deploy(file);
  const { items: [pod] } = await kube.list<
    KubeObject & { spec: { containers: { image: string }[] }; status: { phase: string } }
  >({ apiVersion: "v1", kind: "Pod", namespace: "tool" });
  assert.equal(pod?.status.phase, "Running");
  assert.match(pod?.spec.containers[0]?.image ?? "", /^127\.0\.0\.1:31999\/laptop\/tool:1-zarf-/);
}

/** Waits until the verdict on the shop 1.0.0 has a reason. */
async function says({ agent, dropped }: Scene, reason: string) {
  return await eventually(
    `verdict ${reason}`,
    async () => {
      const verdict = await agent.verdict(dropped);
      return verdict?.reason === reason ? verdict : undefined;
    },
    60_000,
    async () => `${JSON.stringify(await agent.verdict(dropped))}\n${await agent.logTail()}`,
  );
}

async function versions({ kube, client }: Scene) {
  const maps = ["base", "extra-chart", "extra-manifest"];
  const found = await Promise.all(maps.map(async (name) => {
    const ref = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name };
    const object = await kube.get<KubeObject & { data: { version: string } }>(ref);
    return object?.data.version;
  }));
  const listed = (await client.packages()).find((one) => one.package === "shop");
  return { listed: listed?.version, components: listed?.components, found };
}

async function upgraded(scene: Scene): Promise<void> {
  const { client, agent, shops } = scene;
  await client.deploy(shops["2.0.0"]);
  const now = await versions(scene);
  assert.deepEqual(now, {
    listed: "2.0.0",
    components: [...SHOP_COMPONENTS],
    found: ["2.0.0", "2.0.0", "2.0.0"],
  });
  const verdict = await says(scene, "DeployedElsewhere");
  assert.equal(verdict.phase, "Superseded");
  assert.match(verdict.message, /^version 2\.0\.0 of shop was deployed from elsewhere/);
  assert.deepEqual(await versions(scene), now);
  await agent.drop(shops["1.0.0"]);
  await says(scene, "Ready");
  assert.deepEqual(await versions(scene), {
    listed: "1.0.0",
    components: [...SHOP_COMPONENTS],
    found: ["1.0.0", "1.0.0", "1.0.0"],
  });
}

async function removed(scene: Scene): Promise<void> {
  const { client, agent, shops, kube } = scene;
  await client.run("package", "remove", "shop", "--confirm", "--components=extra");
  const partly = await says(scene, "ComponentsRemoved");
  assert.equal(partly.phase, "Ready");
  assert.deepEqual(partly.components.map(({ phase }) => phase), ["Ready", "Ready", "Removed"]);
  assert.deepEqual((await versions(scene)).found, ["1.0.0", undefined, undefined]);
  const namespace = await kube.get({ apiVersion: "v1", kind: "Namespace", name: "shop" });
  assert.equal(namespace?.metadata.annotations?.[REMOVED_ANNOTATION], "extra", "onRemove ran");
  await agent.drop(shops["1.0.0"]);
  await says(scene, "Ready");
  assert.deepEqual((await versions(scene)).found, ["1.0.0", "1.0.0", "1.0.0"]);
  await client.run("package", "remove", "shop", "--confirm");
  assert.deepEqual((await versions(scene)).found, [undefined, undefined, undefined]);
  await agent.stop();
  await agent.start();
  const gone = await says(scene, "Removed");
  assert.equal(gone.phase, "Superseded");
  assert.deepEqual((await versions(scene)).found, [undefined, undefined, undefined]);
  await agent.drop(shops["1.0.0"]);
  await says(scene, "Ready");
  assert.deepEqual((await versions(scene)).found, ["1.0.0", "1.0.0", "1.0.0"]);
}

/** How long everybody may take to have new credentials, in milliseconds. */
const FOLLOW_TIMEOUT = 90_000;

async function newCredentials(scene: Scene): Promise<void> {
  const { client, kube, cluster } = scene;
  const before = (await loadState(kube))?.registryInfo;
  assert(before);
  await client.run("tools", "update-creds", "registry", "--confirm");
  const after = (await loadState(kube))?.registryInfo;
  assert(after);
  for (const key of ["registry", "registry-readonly"]) {
    const { username, password } = await client.credentials(key);
    assert.equal(await signIn(scene, username, password), 200, key);
  }
  assert.equal(await signIn(scene, before.pushUsername, before.pushPassword ?? ""), 401, "old");
  const auth = btoa(`${after.pullUsername}:${after.pullPassword}`);
  for (const namespace of ["zarf", "shop", "tool"]) {
    const ref = { apiVersion: "v1", kind: "Secret", namespace, name: "private-registry" };
    const hasIt = async () => {
      const secret = await kube.get<KubeObject & { data: Record<string, string> }>(ref);
      const { auths } = JSON.parse(atob(secret?.data[".dockerconfigjson"] ?? ""));
      return auths[REGISTRY].auth === auth ? true : undefined;
    };
    await eventually(`pull secret in ${namespace}`, hasIt, FOLLOW_TIMEOUT);
  }
  const [node] = cluster.nodes;
  assert(node);
  // It has never seen this image: it asks the registry, as whoever the state says.
  await eventually("answer of the node registry", async () => {
    await using forward = node.forward(REGISTRY);
    const response = await fetch(`http://${forward.address}/v2/laptop/tool/manifests/1`);
    await response.body?.cancel();
    return response.status === 200 ? true : undefined;
  }, FOLLOW_TIMEOUT);
}

async function pruned(scene: Scene): Promise<void> {
  const { client } = scene;
  await client.run("tools", "registry", "prune", "--confirm");
  for (const image of ["laptop/tool:1", "library/hello:0.1.0", "library/registry:3.1.2"]) {
    await client.run("tools", "registry", "digest", `${REGISTRY}/${image}`);
  }
}

async function destroyed(scene: Scene): Promise<void> {
  const { client, agent, kube } = scene;
  await client.run("destroy", "--confirm");
  assert.equal(await kube.get({ apiVersion: "v1", kind: "Namespace", name: "zarf" }), undefined);
  assert.equal((await agent.verdict(scene.dropped))?.phase, "Ready", "nobody knows otherwise");
  const verdict = await agent.settled(await agent.drop(HELLO));
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
  const listed = (await client.packages()).map((one) => one.package);
  assert.deepEqual(listed, ["hello", "init"]);
}
