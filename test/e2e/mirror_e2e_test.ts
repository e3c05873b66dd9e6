import assert from "node:assert/strict";
import { Cluster, type ClusterNode, obstacle } from "../cluster/mod.ts";
import { eventually, HELLO, TestAgent } from "./support/agent.ts";
import { operateImage } from "./support/image_operator.ts";
import { type ImagesPackage, imagesPackage, type NamedImage } from "./support/named_images.ts";

const NAMESPACE = "shop";
const MIRROR = { flags: ["--image-mode=mirror"] };
const ABSENT_DIGEST = `sha256:${"0".repeat(64)}`;

/** Path and tag of several are the same, and only the host tells them apart. */
const NAMES = {
  tagged: [
    "docker.io/library/app:1",
    "quay.io/library/app:1",
    "registry.example:5000/library/app:1",
    "Registry.Example/library/app:1",
    "registry-1.docker.io/library/alias:1",
  ],
  byDigest: ["ghcr.io/holdfast/fixed"],
};

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly nodeName: string;
    readonly containers: readonly { readonly name: string; readonly image: string }[];
    readonly imagePullSecrets?: unknown;
  };
  readonly status: {
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly imageID: string;
      readonly ready: boolean;
      readonly state: { readonly waiting?: { readonly reason: string; readonly message?: string } };
    }[];
  };
}

/** The names that the manifest has for the images, with the digest that each has to bring. */
function containersOf(images: readonly NamedImage[]): NamedImage[] {
  const [hub] = images;
  const fixed = images.find(({ reference }) => reference.includes("@"));
  assert(hub && fixed);
  return [
    ...images,
    // The name that most people write.
    { reference: "app:1", digest: hub.digest },
    { reference: `ghcr.io/holdfast/fixed:1@${fixed.digest}`, digest: fixed.digest },
  ];
}

function manifest(images: readonly NamedImage[]): string {
  const labels = { app: "web" };
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "web" },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: containersOf(images)
            .map(({ reference }, at) => ({ name: `c${at}`, image: reference })),
        },
      },
    },
  });
}

async function get<T>(cluster: Cluster, ...args: string[]): Promise<T> {
  return JSON.parse(await cluster.kubectl(["get", ...args, "-o", "json"]));
}

async function getPods(cluster: Cluster, selector: string): Promise<Pod[]> {
  const list = await get<{ items: Pod[] }>(cluster, "pods", "-n", NAMESPACE, "-l", selector);
  return list.items;
}

/** Asks a node for a pod with `image`, and waits until the kubelet says why it cannot pull it. */
async function pullFails(cluster: Cluster, node: ClusterNode, image: string): Promise<string> {
  const name = `absent-${crypto.randomUUID()}`;
  const spec = { nodeName: node.name, containers: [{ name: "c", image }] };
  const metadata = { name, namespace: NAMESPACE, labels: { name } };
  const pod = { apiVersion: "v1", kind: "Pod", metadata, spec };
  await cluster.kubectl(["create", "-f", "-"], { stdin: JSON.stringify(pod) });
  const message = await eventually(`a failed pull of ${image}`, async () => {
    const [found] = await getPods(cluster, `name=${name}`);
    assert.equal(found?.spec.containers[0]?.image, image);
    const waiting = found?.status.containerStatuses?.[0]?.state.waiting;
    return /^(ErrImagePull|ImagePullBackOff)$/.test(waiting?.reason ?? "")
      ? waiting?.message
      : undefined;
  }, 90_000);
  await cluster.kubectl(["delete", "pod", name, "-n", NAMESPACE, "--force"]);
  return message;
}

async function makeDesired(cluster: Cluster, name: string, image: string): Promise<void> {
  const args = ["create", "configmap", name, "-n", NAMESPACE, `--from-literal=image=${image}`];
  await cluster.kubectl(args);
}

Deno.test({
  name:
    "mirror mode: what a package brings is pulled under its own names, and nothing is rewritten",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-mirror-" });
    try {
      const shop = await imagesPackage(directory, NAMESPACE, NAMES, manifest);
      await using cluster = await Cluster.up({ name: "mirror", nodes: 2, registryMode: "mirror" });
      await steps(t, cluster, shop);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function steps(t: Deno.TestContext, cluster: Cluster, shop: ImagesPackage): Promise<void> {
  const agents = cluster.nodes.map((node) => new TestAgent(node));
  const [holder, other] = agents;
  assert(holder && other);
  for (const agent of agents) await agent.start(MIRROR);

  await t.step("the package becomes Ready on both nodes", async () => {
    const verdict = await holder.settled(await holder.drop(shop.file));
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail(30)}`);
    const pods = await getPods(cluster, "app=web");
    assert.deepEqual(
      pods.map((pod) => pod.spec.nodeName).sort(),
      cluster.nodes.map((node) => node.name),
    );
    for (const pod of pods) {
      assert(pod.status.containerStatuses?.every(({ ready }) => ready), pod.metadata.name);
    }
  });

  await t.step("templates and pods keep their names byte for byte", async () => {
    const names = containersOf(shop.images).map(({ reference }) => reference);
    const set = await get<{ spec: { template: Pod } }>(
      cluster,
      ...["daemonset", "web", "-n", NAMESPACE],
    );
    for (const { metadata, spec } of [set.spec.template, ...await getPods(cluster, "app=web")]) {
      assert.deepEqual(spec.containers.map(({ image }) => image), names);
      assert.equal(spec.imagePullSecrets, undefined);
      assert.equal(metadata.labels?.["zarf-agent"], undefined);
      const keys = Object.keys(metadata.annotations ?? {});
      assert.deepEqual(keys.filter((key) => key.startsWith("zarf.dev/")), []);
    }
  });

  await t.step("each container has the image of its own host, on either node", async () => {
    const digests = containersOf(shop.images).map(({ digest }) => digest);
    assert.equal(new Set(digests).size, shop.images.length);
    for (const { metadata, spec, status } of await getPods(cluster, "app=web")) {
      const found = spec.containers.map(({ name }) =>
        status.containerStatuses?.find((one) => one.name === name)?.imageID.replace(/^.*@/, "")
      );
      assert.deepEqual(found, digests, metadata.name);
    }
  });

  await t.step("no webhook, no pull secret and no service account that has one", async () => {
    assert.equal(await webhooks(cluster), "");
    const { items: secrets } = await get<{ items: { type: string; metadata: { name: string } }[] }>(
      cluster,
      ...["secrets", "-n", NAMESPACE],
    );
    assert.deepEqual(
      secrets.filter(({ type }) => type !== "helm.sh/release.v1").map((one) => one.metadata.name),
      [],
    );
    const { items: accounts } = await get<{ items: { imagePullSecrets?: unknown }[] }>(
      cluster,
      ...["serviceaccounts", "-n", NAMESPACE],
    );
    assert.deepEqual(accounts.map(({ imagePullSecrets }) => imagePullSecrets), [undefined]);
  });

  await t.step("a name that no package brings is not found, and nobody else is asked", async () => {
    for (const node of cluster.nodes) {
      for (
        const image of [
          "docker.io/library/absent:1",
          "quay.io/library/app:2",
          "ghcr.io/library/app:1",
          `docker.io/library/app@${ABSENT_DIGEST}`,
        ]
      ) {
        assert.match(await pullFails(cluster, node, image), /not found/i, `${node.name} ${image}`);
      }
    }
    assert.equal(await cluster.outsidePackets(), 0);
  });

  await t.step("an operator that compares its image with what it wrote is content", async () => {
    const image = "docker.io/library/app:1";
    await makeDesired(cluster, "database", image);
    const { recreated, image: last } = await operate(cluster, "database");
    assert.deepEqual([recreated, last], [0, image]);
  });

  await t.step("in rewrite mode the same operator would never come to rest", async () => {
    for (const agent of agents) {
      await agent.stop();
      await agent.start();
    }
    // The webhook comes in with the next package.
    const verdict = await holder.settled(await holder.drop(HELLO));
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail(30)}`);
    await makeDesired(cluster, "restless", "docker.io/library/app:1");
    const { recreated, image } = await operate(cluster, "restless");
    assert.match(image, /^127\.0\.0\.1:31999\/library\/app:1-zarf-\d+$/);
    assert.ok(recreated >= 5, `it created its pod again ${recreated} times`);
  });

  await t.step("back in mirror mode the webhook goes, and the operator is content", async () => {
    for (const agent of agents) {
      await agent.stop();
      await agent.start(MIRROR);
    }
    const isGone = async () => await webhooks(cluster) === "" || undefined;
    await eventually("cluster without the webhook", isGone, 30_000, () => webhooks(cluster));
    // The API server is slow to notice; and the pod of before has the other name.
    await eventually("a pod that is not rewritten", async () => {
      const { recreated } = await operate(cluster, "restless");
      return recreated === 0 || undefined;
    }, 90_000);
    assert.equal(await cluster.outsidePackets(), 0);
  });
}

/** Twenty looks: two seconds and more, while the pod comes up. */
function operate(cluster: Cluster, name: string): ReturnType<typeof operateImage> {
  return operateImage(cluster.kubeconfig(), NAMESPACE, name, 20);
}

function webhooks(cluster: Cluster): Promise<string> {
  return cluster.kubectl(["get", "mutatingwebhookconfigurations", "-o", "name"]);
}
