import assert from "node:assert/strict";
import { writeOciArchive } from "../../extension/build/oci_image.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { ApiPeer } from "../fakes/api_peer.ts";
import { despitePauses, withDirectory } from "../fakes/testing.ts";
import { talosImages, talosImageSpecs } from "../talos/image_specs.ts";
import { talosImagesPackage } from "../talos/images.ts";
import { eventually, TestAgent } from "./support/agent.ts";
import { Containerd, type ContainerdNamespace } from "./support/containerd.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { TalosApi } from "./support/talos_api.ts";
import { askTalosConfig, type TalosConfig } from "./support/talos_config.ts";

/*
 * Talos' and Kubernetes' own images out of a dropped package, before there is a cluster or a
 * registry: the real containerd pulls them through the mirrors of examples/talos/mirror.yaml.
 */

const MIRROR = new URL("../../examples/talos/mirror.yaml", import.meta.url);
/** How soon images are served after a start on a store that was not closed, in milliseconds. */
const MAX_START = 10_000;
/** How long a request that is made to wait is watched, in milliseconds. */
const WATCHED = 3_000;
/**
 * How soon Talos is told that a tag does not exist once there is a way to know, in milliseconds: it
 * takes a few, and two minutes where it is waited for.
 */
const MAX_REFUSAL = 20_000;

/** What Talos has machined itself pull; the rest is for pods. */
const SYSTEM = /\/(etcd|kubelet):/;

function namespaceOf(image: string): ContainerdNamespace {
  return SYSTEM.test(image) ? "system" : "k8s.io";
}

/** The example's mirrors, as Talos reads them, with an agent's own address. */
async function mirrors(registry: string): Promise<TalosConfig["mirrors"]> {
  const text = Deno.readTextFileSync(MIRROR).replaceAll("127.0.0.1:31999", registry);
  const [answer] = await askTalosConfig([{ type: "controlplane", patches: [text] }]);
  assert(answer !== undefined && "mirrors" in answer, JSON.stringify(answer));
  return answer.mirrors;
}

/**
 * The directory that containerd looks registries up in, as Talos 1.13 writes it
 * (internal/pkg/containers/cri/containerd/hosts.go): with `skipFallback` the last endpoint is the
 * server itself.
 */
async function writeHosts(directory: string, mirrors: TalosConfig["mirrors"]): Promise<void> {
  for (const [host, { endpoints, skipFallback }] of Object.entries(mirrors)) {
    assert(endpoints.length === 1 && skipFallback);
    const path = `${directory}/${host === "*" ? "_default" : host}`;
    await Deno.mkdir(path, { recursive: true });
    const text = `server = '${endpoints[0]?.url}'\ncapabilities = ['pull', 'resolve']\n`;
    await Deno.writeTextFile(`${path}/hosts.toml`, text);
  }
}

interface Scene {
  readonly agent: LocalAgent;
  readonly hosts: string;
  /** With it the agent takes itself for one of Talos. */
  readonly talos: { readonly flags: readonly string[] };
}

/** Flags of an agent in mirror mode; nobody listens on the socket, as early in the start of a node. */
async function withScene(action: (scene: Scene) => Promise<void>): Promise<void> {
  await using agent = new LocalAgent();
  const hosts = `${agent.directory}/hosts`;
  await writeHosts(hosts, await mirrors(agent.addresses.registry));
  const flags = ["--image-mode=mirror", `--talos-socket=${agent.directory}/machine.sock`];
  await action({ agent, hosts, talos: { flags } });
}

/** Pulls all of them; gives the digests. */
async function pullAll(containerd: Containerd, hosts: string): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const { references } of await talosImageSpecs()) {
    for (const image of references) {
      const namespace = namespaceOf(image);
      const { code, stderr } = await containerd.pull(namespace, hosts, image);
      assert.equal(code, 0, `${image}: ${stderr}`);
      digests.set(image, (await containerd.images(namespace)).get(image) ?? "not there");
    }
  }
  return digests;
}

async function digestsOfPackage(): Promise<Map<string, string>> {
  return await withDirectory(async (dir) => {
    const specs = await talosImageSpecs();
    const written = await writeOciArchive(`${dir}/images.tar`, specs);
    return new Map(
      specs.map(({ references: [name = ""] }, at) => [name, `${written[at]?.manifest.digest}`]),
    );
  });
}

Deno.test({
  name: "without a cluster every image of Talos is pulled out of a dropped package",
  ignore: obstacle() !== undefined,
  fn: (t) =>
    withScene(async ({ agent, hosts, talos }) => {
      const { images: { etcd, kubelet } } = await talosImages();
      const expected = await digestsOfPackage();
      await using containerd = await Containerd.start();
      await agent.started(talos);

      await t.step("who asked before the package came has its image when it is there", async () => {
        const asking = [etcd, kubelet].map((image) => containerd.pull("system", hosts, image));
        await agent.eventually(
          "two images that are waited for",
          () => agent.logged(/no package has brought it yet/).length >= 2 ? true : undefined,
          WATCHED,
        );
        const dropped = await agent.drop(await talosImagesPackage());
        for (const { code, stderr } of await Promise.all(asking)) assert.equal(code, 0, stderr);
        const verdict = await agent.settled(dropped, {
          where: ({ message }) => message.startsWith("waiting for the cluster"),
        });
        assert.equal(verdict.phase, "Accepted");
        assert.match(
          verdict.message,
          /^waiting for the cluster, its images are served on this node: /,
        );
      });

      await t.step("all the others are there too, byte for byte, and by digest", async () => {
        assert.deepEqual(await pullAll(containerd, hosts), expected);
        const byDigest = `${etcd.replace(/:[^:/]+$/, "")}@${expected.get(etcd)}`;
        const { code, stderr } = await containerd.pull("k8s.io", hosts, byDigest);
        assert.equal(code, 0, stderr);
      });

      await t.step("after a kill they are served at once, to a node that has none", async () => {
        await despitePauses(async () => {
          await agent.stop("SIGKILL");
          const started = performance.now();
          agent.start(talos);
          await served(agent, etcd);
          assert(performance.now() - started < MAX_START);
        });
        await using fresh = await Containerd.start();
        assert.deepEqual(await pullAll(fresh, hosts), expected);
      });
    }),
});

/** The image under a tag that no package has. */
function wrongTag(image: string): string {
  return `${image}-nonesuch`;
}

Deno.test("a wrong tag is waited for until there is a cluster, then refused at once", () =>
  withScene(async ({ agent, talos }) => {
    const { images: { etcd } } = await talosImages();
    await using machine = await TalosApi.start(`${agent.directory}/machine.sock`);
    await machine.change({ machineType: "controlplane" });
    await agent.started(talos);
    const isStart = ({ call = "" }) => call.endsWith("/ServiceStart");
    assert.equal(
      machine.lines.some(isStart),
      false,
      "there is nothing yet that it could start with",
    );
    const dropped = await agent.drop(await talosImagesPackage());
    await agent.settled(dropped);
    assert.equal((await head(agent, etcd)).status, 200);
    // It may have given up its image before the package came.
    assert.deepEqual((await machine.said(isStart)).request, { id: "kubelet" });
    let answered = false;
    const asking = head(agent, wrongTag(etcd)).finally(() => answered = true);
    await new Promise((resolve) => setTimeout(resolve, WATCHED));
    assert.equal(answered, false, "a 404 would count against etcd");
    await using api = new ApiPeer(({ path }) =>
      path === "/version"
        ? Response.json({ major: "1", minor: "36", gitVersion: "v1.36.0" })
        : new Response("{}", { status: 404 })
    );
    await machine.change({ kubernetes: api.kubeconfig });
    assert.equal((await asking).status, 404);
    const started = performance.now();
    assert.equal((await head(agent, wrongTag(etcd))).status, 404);
    assert(performance.now() - started < MAX_REFUSAL);
  }));

Deno.test("an agent that is none of Talos refuses a wrong tag at once", () =>
  withScene(async ({ agent }) => {
    const { images: { etcd } } = await talosImages();
    await agent.started({ flags: ["--image-mode=mirror"] });
    const started = performance.now();
    assert.equal((await head(agent, etcd)).status, 404);
    assert(performance.now() - started < MAX_REFUSAL);
    await agent.settled(await agent.drop(await talosImagesPackage()));
    assert.equal((await head(agent, etcd)).status, 200);
    assert.equal((await head(agent, wrongTag(etcd))).status, 404);
  }));

Deno.test({
  name: "when the cluster is there its registry gets them, and other nodes have them from it",
  ignore: obstacle() !== undefined,
  fn: async () => {
    const { images } = await talosImages();
    await using cluster = await Cluster.up({ name: "timg", nodes: 2, registryMode: "mirror" });
    const [holder, other] = cluster.nodes.map((node) => new TestAgent(node));
    assert(holder && other);
    const flags = ["--image-mode=mirror"];
    await holder.start({ flags, kubeconfig: undefined });
    const dropped = await holder.drop(await talosImagesPackage());
    await eventually("a verdict that says what it waits for", async () => {
      const { phase, message = "" } = await holder.verdict(dropped) ?? {};
      return phase === "Accepted" && message.includes("served on this node") ? true : undefined;
    });
    await holder.stop();
    for (const agent of [holder, other]) await agent.start({ flags });
    const verdict = await holder.settled(dropped);
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail()}`);
    const container = {
      name: "c",
      image: images["kube-scheduler"],
      imagePullPolicy: "Always",
      command: ["/usr/local/bin/kube-scheduler", "--version"],
    };
    const spec = { nodeName: other.node.name, restartPolicy: "Never", containers: [container] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "version" }, spec };
    await cluster.kubectl(["create", "-f", "-"], { stdin: JSON.stringify(pod) });
    await cluster.kubectl(
      ["wait", "pod/version", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=180s"],
    );
    assert.match(await cluster.kubectl(["logs", "version"]), /^Kubernetes v/);
  },
});

/** Waits until an image's manifest is served to a HEAD as Talos sends it. */
async function served(agent: LocalAgent, image: string): Promise<void> {
  await agent.eventually(`manifest of ${image}`, async () => {
    try {
      return (await head(agent, image)).status === 200 ? true : undefined;
    } catch {
      return undefined;
    }
  }, MAX_START);
}

/** Asks for a manifest as the resolver of Talos and containerd does. */
async function head(agent: LocalAgent, image: string, signal?: AbortSignal): Promise<Response> {
  const [, host = "", path = "", tag = ""] = /^([^/]+)\/(.+):([^:]+)$/.exec(image) ?? [];
  const url = `http://${agent.addresses.registry}/v2/${path}/manifests/${tag}?ns=${host}`;
  return await fetch(url, { method: "HEAD", ...(signal === undefined ? {} : { signal }) });
}
