import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { Cluster, type ClusterNode, obstacle } from "../cluster/mod.ts";
import { HELLO, TestAgent } from "./support/agent.ts";
import { auditMark, type Write, writesSince } from "./support/audit.ts";
import { zarfCreate } from "./support/zarf.ts";
import { makeOlder } from "./support/older_release.ts";
import { customKind } from "./support/custom_kind.ts";

/*
 * What is dropped again while the cluster is as the package makes it: nothing is written, and it is
 * quick. The API server's audit log says what was.
 */

/** Milliseconds from the drop of an unchanged package to Ready. */
const UNCHANGED = 2_000;
/** The part of the first deployment's time that it may take where the machine is busy with others. */
const BUSY = 0.4;
/** How often it is tried: another program may have the machine. */
const TRIES = 3;

class Scene {
  #drops = 0;

  constructor(
    readonly cluster: Cluster,
    readonly node: ClusterNode,
    readonly agent: TestAgent,
    readonly directory: string,
  ) {}

  /** Drops a package file under a new name and gives what was written until it was Ready. */
  async drop(file: string): Promise<{ readonly writes: readonly Write[]; readonly took: number }> {
    const mark = await auditMark(this.node);
    const started = performance.now();
    const dropped = await this.agent.drop(file, `${++this.#drops}.tar.zst`);
    const verdict = await this.agent.settled(dropped, { timeout: 180_000 });
    const took = performance.now() - started;
    assert.equal(verdict.phase, "Ready", verdict.message);
    return { writes: await writesSince(this.node, mark), took };
  }

  /** Drops it again; nothing but the Lease may be written. Gives the milliseconds until Ready. */
  async unchanged(file: string): Promise<number> {
    const { writes, took } = await this.drop(file);
    assert.deepEqual(writes.filter(({ resource }) => resource !== "leases"), []);
    return took;
  }

  /** Deploys a package and drops it again and again: the shortest time of a few counts. */
  async quick(file: string): Promise<void> {
    const { took: first } = await this.drop(file);
    const times: number[] = [];
    for (let time = 0; time < TRIES; time++) times.push(await this.unchanged(file));
    const best = Math.min(...times);
    const what = `an unchanged package was Ready after ${times.map(Math.round)} ms`;
    assert.ok(best < Math.max(UNCHANGED, BUSY * first), `${what}, the first time ${first} ms`);
  }

  /** Runs the real Helm; what it says is its output, or its errors where it fails. */
  async helm(
    ...args: readonly string[]
  ): Promise<{ readonly code: number; readonly text: string }> {
    const { code, stdout, stderr } = await new Deno.Command(await ensureTool(TOOLS.helm), {
      args: [...args],
      env: { KUBECONFIG: this.cluster.kubeconfig(), HOME: this.directory },
    }).output();
    return { code, text: new TextDecoder().decode(code === 0 ? stdout : stderr) };
  }

  /** The revision and status of a release. */
  async release(name: string): Promise<string> {
    const { code, text } = await this.helm("status", name, "-n", "calm", "-o", "json");
    assert.equal(code, 0, text);
    const { version, info } = JSON.parse(text);
    return `${version} ${info.status}`;
  }

  async value(kind: string, name: string): Promise<string> {
    return await this.cluster.kubectl([
      ...["get", kind, name, "-n", "calm", "-o", "jsonpath={.data.value}"],
    ]);
  }
}

/** The files of a chart, below its directory. */
type Files = Readonly<Record<string, string>>;

function chart(name: string, templates: Files): Files {
  return {
    [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`,
    [`${name}/values.yaml`]: "value: own\nreplicas: 1\n",
    ...Object.fromEntries(
      Object.entries(templates).map(([file, text]) => [`${name}/templates/${file}`, text]),
    ),
  };
}

const POD = `
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}, zarf.dev/agent: ignore}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: "registry.k8s.io/pause:3.10.1", resources: {requests: {cpu: "0.010"}}}]
`;
const MAP = `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  value: {{ .Values.value | quote }}
  versions: {{ .Capabilities.APIVersions.Has "apps/v1" | quote }}
  upgrade: "kept"
  text: |
    two lines
    ###ZARF_VAR_WORD###
`;

const CHARTS: Files = {
  ...chart("still", {
    "map.yaml": MAP,
    "deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: still}\nspec:\n" +
      `  replicas: {{ .Values.replicas }}${POD}`,
    "role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n" +
      "metadata: {name: calm-still, annotations: {helm.sh/resource-policy: keep}}\nrules: []\n",
    "once.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: once, annotations: " +
      '{"helm.sh/hook": post-install}}\ndata: {value: x}\n',
  }),
  "still/crds/crd.yaml": JSON.stringify(customKind("lab.example", "calms", "Calm")),
  "still/templates/calm.yaml": "apiVersion: lab.example/v1\nkind: Calm\nmetadata: {name: one}\n" +
    "spec: {a: 1.50, b: 0x10}\n",
  ...chart("looks", {
    "secret.yaml": `{{- $old := lookup "v1" "Secret" .Release.Namespace "looks" -}}
apiVersion: v1
kind: Secret
metadata: {name: looks}
data:
  value: {{ if $old }}{{ index $old.data "value" }}{{ else }}{{ randAlphaNum 12 | b64enc }}{{ end }}
`,
  }),
  ...chart("random", {
    "secret.yaml":
      "apiVersion: v1\nkind: Secret\nmetadata: {name: random}\nstringData: {value: {{ randAlphaNum 12 }}}\n",
  }),
  ...chart("hooked", {
    "map.yaml": MAP,
    "hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: " +
      '{"helm.sh/hook": "pre-upgrade,post-install"}}\ndata: {value: "{{ .Release.Revision }}"}\n',
  }),
  ...chart("older", {
    "budget.yaml": "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: older}\n" +
      "spec: {minAvailable: {{ .Release.Revision }}, selector: {matchLabels: {app: older}}}\n",
    "ingress.yaml": "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: older}\n" +
      "spec: {defaultBackend: {service: {name: older, port: {number: 80}}}}\n",
  }),
};

/** Makes a package of some of the charts, and of raw manifests. */
async function make(
  directory: string,
  name: string,
  charts: readonly string[],
  raw: number,
  more: object,
) {
  const source = `${directory}/${name}`;
  for (const [file, text] of Object.entries(CHARTS)) {
    await Deno.mkdir(`${source}/${file.slice(0, file.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${source}/${file}`, text);
  }
  await Deno.writeTextFile(
    `${source}/raw.yaml`,
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: calm}\n---\napiVersion: v1\n" +
      "kind: ConfigMap\nmetadata: {name: raw}\ndata:\n  value: '1'\n  text: |\n    {{ not a template }}\n",
  );
  const definition = {
    kind: "ZarfPackageConfig",
    metadata: { name, version: "1.0.0" },
    variables: [{ name: "WORD", default: "calm" }],
    components: [{
      name: "all",
      required: true,
      manifests: [{ name: "raw", namespace: "calm", files: ["raw.yaml"] }].slice(0, raw),
      charts: charts.map((chart) => ({
        ...{ name: chart, version: "1.0.0", localPath: chart, namespace: "calm" },
      })),
      ...more,
    }],
  };
  await Deno.writeTextFile(`${source}/zarf.yaml`, JSON.stringify(definition));
  return await zarfCreate(source, `${directory}/${name}-made`, [
    "--skip-sbom",
    "--architecture=amd64",
  ]);
}

Deno.test({
  name: "a package that is dropped again writes only what has to be mended",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-e2e-" });
    await using cluster = await Cluster.up({ name: "redeploy", audit: true });
    const [node] = cluster.nodes;
    assert(node);
    const agent = new TestAgent(node);
    await agent.start();
    const scene = new Scene(cluster, node, agent, directory);
    try {
      await t.step("images, raw manifests and a Deployment", () => hello(scene));
      await t.step("charts with CRDs, lookups and hooks of installs; actions", () => calm(scene));
      await t.step("what somebody has changed or deleted is mended", () => drifted(scene));
      await t.step(
        "a chart that is another one each time is upgraded each time",
        () => restless(scene),
      );
      await t.step("a release of an older Kubernetes can be upgraded", () => older(scene));
      await t.step("an agent that starts again writes nothing", () => restarted(scene));
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function hello(scene: Scene): Promise<void> {
  await scene.quick(HELLO);
}

const CALM = {
  healthChecks: [{ apiVersion: "apps/v1", kind: "Deployment", name: "still", namespace: "calm" }],
  actions: { onDeploy: { before: [{ cmd: "echo run >> /var/tmp/calm-runs" }] } },
};

async function calm(scene: Scene): Promise<void> {
  const file = await make(scene.directory, "calm", ["still", "looks"], 1, CALM);
  await scene.quick(file);
  assert.equal(await scene.release("still"), "1 deployed");
  assert.equal(await scene.release("looks"), "1 deployed");
  const runs = await Deno.readTextFile(scene.agent.hostPath("/var/tmp/calm-runs"));
  assert.equal(runs, "run\n".repeat(1 + TRIES), "an author asks for actions at each deployment");
}

async function drifted(scene: Scene): Promise<void> {
  const { cluster } = scene;
  const file = `${scene.directory}/calm-made/package/zarf-package-calm-amd64-1.0.0.tar.zst`;
  await cluster.kubectl(["delete", "configmap", "raw", "-n", "calm"]);
  const patch = JSON.stringify({ data: { value: "edited" } });
  await cluster.kubectl(["patch", "configmap", "still", "-n", "calm", "--patch", patch]);
  await scene.drop(file);
  assert.equal(await scene.value("configmap", "raw"), "1");
  assert.equal(await scene.value("configmap", "still"), "own");
  assert.equal(await scene.release("still"), "2 deployed");
  assert.equal(await scene.release("looks"), "1 deployed");
  await scene.unchanged(file);
}

async function restless(scene: Scene): Promise<void> {
  const file = await make(scene.directory, "restless", ["random", "hooked"], 0, {});
  await scene.drop(file);
  const first = await scene.value("secret", "random");
  await scene.drop(file);
  assert.notEqual(await scene.value("secret", "random"), first, "as with Zarf");
  assert.equal(await scene.release("random"), "2 deployed");
  assert.equal(await scene.release("hooked"), "2 deployed");
  assert.equal(await scene.value("configmap", "hook"), "2", "the hook ran");
}

async function older(scene: Scene): Promise<void> {
  const { cluster, directory } = scene;
  const file = await make(directory, "older", ["older"], 0, {});
  await scene.drop(file);
  const uid = () =>
    cluster.kubectl(["get", "ingress", "older", "-n", "calm", "-o", "jsonpath={.metadata.uid}"]);
  const before = await uid();
  await makeOlder(cluster, "calm", "older", 1);
  const helm = await scene.helm("upgrade", "older", `${directory}/older/older`, "-n", "calm");
  assert.notEqual(helm.code, 0);
  assert.match(helm.text, /unable to build kubernetes objects from current release manifest/);
  await scene.drop(file);
  assert.equal(await scene.release("older"), "3 deployed");
  const budget = ["get", "pdb", "older", "-n", "calm", "-o", "jsonpath={.spec.minAvailable}"];
  assert.equal(await cluster.kubectl(budget), "3");
  assert.equal(await uid(), before, "it was not made anew");
  const { text } = await scene.helm("history", "older", "-n", "calm", "-o", "json");
  assert.deepEqual(
    JSON.parse(text).map((one: Record<string, string>) => `${one["status"]} ${one["description"]}`),
    [
      "superseded Install complete",
      "superseded Kubernetes deprecated API upgrade - DO NOT rollback from this version",
      "deployed Upgrade complete",
    ],
  );
}

async function restarted(scene: Scene): Promise<void> {
  const mark = await auditMark(scene.node);
  await scene.agent.stop();
  await scene.agent.start();
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  assert.deepEqual(await writesSince(scene.node, mark), []);
}
