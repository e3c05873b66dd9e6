import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import {
  DeployError,
  type DeployOutcome,
  type DeployPackage,
  deployPackage,
  type DeployProgress,
  rawChartName,
  writeRawChart,
} from "../../src/deploy/mod.ts";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { ensureState, listPackages, loadPackage, loadState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { POST_RENDERER, writePackage } from "./support/deploy_fixture.ts";
import { customKind } from "./support/custom_kind.ts";

const PAUSE = "registry.k8s.io/pause:3.10.1";
const NAMESPACE = "shop";
const RELEASE = rawChartName("shop", "web", "web").release;

interface Fixture {
  readonly cluster: Cluster;
  readonly kube: KubeClient;
  readonly helm: string;
  readonly dataDir: string;
  readonly progress: DeployProgress[];
  readonly journal: string[];
}

/** A package whose pod runs `image`. */
function shop(fixture: Fixture, version: string, image = PAUSE): DeployPackage {
  return writePackage(fixture.dataDir, {
    definition: {
      metadata: { name: "shop", version },
      variables: [{ name: "GREETING", default: "hello" }],
      components: [
        {
          name: "web",
          required: true,
          manifests: [
            { name: "namespace", namespace: NAMESPACE, files: ["ns.yaml"] },
            { name: "web", namespace: NAMESPACE, files: ["web.yaml", "text.yaml"] },
          ],
          healthChecks: [
            { apiVersion: "apps/v1", kind: "Deployment", name: "web", namespace: NAMESPACE },
          ],
        },
        { name: "extra", manifests: [{ name: "never", namespace: "never", files: ["x.yaml"] }] },
      ],
    },
    files: {
      "components/web/manifests/namespace-0.yaml":
        `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${NAMESPACE}, labels: {owner: me}}\n`,
      "components/web/manifests/web-0.yaml": JSON.stringify({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "web" },
        spec: {
          replicas: 1,
          selector: { matchLabels: { app: "web" } },
          template: {
            metadata: { labels: { app: "web", "zarf.dev/agent": "ignore" } },
            spec: {
              terminationGracePeriodSeconds: 0,
              containers: [{ name: "web", image }],
            },
          },
        },
      }),
      "components/web/manifests/web-1.yaml": "apiVersion: v1\nkind: ConfigMap\n" +
        `metadata: {name: text}\ndata:\n  greeting: "###ZARF_VAR_GREETING### {{ .Values }}"\n` +
        `  version: "${version}"\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n` +
        "  labels: {zarf.dev/connect-name: shop}\n  annotations: {zarf.dev/connect-url: /start}\n" +
        "spec: {selector: {app: web}, ports: [{port: 80}]}\n",
    },
  });
}

/** What the site says of the shop. */
const GREETING = { variables: { greeting: "hi" } };

function deploy(fixture: Fixture, pkg: DeployPackage, more = {}): Promise<DeployOutcome> {
  const { cluster, kube, helm, dataDir } = fixture;
  return deployPackage(pkg, {
    kube,
    dataDir,
    kubeconfig: cluster.kubeconfig(),
    tools: { helm, postRenderer: POST_RENDERER },
    timeout: 120_000,
    onProgress: (progress) => fixture.progress.push(progress),
    journal: { append: ({ step, state }) => void fixture.journal.push(`${state} ${step}`) },
    ...more,
  });
}

/** Runs the real helm as a person would. */
async function helmCommand(
  fixture: Fixture,
  ...args: string[]
): Promise<{ code: number; text: string }> {
  const output = await new Deno.Command(fixture.helm, {
    args,
    env: { KUBECONFIG: fixture.cluster.kubeconfig(), HOME: fixture.dataDir },
  }).output();
  const text = new TextDecoder().decode(output.code === 0 ? output.stdout : output.stderr);
  return { code: output.code, text };
}

async function get(fixture: Fixture, kind: string, name: string, apiVersion = "v1") {
  return await fixture.kube.get({ apiVersion, kind, name, namespace: NAMESPACE });
}

/** A field of an object by its path. */
function field(object: KubeObject | undefined, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<string, unknown> | undefined)?.[key],
    object,
  );
}

async function helmList(fixture: Fixture) {
  const { text } = await helmCommand(fixture, "list", "-A", "-o", "json");
  return JSON.parse(text) as {
    name: string;
    namespace: string;
    revision: string;
    status: string;
    chart: string;
  }[];
}

const reason = obstacle();

Deno.test({
  name: "packages are deployed, upgraded, rolled back and repaired on a real cluster",
  ignore: reason !== undefined,
  async fn(t) {
    const cluster = await Cluster.up({ name: `e2e-dep-${Deno.pid.toString(36)}` });
    const dataDir = await Deno.makeTempDir({ prefix: "holdfast deploy " });
    const fixture: Fixture = {
      cluster,
      kube: KubeClient.fromKubeconfig(cluster.kubeconfig()),
      helm: await ensureTool(TOOLS.helm),
      dataDir,
      progress: [],
      journal: [],
    };
    try {
      await steps(t, fixture);
    } finally {
      fixture.kube.close();
      await cluster.down();
      await Deno.remove(dataDir, { recursive: true });
    }
  },
});

async function steps(t: Deno.TestContext, fixture: Fixture): Promise<void> {
  const { kube } = fixture;
  await t.step("nothing is touched before there is a Zarf state", async () => {
    await assert.rejects(
      deploy(fixture, shop(fixture, "1.0.0")),
      (error) => error instanceof DeployError && error.reason === "NotBootstrapped",
    );
    assert.equal(kube.writes, 0);
  });
  await t.step("the Zarf state is made once, and its credentials never change", async () => {
    const options = {
      registryAddress: "127.0.0.1:31999",
      port: 31999,
      ipFamily: "ipv4",
      namespaceLabels: { "pod-security.kubernetes.io/enforce": "privileged" },
    } as const;
    const state = await ensureState(kube, options);
    const zarf = await kube.get({ apiVersion: "v1", kind: "Namespace", name: "zarf" });
    assert.deepEqual(zarf?.metadata.labels, {
      "app.kubernetes.io/managed-by": "zarf",
      "kubernetes.io/metadata.name": "zarf",
      "pod-security.kubernetes.io/enforce": "privileged",
      "zarf.dev/agent": "mutate",
    });
    for (const name of ["default", "kube-system"]) {
      const found = await kube.get({ apiVersion: "v1", kind: "Namespace", name });
      assert.equal(found?.metadata.labels?.["zarf.dev/agent"], "ignore", name);
    }
    const writes = kube.writes;
    assert.deepEqual(await ensureState(kube, options), state);
    assert.deepEqual(await loadState(kube), state);
    assert.equal(kube.writes, writes, "the second time nothing is written");
  });
  await t.step("a package becomes Ready, under Zarf's names", () => firstDeployment(fixture));
  await t.step("the same package again changes nothing", async () => {
    const before = await get(fixture, "Deployment", "web", "apps/v1");
    const outcome = await deploy(fixture, shop(fixture, "1.0.0"), GREETING);
    assert.equal(outcome.generation, 1);
    const after = await get(fixture, "Deployment", "web", "apps/v1");
    assert.equal(field(after, "metadata", "generation"), field(before, "metadata", "generation"));
  });
  await t.step("an upgrade that cannot run goes back and says why", () => failedUpgrade(fixture));
  await t.step("a release that a kill left pending is repaired", () => pendingRelease(fixture));
  await t.step(
    "a first install that fails names the reason and stays",
    () => failedInstall(fixture),
  );
  await t.step("a real chart gets its values, its variables and its CRDs", () => chart(fixture));
  await t.step("the real zarf lists what was deployed", async () => {
    const zarf = await ensureTool(TOOLS.zarf);
    const output = await new Deno.Command(zarf, {
      args: ["package", "list", "--output-format", "json", "--no-color"],
      env: { KUBECONFIG: fixture.cluster.kubeconfig(), HOME: fixture.dataDir },
    }).output();
    const text = new TextDecoder().decode(output.stdout);
    assert.equal(output.code, 0, new TextDecoder().decode(output.stderr));
    const listed: { package: string; version: string }[] = JSON.parse(text);
    const shop = listed.find((entry) => entry.package === "shop");
    assert.equal(shop?.version, "3.0.0", text);
  });
  await t.step("a deployment that is told to stop stops, and goes on next time", async () => {
    const controller = new AbortController();
    const started = performance.now();
    const stopped = deploy(fixture, shop(fixture, "4.0.0", "nowhere.invalid/x:1"), {
      signal: controller.signal,
      onProgress: (progress: DeployProgress) =>
        progress.phase === "Waiting" && controller.abort(new Error("shutting down")),
    });
    await assert.rejects(
      stopped,
      (error) => error instanceof DeployError && error.reason === "Cancelled",
    );
    assert.ok(performance.now() - started < 120_000);
    assert.equal((await deploy(fixture, shop(fixture, "4.0.1"))).components.length, 1);
  });
}

async function firstDeployment(fixture: Fixture): Promise<void> {
  const { kube } = fixture;
  const outcome = await deploy(fixture, shop(fixture, "1.0.0"), GREETING);
  assert.deepEqual(outcome, {
    generation: 1,
    components: ["web"],
    connectStrings: { shop: { description: "", url: "/start" } },
  });
  const deployment = await get(fixture, "Deployment", "web", "apps/v1");
  assert.equal(field(deployment, "status", "readyReplicas"), 1);
  assert.equal(deployment?.metadata.labels?.["zarf.dev/package"], "shop");
  assert.deepEqual(field(deployment, "spec", "template", "metadata", "labels"), {
    app: "web",
    "zarf.dev/agent": "ignore",
    "zarf.dev/package": "shop",
  });
  const text = await get(fixture, "ConfigMap", "text");
  assert.equal(field(text, "data", "greeting"), "hi {{ .Values }}");
  const namespace = await get(fixture, "Namespace", NAMESPACE);
  const labels = { ...namespace?.metadata.labels };
  assert.deepEqual(labels, {
    "app.kubernetes.io/managed-by": "zarf",
    "kubernetes.io/metadata.name": NAMESPACE,
    "owner": "me",
    "zarf.dev/agent": "mutate",
    "zarf.dev/package": "shop",
  });
  assert.deepEqual(namespace?.metadata.annotations ?? {}, {}, "no path of this machine");
  const pull = await get(fixture, "Secret", "private-registry");
  assert.equal(field(pull, "type"), "kubernetes.io/dockerconfigjson");

  const releases = await helmList(fixture);
  assert.deepEqual(
    releases.map(({ name, namespace, revision, status }) =>
      `${namespace}/${name} ${revision} ${status}`
    ).sort(),
    [
      `${NAMESPACE}/${rawChartName("shop", "web", "namespace").release} 1 deployed`,
      `${NAMESPACE}/${RELEASE} 1 deployed`,
    ].sort(),
  );
  assert.match(
    releases.find(({ name }) => name === RELEASE)?.chart ?? "",
    /^raw-shop-web-web-0\.1\.\d+$/,
  );

  const [record] = await listPackages(kube);
  assert.equal(record?.name, "shop");
  assert.equal(record?.cliVersion, "v0.84.0");
  assert.deepEqual(field(record?.data as KubeObject, "metadata", "version"), "1.0.0");
  assert.deepEqual(record?.deployedComponents?.map(({ name, status }) => [name, status]), [
    ["web", "Succeeded"],
  ]);
  assert.deepEqual(
    record?.deployedComponents?.[0]?.installedCharts?.map(({ status }) => status),
    ["Succeeded", "Succeeded"],
  );
  assert.equal(record?.connectStrings?.["shop"]?.url, "/start");
  assert.ok(fixture.progress.some(({ message }) => /Deployment web: \d of 1 ready/.test(message)));
  assert.deepEqual(fixture.journal.slice(-3), [
    `done component/web/release/${NAMESPACE}/${RELEASE}`,
    "done component/web",
    "done deployment",
  ]);
  assert.deepEqual(
    [...Deno.readDirSync(`${fixture.dataDir}/tmp`)],
    [],
    "no temporary file is left",
  );
}

async function failedUpgrade(fixture: Fixture): Promise<void> {
  const started = performance.now();
  await assert.rejects(
    deploy(fixture, shop(fixture, "2.0.0", "nowhere.invalid/app:2"), { troubleGrace: 3_000 }),
    (error) => {
      assert.ok(error instanceof DeployError);
      assert.deepEqual([error.reason, error.disposition], ["RolledBack", "terminal"]);
      assert.match(
        error.message,
        /component "web": Deployment web .*(ErrImagePull|ImagePullBackOff)/,
      );
      assert.match(error.message, /nowhere\.invalid/);
      assert.match(error.kept ?? "", /back at revision 1 and ready/);
      return true;
    },
  );
  assert.ok(performance.now() - started < 180_000, "long before the time limit");
  const deployment = await get(fixture, "Deployment", "web", "apps/v1");
  assert.equal(field(deployment, "status", "readyReplicas"), 1);
  assert.equal(field(await get(fixture, "ConfigMap", "text"), "data", "version"), "1.0.0");
  const release = (await helmList(fixture)).find(({ name }) => name === RELEASE);
  assert.equal(release?.status, "deployed");
  const record = await loadPackage(fixture.kube, "shop");
  assert.equal(record?.deployedComponents?.[0]?.status, "Failed");
}

/** Makes Helm wait for a hook that never ends and kills it there, as a power cut would. */
async function pendingRelease(fixture: Fixture): Promise<void> {
  const chart = `${fixture.dataDir}/hanging`;
  writeRawChart(chart, "raw-shop-web-web", "0.1.1", [JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "hang", annotations: { "helm.sh/hook": "pre-upgrade" } },
    spec: { containers: [{ name: "c", image: PAUSE }] },
  })]);
  const child = new Deno.Command(fixture.helm, {
    args: ["upgrade", RELEASE, chart, "-n", NAMESPACE],
    env: { KUBECONFIG: fixture.cluster.kubeconfig(), HOME: fixture.dataDir },
    stdout: "null",
    stderr: "null",
  }).spawn();
  const pending = async () =>
    (await fixture.kube.list({ apiVersion: "v1", kind: "Secret", namespace: NAMESPACE }, {
      labelSelector: `owner=helm,name=${RELEASE},status=pending-upgrade`,
    })).items.length === 1;
  for (let attempt = 0; !await pending(); attempt++) {
    assert.ok(attempt < 600, "the release never became pending");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill("SIGKILL");
  await child.status;
  const refused = await helmCommand(fixture, "upgrade", RELEASE, chart, "-n", NAMESPACE);
  assert.match(refused.text, /another operation/);

  const outcome = await deploy(fixture, shop(fixture, "3.0.0"));
  assert.deepEqual(outcome.components, ["web"]);
  assert.equal(await pending(), false);
  assert.equal(field(await get(fixture, "ConfigMap", "text"), "data", "version"), "3.0.0");
  const record = await loadPackage(fixture.kube, "shop");
  assert.equal(record?.deployedComponents?.[0]?.status, "Succeeded");
}

async function failedInstall(fixture: Fixture): Promise<void> {
  const broken = writePackage(fixture.dataDir, {
    definition: {
      metadata: { name: "broken" },
      components: [{
        name: "pods",
        required: true,
        manifests: [{ name: "privileged", namespace: "broken", files: ["a.yaml"] }],
      }],
    },
    files: {
      "components/pods/manifests/privileged-0.yaml": JSON.stringify({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "rooted" },
        spec: {
          selector: { matchLabels: { app: "rooted" } },
          template: {
            metadata: { labels: { app: "rooted" } },
            spec: {
              hostNetwork: true,
              containers: [{ name: "c", image: PAUSE }],
            },
          },
        },
      }),
    },
  });
  await assert.rejects(deploy(fixture, broken, { troubleGrace: 2_000 }), (error) => {
    assert.ok(error instanceof DeployError);
    assert.match(error.message, /component "pods": Deployment rooted .*violates PodSecurity/);
    assert.match(error.kept ?? "", /there is no earlier one/);
    return true;
  });
  const record = await loadPackage(fixture.kube, "broken");
  assert.deepEqual(record?.deployedComponents?.[0]?.installedCharts, [{
    namespace: "broken",
    chartName: rawChartName("broken", "pods", "privileged").release,
    status: "Failed",
  }]);
}

/** The files of a chart with a CRD, an object of it, a hook, and values from three places. */
const CHART_FILES: Readonly<Record<string, string>> = {
  "Chart.yaml": "apiVersion: v2\nname: tool\nversion: 1.2.3\nkubeVersion: '>=1.30.0'\n",
  "values.yaml": "own: default\nfile: default\nvariable: {deep: default}\n",
  "crds/crd.yaml": JSON.stringify(customKind("lab.example", "widgets", "Widget")),
  "templates/objects.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-values
data:
  values: {{ printf "%s %s %s" .Values.own .Values.file .Values.variable.deep | quote }}
  second: "###ZARF_CONST_WORD###"
---
apiVersion: lab.example/v1
kind: Widget
metadata:
  name: one
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: elsewhere
  namespace: tool-other
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: hook
  annotations: {"helm.sh/hook": "post-install,post-upgrade"}
data:
  word: "###ZARF_CONST_WORD###"
`,
};

async function chart(fixture: Fixture): Promise<void> {
  const source = `${fixture.dataDir}/tool`;
  for (const [path, content] of Object.entries(CHART_FILES)) {
    const file = `${source}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, content);
  }
  const packed = await helmCommand(fixture, "package", source, "-d", fixture.dataDir);
  assert.equal(packed.code, 0, packed.text);
  const pkg = writePackage(fixture.dataDir, {
    definition: {
      metadata: { name: "tool" },
      constants: [{ name: "WORD", value: "word" }],
      variables: [{ name: "DEEP", default: "a,b=c" }],
      components: [{
        name: "chart",
        required: true,
        charts: [{
          name: "tool",
          version: "1.2.3",
          namespace: "tool",
          releaseName: "my-tool",
          valuesFiles: ["a.yaml"],
          variables: [{ name: "DEEP", path: "variable.deep" }],
        }],
      }],
    },
    files: {
      "components/chart/charts/tool-1.2.3.tgz": await Deno.readFile(
        `${fixture.dataDir}/tool-1.2.3.tgz`,
      ),
      "components/chart/values/tool-1.2.3-0": 'file: "###ZARF_CONST_WORD###"\n',
    },
  });
  const read = (kind: string, name: string, namespace: string, apiVersion = "v1") =>
    fixture.kube.get({ apiVersion, kind, name, namespace });
  for (const generation of [1, 2]) {
    const outcome = await deploy(fixture, pkg, { kubeVersion: "v1.36.0" });
    assert.equal(outcome.generation, generation);
    const values = await read("ConfigMap", "my-tool-values", "tool");
    assert.deepEqual(field(values, "data"), { values: "default word a,b=c", second: "word" });
    assert.equal(values?.metadata.labels?.["zarf.dev/package"], "tool");
    assert.ok(await read("Widget", "one", "tool", "lab.example/v1"));
    assert.ok(await read("ConfigMap", "elsewhere", "tool-other"));
    const hook = await read("ConfigMap", "hook", "tool");
    assert.equal(field(hook, "data", "word"), "word");
    assert.equal(hook?.metadata.labels?.["zarf.dev/package"], undefined);
  }
  for (const namespace of ["tool", "tool-other"]) {
    assert.ok(await read("Secret", "private-registry", namespace), namespace);
  }
  const release = (await helmList(fixture)).find(({ name }) => name === "my-tool");
  assert.deepEqual([release?.namespace, release?.chart, release?.status], [
    "tool",
    "tool-1.2.3",
    "deployed",
  ]);
}
