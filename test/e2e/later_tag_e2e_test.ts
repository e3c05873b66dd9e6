import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { writeOciArchive } from "../../extension/build/oci_image.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { DATA_DIR, eventually, TestAgent } from "./support/agent.ts";
import { zarf, zarfCreate } from "./support/zarf.ts";

const NAMESPACE = "tags";
const GREETING = "docker.io/library/greeting:1";
const SIDE = "docker.io/library/side:1";
const REPOSITORIES = `${DATA_DIR}/registry/docker/registry/v2/repositories/library`;

/** One pod on every node, which asks for its image each time that it starts. */
const PODS = {
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "greeting", namespace: NAMESPACE },
  spec: {
    selector: { matchLabels: { app: "greeting" } },
    template: {
      metadata: { labels: { app: "greeting" } },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        tolerations: [{ operator: "Exists" }],
        containers: [{
          name: "hello",
          image: GREETING,
          imagePullPolicy: "Always",
          readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
        }],
      },
    },
  },
};

interface PackageSpec {
  readonly name: string;
  readonly version: string;
  /** What its image says. */
  readonly word: string;
  /** Whether the pods and a second image are in it as well. */
  readonly whole: boolean;
}

/** Has the real zarf make a package, and gives its file. */
async function makePackage(parent: string, spec: PackageSpec): Promise<string> {
  const { name, version, word, whole } = spec;
  const directory = `${parent}/${name}-${version}`;
  await Deno.mkdir(directory);
  // It answers with its environment variable GREETING.
  const hello = await ensureTool(TOOLS.hello);
  const imageOf = (reference: string, word: string) => ({
    references: [reference],
    entries: [{ path: "hello", file: hello, mode: 0o755 }, { path: "word", content: word }],
    config: { entrypoint: ["/hello"], env: [`GREETING=${word}`], user: "65532:65532" },
    gzipLevel: 1,
  });
  const images = whole ? [GREETING, SIDE] : [GREETING];
  await writeOciArchive(`${directory}/images.tar`, images.map((image) => imageOf(image, word)));
  await Deno.writeTextFile(`${directory}/pods.yaml`, JSON.stringify(PODS));
  await Deno.writeTextFile(
    `${directory}/zarf.yaml`,
    JSON.stringify({
      kind: "ZarfPackageConfig",
      metadata: { name, version, architecture: "amd64" },
      components: [{
        name: "greeting",
        required: true,
        imageArchives: [{ path: "images.tar", images }],
        ...(whole
          ? { manifests: [{ name: "p", namespace: NAMESPACE, files: ["pods.yaml"] }] }
          : {}),
      }],
    }),
  );
  return await zarfCreate(directory, `${directory}/out`, ["--skip-sbom", "-a=amd64"]);
}

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** Starts every pod again, waits until all are ready, and gives what each says, by node. */
async function wordsAfterRestart(cluster: Cluster): Promise<Record<string, string>> {
  await cluster.kubectl(["delete", "pods", "--all", "-n", NAMESPACE, "--wait"]);
  const pods = async (): Promise<Pod[]> =>
    JSON.parse(await cluster.kubectl(["get", "pods", "-n", NAMESPACE, "-o", "json"])).items;
  const isReady = ({ status }: Pod) =>
    status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
  const ready = await eventually(
    "ready pods",
    async () => {
      const found = await pods();
      return found.length === cluster.nodes.length && found.every(isReady) ? found : undefined;
    },
    60_000,
    () => cluster.kubectl(["get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"]),
  );
  const words: Record<string, string> = {};
  for (const { metadata, spec } of ready) {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods/${metadata.name}:8080/proxy/`;
    const answer = await cluster.kubectl(["get", "--raw", path]);
    words[spec.nodeName] = answer.trim().split(": ").at(-1) ?? "";
  }
  return words;
}

Deno.test({
  name: "a tag that a laptop pushed later is what every node runs, until a package brings it anew",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-tags-" });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(directory, { recursive: true }));
    const old = await makePackage(directory, {
      ...{ name: "greeting", version: "1.0.0", word: "old", whole: true },
    });
    const again = await makePackage(directory, {
      ...{ name: "greeting", version: "1.0.1", word: "old", whole: true },
    });
    const later = await makePackage(directory, {
      ...{ name: "laptop", version: "1.0.0", word: "later", whole: false },
    });
    const cluster = stack.use(await Cluster.up({ name: "tags", nodes: 2 }));
    const agents = cluster.nodes.map((node) => new TestAgent(node));
    const [holder, other] = agents;
    assert(holder && other);
    const all = (word: string) => ({ [holder.node.name]: word, [other.node.name]: word });
    const restart = async () => {
      for (const agent of agents) {
        await agent.stop("SIGKILL");
        await agent.start();
      }
    };
    for (const agent of agents) await agent.start();

    await t.step("at first every node runs what the package brought", async () => {
      const verdict = await holder.settled(await holder.drop(old));
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail(30)}`);
      assert.deepEqual(await wordsAfterRestart(cluster), all("old"));
    });

    await t.step("after a push with the real zarf every node runs that", async () => {
      const env = { KUBECONFIG: cluster.kubeconfig(), HOME: directory };
      const { ok, text } = await zarf(["package", "deploy", later, "--confirm"], directory, env);
      assert.ok(ok, text);
      assert.deepEqual(await wordsAfterRestart(cluster), all("later"));
    });

    await t.step("what the registry lost comes back, and takes no tag from it", async () => {
      const side = agents.map((agent) => agent.hostPath(`${REPOSITORIES}/side`)).find(isThere);
      assert.ok(side, "one node has the registry's storage");
      await Deno.remove(side, { recursive: true });
      await restart();
      await eventually(
        "second image in the registry",
        () => isThere(`${side}/_manifests/tags/1/current/link`) ? true : undefined,
        90_000,
        () => holder.logTail(),
      );
      assert.deepEqual(await wordsAfterRestart(cluster), all("later"));
    });

    await t.step(
      "without the registry, and after a restart, it is what a node knew last",
      async () => {
        await cluster.kubectl(["scale", "deployment", "-n", "zarf", "--replicas=0", "--all"]);
        await cluster.kubectl(["wait", "--for=delete", "pods", "--all", "-n", "zarf"]);
        await restart();
        const started = performance.now();
        assert.deepEqual(await wordsAfterRestart(cluster), all("later"));
        const took = performance.now() - started;
        assert.ok(took < 60_000, `pods were not ready again for ${Math.round(took)} ms`);
        await cluster.kubectl(["scale", "deployment", "-n", "zarf", "--replicas=1", "--all"]);
        await cluster.kubectl(["rollout", "status", "deployment", "-n", "zarf", "--timeout=180s"]);
      },
    );

    await t.step("a package that brings the tag anew has it again", async () => {
      const verdict = await holder.settled(await holder.drop(again));
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail(30)}`);
      assert.deepEqual(await wordsAfterRestart(cluster), all("old"));
    });
  },
});

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
