import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { assertHelloAnswers, eventually, HELLO, PACKAGES, TestAgent } from "./support/agent.ts";

interface PodList {
  items: {
    metadata: { name: string; namespace: string; annotations?: Record<string, string> };
    spec: { containers: { image: string }[]; imagePullSecrets?: { name: string }[] };
    status: { containerStatuses?: { imageID: string; ready: boolean }[] };
  }[];
}

async function getPods(cluster: Cluster, namespace: string): Promise<PodList["items"]> {
  const list: PodList = JSON.parse(
    await cluster.kubectl(["get", "pods", "-n", namespace, "-o", "json"]),
  );
  return list.items;
}

Deno.test({
  name: "one node: one file in, one application up",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "one" });
    const [node] = cluster.nodes;
    assert(node);
    const agent = new TestAgent(node);
    await agent.start();
    let file = "";

    await t.step("the package becomes Ready", async () => {
      file = await agent.drop(HELLO);
      const verdict = await agent.settled(file);
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
      assert.equal(verdict.package?.name, "hello");
      assert.deepEqual(verdict.components.map((one) => [one.name, one.phase]), [[
        "hello",
        "Ready",
      ]]);
    });

    await t.step("the application answers over HTTP", async () => {
      await assertHelloAnswers(node);
    });

    await t.step("every image came from the node registry under Zarf's name", async () => {
      for (const pod of await getPods(cluster, "hello")) {
        assert.match(
          pod.spec.containers[0]?.image ?? "",
          /^127\.0\.0\.1:31999\/library\/hello:0\.1\.0-zarf-\d+$/,
        );
        assert.deepEqual(pod.spec.imagePullSecrets, [{ name: "private-registry" }]);
        assert.equal(
          pod.metadata.annotations?.["zarf.dev/original-image-hello"],
          "docker.io/library/hello:0.1.0",
        );
        assert(pod.status.containerStatuses?.every((one) => one.ready));
      }
      for (const pod of await getPods(cluster, "zarf")) {
        assert.match(pod.status.containerStatuses?.[0]?.imageID ?? "", /^127\.0\.0\.1:31999\//);
      }
      assert.equal(await cluster.outsidePackets(), 0);
    });

    await t.step("the real zarf and the real helm list it", async () => {
      const zarf = await ensureTool(TOOLS.zarf);
      const helm = await ensureTool(TOOLS.helm);
      const env = { KUBECONFIG: cluster.kubeconfig(), HOME: cluster.plan.layout.state };
      const packages = await command(zarf, ["package", "list", "-o", "json"], env);
      const listed = JSON.parse(packages).find(
        (one: { package: string }) => one.package === "hello",
      );
      assert.equal(listed?.version, "0.1.0", packages);
      const releases = JSON.parse(await command(helm, ["list", "-A", "-o", "json"], env));
      assert.deepEqual(
        releases.map((one: { namespace: string; status: string }) => [one.namespace, one.status]),
        // The registry is one for whoever looks after it with the real zarf.
        [["hello", "deployed"], ["zarf", "deployed"]],
      );
    });

    await t.step(
      "the registry's layers are the store's own files under a second name",
      async () => {
        const blobs = agent.hostPath("/var/lib/holdfast/blobs/sha256");
        const storage = agent.hostPath(
          "/var/lib/holdfast/registry/docker/registry/v2/blobs/sha256",
        );
        await using registry = agent.forward("127.0.0.1:31999");
        const url = `http://${registry.address}/v2/library/hello/manifests/0.1.0`;
        const { layers, config } = await (await fetch(url)).json();
        for (const { digest } of [config, ...layers]) {
          const hex = digest.slice("sha256:".length);
          const ours = await Deno.stat(`${blobs}/${hex.slice(0, 2)}/${hex}`);
          const theirs = await Deno.stat(`${storage}/${hex.slice(0, 2)}/${hex}/data`);
          assert.equal(ours.ino, theirs.ino);
        }
      },
    );

    await t.step("no payload ConfigMap is left", async () => {
      const left = await cluster.kubectl(
        ["get", "configmaps", "-n", "zarf", "-l", "zarf-injector=payload", "-o", "name"],
      );
      assert.equal(left, "");
    });

    await t.step(
      "a pod in kube-system and one that asks to be ignored stay untouched",
      async () => {
        for (
          const [namespace, label] of [["kube-system", "a=b"], ["zarf", "zarf.dev/agent=ignore"]]
        ) {
          const pod = await cluster.kubectl([
            "run",
            "probe",
            "-n",
            namespace ?? "",
            "--image=docker.io/library/x:1",
            `--labels=${label}`,
            "--dry-run=server",
            "-o",
            "json",
          ]);
          assert.equal(JSON.parse(pod).spec.containers[0].image, "docker.io/library/x:1");
        }
      },
    );

    await t.step("while nothing changes nothing is written", async () => {
      const before = await agent.metric("holdfast_api_writes_total");
      await new Promise((resolve) => setTimeout(resolve, 10_000));
      assert.equal(await agent.metric("holdfast_api_writes_total"), before);
    });

    await t.step(
      "without an API server the node registry serves, and later the agent goes on",
      async () => {
        await cluster.stop("apiserver");
        await using registry = agent.forward("127.0.0.1:31999");
        const manifest = await fetch(
          `http://${registry.address}/v2/library/hello/manifests/0.1.0`,
        );
        assert.equal(manifest.status, 200);
        const { layers } = await manifest.json();
        const blob = await fetch(
          `http://${registry.address}/v2/library/hello/blobs/${layers[0].digest}`,
        );
        assert.equal((await blob.arrayBuffer()).byteLength, layers[0].size);
        const second = await agent.drop(`${PACKAGES}/zarf-package-test-amd64-0.0.1.tar.zst`);
        const waiting = await agent.settled(second, { phases: ["Accepted"] });
        assert.equal(waiting.package?.name, "test");
        await eventually("message that says why it waits", async () => {
          const { message } = await agent.settled(second, { phases: ["Accepted"] });
          return message.includes("waiting for the cluster") ? message : undefined;
        });
        await cluster.start("apiserver");
        await agent.settled(second, { phases: ["Deploying"] });
      },
    );

    await t.step("the file may go and nothing changes", async () => {
      await Deno.remove(agent.hostPath(file));
      await new Promise((resolve) => setTimeout(resolve, 6_000));
      assert.equal((await agent.verdict(file))?.phase, "Ready");
      assert.equal((await getPods(cluster, "hello")).length, 3);
    });
  },
});

async function command(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const result = await new Deno.Command(path, {
    args: [...args],
    env: { PATH: "/usr/bin:/bin", ...env },
    clearEnv: true,
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert.equal(result.code, 0, text(result.stderr));
  return text(result.stdout);
}
