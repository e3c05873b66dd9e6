import assert from "node:assert/strict";
import { KubeClient, type KubeObject, type ObjectRef } from "../../src/kube/mod.ts";
import { sha256, writePackage } from "../fixtures/make_package.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, TestAgent } from "./support/agent.ts";
import { sourceCrds } from "./support/crds.ts";
import { imagesPackage, type NamedImage } from "./support/named_images.ts";
import {
  CHART,
  GIT_SERVER,
  registryRepository,
  SOURCE_CASES,
  type SourceCase,
} from "./support/source_kinds.ts";

/** The namespace of the package; objects in it are changed. */
const NAMESPACE = "kinds";
/** A namespace that says `ignore`. */
const IGNORED = "ignored";
const APP = "docker.io/library/app:1";
const TOOL = "quay.io/library/tool:1";
/** What the pods are to have in their place (CRC-32 of `docker.io/library/app`, `quay.io/…`). */
const MOVED_APP = "127.0.0.1:31999/library/app:1-zarf-3495220492";
const MOVED_TOOL = "127.0.0.1:31999/library/tool:1-zarf-2804042553";

interface Stored extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Readonly<Record<string, string>>;
}

interface Pod extends KubeObject {
  readonly spec: {
    readonly containers: readonly { readonly name: string; readonly image: string }[];
    readonly initContainers?: readonly { readonly image: string }[];
    readonly ephemeralContainers?: readonly { readonly image: string }[];
    readonly volumes?: readonly { readonly image?: { readonly reference: string } }[];
    readonly imagePullSecrets?: readonly { readonly name: string }[];
  };
  readonly status: {
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly image: string;
  readonly state: { readonly running?: unknown; readonly waiting?: unknown };
}

/** What every step works with. */
interface Scene {
  readonly cluster: Cluster;
  readonly kube: KubeClient;
  readonly agent: TestAgent;
}

/** A spec of pods: a container, and a sidecar of another registry that starts before it. */
const POD_SPEC = {
  terminationGracePeriodSeconds: 0,
  initContainers: [{ name: "sidecar", image: TOOL, restartPolicy: "Always" }],
  containers: [{ name: "app", image: APP }],
};

function template(app: string, more: Readonly<Record<string, unknown>> = {}) {
  return { metadata: { labels: { app } }, spec: { ...POD_SPEC, ...more } };
}

/** Whatever makes pods, by the label of its pods. */
const OWNERS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  deployment: owner("apps/v1", "Deployment", "deployment", {}),
  statefulset: owner("apps/v1", "StatefulSet", "statefulset", { serviceName: "none" }),
  daemonset: owner("apps/v1", "DaemonSet", "daemonset", {}),
  job: {
    ...objectOf("batch/v1", "Job", "job"),
    spec: { template: template("job", { restartPolicy: "Never" }) },
  },
  cronjob: {
    ...objectOf("batch/v1", "CronJob", "cronjob"),
    spec: {
      schedule: "* * * * *",
      concurrencyPolicy: "Forbid",
      jobTemplate: { spec: { template: template("cronjob", { restartPolicy: "Never" }) } },
    },
  },
  bare: {
    ...objectOf("v1", "Pod", "bare"),
    metadata: { name: "bare", namespace: NAMESPACE, labels: { app: "bare" } },
    spec: POD_SPEC,
  },
};

function objectOf(apiVersion: string, kind: string, name: string) {
  return { apiVersion, kind, metadata: { name, namespace: NAMESPACE } };
}

function owner(
  apiVersion: string,
  kind: string,
  name: string,
  more: Readonly<Record<string, unknown>>,
) {
  const selector = { matchLabels: { app: name } };
  return {
    ...objectOf(apiVersion, kind, name),
    spec: { selector, template: template(name), ...more },
  };
}

Deno.test({
  name:
    "every kind that is created through the API server is stored as Zarf's agent would store it",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-kinds-" });
    try {
      const crds = await sourceCrds();
      await using cluster = await Cluster.up({ name: "kinds" });
      const [node] = cluster.nodes;
      assert(node);
      const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
      try {
        const scene = { cluster, kube, agent: new TestAgent(node) };
        for (const file of crds) await cluster.kubectl(["create", "-f", file]);
        await t.step(
          "the package is Ready, and so is the webhook",
          () => bootstrap(scene, directory),
        );
        for (const object of Object.values(OWNERS)) await create(scene, object);
        await optOuts(t, scene);
        await sources(t, scene);
        // Last: a CronJob starts its first Job at the next full minute.
        await workloads(t, scene);
      } finally {
        kube.close();
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function bootstrap({ cluster, agent }: Scene, directory: string): Promise<void> {
  await agent.start();
  const { file } = await imagesPackage(
    `${directory}/images`,
    NAMESPACE,
    { tagged: [APP, TOOL], byDigest: [] },
    (images: readonly NamedImage[]) =>
      JSON.stringify({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "images" },
        data: Object.fromEntries(images.map(({ digest }, at) => [String(at), digest])),
      }),
  );
  for (const path of [file, await chartPackage(directory)]) {
    const verdict = await agent.settled(await agent.drop(path));
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
  }
  await cluster.kubectl(["create", "namespace", IGNORED]);
  await cluster.kubectl(["label", "namespace", IGNORED, "zarf.dev/agent=ignore"]);
}

/** A package with a Helm chart as an artifact of a registry: only its media type tells it from an image. */
async function chartPackage(directory: string): Promise<string> {
  const file = `${directory}/zarf-package-chart-amd64-1.0.0.tar.zst`;
  const config = { name: "podinfo", version: "6.7.1", apiVersion: "v2" };
  const text = JSON.stringify(config);
  const descriptor = {
    mediaType: "application/vnd.cncf.helm.config.v1+json",
    digest: `sha256:${sha256(text)}`,
    size: text.length,
  };
  const reference = `${CHART}:6.7.1`;
  await writePackage(file, {
    name: "chart",
    components: [{ name: "chart", images: [reference] }],
    images: [{ reference, config, layers: ["no chart\n"], manifest: { config: descriptor } }],
  });
  return file;
}

async function podsOf({ cluster }: Scene, app: string): Promise<Pod[]> {
  const args = ["get", "pods", "-n", NAMESPACE, "-l", `app=${app}`, "-o", "json"];
  return JSON.parse(await cluster.kubectl(args)).items;
}

async function create({ cluster }: Scene, object: unknown, ...args: string[]): Promise<Stored> {
  const stdin = JSON.stringify(object);
  return JSON.parse(await cluster.kubectl(["create", "-f", "-", "-o", "json", ...args], { stdin }));
}

async function workloads(t: Deno.TestContext, scene: Scene): Promise<void> {
  for (const app of Object.keys(OWNERS)) {
    await t.step(`the pods of a ${app} run with images of the site`, async () => {
      const pod = await eventually(
        `running pod of ${app}`,
        async () => {
          const [pod] = await podsOf(scene, app);
          return pod !== undefined && isRunning(pod) ? pod : undefined;
        },
        120_000,
        async () => JSON.stringify(await podsOf(scene, app)),
      );
      assert.equal(pod.spec.containers[0]?.image, MOVED_APP);
      assert.equal(pod.spec.initContainers?.[0]?.image, MOVED_TOOL);
      assert.deepEqual(pod.spec.imagePullSecrets, [{ name: "private-registry" }]);
      assert.equal(pod.metadata.labels?.["zarf-agent"], "patched");
      const { annotations } = pod.metadata;
      assert.equal(annotations?.["zarf.dev/original-image-app"], APP);
      assert.equal(annotations?.["zarf.dev/original-image-sidecar"], TOOL);
    });
  }
  await t.step("what makes pods keeps the names that its author wrote", async () => {
    for (const kind of ["deployment", "statefulset", "daemonset", "job"]) {
      const args = ["get", kind, kind, "-n", NAMESPACE, "-o", "json"];
      const { spec } = JSON.parse(await scene.cluster.kubectl(args));
      assert.equal(spec.template.spec.containers[0].image, APP, kind);
    }
  });
  await t.step("an ephemeral container runs with an image of the site", async () => {
    const args = ["--image", TOOL, "--container=debugger", "--profile=baseline"];
    await scene.cluster.kubectl(["debug", "bare", "-n", NAMESPACE, ...args]);
    const pod = await eventually(
      "running debugger",
      async () => {
        const [pod] = await podsOf(scene, "bare");
        const [status] = pod?.status.ephemeralContainerStatuses ?? [];
        return status?.state.running === undefined ? undefined : pod;
      },
      60_000,
      async () => JSON.stringify(await podsOf(scene, "bare")),
    );
    // The API server keeps no annotation that comes with one.
    assert.equal(pod.spec.ephemeralContainers?.[0]?.image, MOVED_TOOL);
  });
  await t.step("an image is mounted as a volume", () => imageVolume(scene));
  assert.equal(await scene.cluster.outsidePackets(), 0);
}

function isRunning({ status }: Pod): boolean {
  const all = [...status.containerStatuses ?? [], ...status.initContainerStatuses ?? []];
  return all.length === 2 && all.every(({ state }) => state.running !== undefined);
}

async function imageVolume(scene: Scene): Promise<void> {
  const volumes = [{ name: "files", image: { reference: TOOL, pullPolicy: "IfNotPresent" } }];
  const volumeMounts = [{ name: "files", mountPath: "/files" }];
  await create(scene, {
    ...objectOf("v1", "Pod", "volume"),
    metadata: { name: "volume", namespace: NAMESPACE, labels: { app: "volume" } },
    // It runs what it was mounted.
    spec: {
      ...POD_SPEC,
      containers: [{ name: "app", image: APP, command: ["/files/pause"], volumeMounts }],
      volumes,
    },
  });
  const pod = await eventually(
    "running pod with the volume",
    async () => {
      const [pod] = await podsOf(scene, "volume");
      return pod !== undefined && isRunning(pod) ? pod : undefined;
    },
    60_000,
    async () => JSON.stringify(await podsOf(scene, "volume")),
  );
  assert.equal(pod.spec.volumes?.[0]?.image?.reference, MOVED_TOOL);
  assert.equal(pod.metadata.annotations?.["zarf.dev/original-volume-files"], TOOL);
}

async function optOuts(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step("who opts out stays as it is, by its own label or its namespace's", async () => {
    const helm = SOURCE_CASES.find(({ name }) => name === "helm-repository-oci");
    assert(helm);
    for (
      const [namespace, label, changes] of [
        [NAMESPACE, undefined, true],
        [NAMESPACE, "mutate", true],
        [NAMESPACE, "ignore", false],
        [NAMESPACE, "skip", false],
        [IGNORED, undefined, false],
        ["kube-system", undefined, false],
      ] as const
    ) {
      const labels = label === undefined ? {} : { "zarf.dev/agent": label };
      const metadata = { name: "trial", namespace, labels };
      const pod = { apiVersion: "v1", kind: "Pod", metadata, spec: POD_SPEC };
      const { spec } = await create(scene, pod, "--dry-run=server") as unknown as Pod;
      const what = `${namespace} ${label}`;
      assert.equal(spec.containers[0]?.image, changes ? MOVED_APP : APP, what);
      assert.equal(spec.imagePullSecrets !== undefined, changes, what);
      const repository = { ...helm.object, metadata };
      const stored = await create(scene, repository, "--dry-run=server");
      assert.equal(stored.spec?.["url"] === helm.object.spec?.["url"], !changes, what);
      assert.equal(stored.metadata.labels?.["zarf-agent"], changes ? "patched" : undefined, what);
    }
  });
}

async function sources(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step("without a git server what comes from git stays as it is", async () => {
    for (const { object, name } of SOURCE_CASES.filter(({ name }) => name.startsWith("git-"))) {
      const stored = await create(scene, manifestOf(object, name), "--dry-run=server");
      assert.equal(stored.spec?.["url"], object.spec?.["url"]);
      assert.equal(stored.metadata.labels, undefined);
    }
  });
  await t.step("a git server that the state names is taken up", () => configureGit(scene));
  const { registryInfo } = await zarfState(scene);
  const cases = [
    ...SOURCE_CASES,
    registryRepository(registryInfo.pullUsername, registryInfo.pullPassword),
  ];
  for (const one of cases) {
    await t.step(`${one.object.kind} ${one.name}`, () => sourceCase(scene, one));
  }
}

const STATE: ObjectRef = {
  apiVersion: "v1",
  kind: "Secret",
  namespace: "zarf",
  name: "zarf-state",
};

interface ZarfState {
  readonly registryInfo: { readonly pullUsername: string; readonly pullPassword: string };
}

async function zarfState({ kube }: Scene): Promise<ZarfState & Readonly<Record<string, unknown>>> {
  const secret = await kube.get<Stored>(STATE);
  return JSON.parse(atob(secret?.data?.["state"] ?? ""));
}

async function configureGit(scene: Scene): Promise<void> {
  const state = { ...await zarfState(scene), gitServer: GIT_SERVER };
  const body = { data: { state: btoa(JSON.stringify(state)) } };
  await scene.kube.patch(STATE, { type: "merge", body });
  const [git] = SOURCE_CASES;
  assert(git);
  await eventually("a GitRepository that is changed", async () => {
    const manifest = manifestOf(git.object, "trial");
    const { spec } = await create(scene, manifest, "--dry-run=server");
    return spec?.["url"] === git.stored?.["url"] || undefined;
  }, 30_000);
}

function manifestOf(
  { labels, ...object }: SourceCase["object"],
  name: string,
  namespace = NAMESPACE,
): KubeObject {
  return { ...object, metadata: { name, namespace, ...(labels === undefined ? {} : { labels }) } };
}

async function sourceCase(scene: Scene, { name, object, stored }: SourceCase): Promise<void> {
  const { cluster } = scene;
  const manifest = manifestOf(object, name);
  const ref = [object.kind, name, "-n", NAMESPACE];
  // With the API server's own defaults, and nothing else.
  const untouched = await create(scene, manifestOf(object, name, IGNORED));
  const labels = {
    ...object.labels,
    ...(stored === undefined ? {} : { "zarf-agent": "patched" }),
  };
  const content = object.spec === undefined ? "data" : "spec";
  const check = (found: Stored, when: string) => {
    assert.deepEqual(found[content], { ...untouched[content], ...stored }, when);
    assert.deepEqual(found.metadata.labels ?? {}, labels, when);
    return found.metadata;
  };
  const created = check(await create(scene, manifest), "created");
  const get = async () => JSON.parse(await cluster.kubectl(["get", ...ref, "-o", "json"]));

  await cluster.kubectl(["annotate", ...ref, "a=b"]);
  check(await get(), "updated elsewhere");
  const body = JSON.stringify({ [content]: object[content] });
  await cluster.kubectl(["patch", ...ref, "--type=merge", "-p", body]);
  check(await get(), "written again");

  const apply = async () => {
    const args = ["apply", "--server-side", "--force-conflicts", "--field-manager=gitops"];
    await cluster.kubectl([...args, "-f", "-"], { stdin: JSON.stringify(manifest) });
    return check(await get(), "applied");
  };
  const first = await apply();
  // Who owns which field is written down by the first.
  for (let again = 0; again < 3; again++) {
    const { resourceVersion, generation } = await apply();
    assert.deepEqual([resourceVersion, generation], [first.resourceVersion, created.generation]);
  }
}
