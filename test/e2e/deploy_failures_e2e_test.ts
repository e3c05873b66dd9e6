// Runs alone: a failure has to be undone within half a minute.
import assert from "node:assert/strict";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import type { PackageStatus } from "../../src/status/mod.ts";
import { rawChartName } from "../../src/deploy/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, HELLO, ROOT, TestAgent } from "./support/agent.ts";
import { deployFailing, FAILING_DEPLOYMENTS } from "./support/failing_deployments.ts";
import {
  ADDRESS_IN_USE,
  configMap,
  createPackage,
  deployment,
  type FailingPackage,
  gizmo,
  gizmoDefinition,
  type Json,
  listener,
  ofChart,
  ofManifests,
  podTemplate,
} from "./support/failing_packages.ts";
import { podsIn } from "./support/workloads.ts";
import { zarf } from "./support/zarf.ts";

/** From the start of the deployment until the last good version is back, in seconds. */
const FAST_FAILURE = 30;
/** Packages that fail the same way, one after the other until one was fast: a machine may be busy. */
const CRASHES = ["crash", "crash-once-more", "crash-at-last"] as const;
/** What the real zarf is given for its wait, in seconds. */
const ZARF_TIMEOUT = 60;
/** A value that nobody may read. */
const SECRET = "hunter2-and-more";

interface Scene {
  readonly cluster: Cluster;
  readonly kube: KubeClient;
  readonly agent: TestAgent;
  readonly directory: string;
}

/** Drops what the real zarf makes of a package. */
async function drop(scene: Scene, pkg: FailingPackage): Promise<string> {
  return await scene.agent.drop(await createPackage(scene.directory, pkg));
}

/** Waits until the verdict of a file has this reason. */
function reasoned(scene: Scene, path: string, reason: string): Promise<PackageStatus> {
  let last: PackageStatus | undefined;
  return eventually(
    `${reason} of ${path}`,
    async () => {
      last = await scene.agent.verdict(path);
      return last?.reason === reason ? last : undefined;
    },
    180_000,
    async () => `${JSON.stringify(last)}\n${await scene.agent.logTail(30)}`,
  );
}

function says(verdict: PackageStatus, ...words: readonly RegExp[]): void {
  for (const word of words) assert.match(verdict.message, word);
}

Deno.test({
  name: "a deployment that fails says what, where, why, what still runs and what to do",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: "fails" });
    const directory = await Deno.makeTempDir({ prefix: "holdfast-failures-" });
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    try {
      const [node] = cluster.nodes;
      assert.ok(node);
      const agent = new TestAgent(node);
      const scene = { cluster, kube, agent, directory };
      await agent.start();
      const verdict = await agent.settled(await agent.drop(HELLO));
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
      await steps(t, scene);
    } finally {
      kube.close();
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function steps(t: Deno.TestContext, scene: Scene): Promise<void> {
  const { kube, cluster, directory } = scene;
  let seconds = 0;
  await t.step(
    "an upgrade whose pod exits at once is seen and undone in half a minute",
    async () => {
      const all: string[] = [];
      for (const name of CRASHES) {
        const { said, ...crashed } = await crash(scene, name);
        seconds = crashed.seconds;
        if (seconds <= FAST_FAILURE) return;
        all.push(...said);
      }
      assert.fail(all.join("\n"));
    },
  );
  // It waits for a minute, and so do they for the most part.
  const byZarf = Promise.allSettled([crashWithZarf(scene)]);
  const pods = Promise.allSettled(FAILING_DEPLOYMENTS.map((failing) =>
    deployFailing(
      { kube, kubeconfig: cluster.kubeconfig(), dataDir: `${directory}/rooms` },
      failing,
    )
  ));
  await t.step("what the API server or Helm refuses is told in their words", () => refusals(scene));
  await t.step("what comes later is waited for", () => comesLater(scene));
  await t.step("a newer package does not wait for the one that it mends", () => newer(scene));
  const outcomes = await pods;
  for (const [at, { name }] of FAILING_DEPLOYMENTS.entries()) {
    await t.step(`what does not come up is told: ${name}`, () => {
      const outcome = outcomes[at];
      if (outcome?.status === "rejected") throw outcome.reason;
    });
  }
  await t.step("the real zarf waits for its whole timeout, and ends at the same", async () => {
    const [outcome] = await byZarf;
    if (outcome.status === "rejected") throw outcome.reason;
    const waited = outcome.value;
    assert.ok(waited >= ZARF_TIMEOUT, `${waited} s`);
    assert.ok(seconds < waited / 2, `${seconds} s against ${waited} s`);
    assert.deepEqual(await history(scene, "crash-zarf"), await history(scene, "crash"));
  });
}

/**
 * A web server that starts, or one of whose containers ends at once, between two other components.
 *
 * @param probed Without a probe its pod is ready for a moment, which the real zarf may fall for.
 */
function crashing(name: string, version: string, probed = false): FailingPackage {
  const readinessProbe = { tcpSocket: { port: 1 } };
  const twin = listener("twin", probed ? { readinessProbe } : {});
  const containers = [listener("web"), ...(version === "1.0.0" ? [] : [twin])];
  return ofManifests(name, {
    base: configMap("base"),
    web: [deployment({ containers }), configMap("text", version)],
    extra: configMap("extra", version),
  }, version);
}

/** What is said of a file until its verdict is final, each with its second. */
async function followed(scene: Scene, path: string): Promise<string[]> {
  const started = performance.now();
  const said: string[] = [];
  let last = "";
  await eventually("final verdict", async () => {
    const verdict = await scene.agent.verdict(path);
    if (verdict === undefined || verdict.message === last) return undefined;
    last = verdict.message;
    said.push(`${((performance.now() - started) / 1000).toFixed(1)} s  ${last.slice(0, 160)}`);
    return ["Receiving", "Accepted", "Deploying"].includes(verdict.phase) ? undefined : true;
  }, 120_000);
  return said;
}

/** A version that fails and is undone: what was said meanwhile, and the seconds that it took. */
async function crash(scene: Scene, name: string): Promise<{ said: string[]; seconds: number }> {
  const { agent, kube } = scene;
  const first = await agent.settled(await drop(scene, crashing(name, "1.0.0")));
  assert.equal(first.phase, "Ready", first.message);
  const path = await drop(scene, crashing(name, "2.0.0"));
  await agent.settled(path, { phases: ["Deploying"] });
  const started = performance.now();
  const said = await followed(scene, path);
  const verdict = await agent.settled(path);
  const seconds = (performance.now() - started) / 1000;
  assert.deepEqual([verdict.phase, verdict.reason], ["RolledBack", "RolledBack"], verdict.message);
  says(
    verdict,
    /^component "web": Deployment web in namespace crash\S* cannot become ready: /,
    /pod web-\S+, container twin: restarted 2 times after it ended with code 1 \(Error\)/,
    /it said last: .*hello 0\.1\.0 listens on/,
    ADDRESS_IN_USE,
    /release zarf-\w+ of "web" is back at revision 1 and ready/,
    /component "base" stays deployed; component "extra" was not begun/,
    /drop a mended package, or the same file again/,
  );
  assert.deepEqual(verdict.components.map(({ name, phase }) => `${name} ${phase}`), [
    "base Ready",
    "web Failed",
    "extra Waiting",
  ]);
  const pods = (await podsIn(kube, name))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  assert.deepEqual(
    pods.map(({ spec, status }) => [spec.containers.map(({ name }) => name), status.phase]),
    [[["web"], "Running"]],
  );
  const text = { apiVersion: "v1", kind: "ConfigMap", namespace: name, name: "text" };
  assert.deepEqual((await kube.get(text))?.["data"], { value: "1.0.0" });
  assert.deepEqual(await history(scene, name), ["superseded", "failed", "deployed"]);
  return { said, seconds };
}

/** Statuses of the revisions of component `web`, as Helm lists them. */
async function history({ cluster, directory }: Scene, name: string): Promise<string[]> {
  const { release } = rawChartName(name, "web", "web");
  const { code, stdout, stderr } = await new Deno.Command(`${ROOT}/dist/tools/helm`, {
    args: ["history", release, "--namespace", name, "-o", "json"],
    env: { KUBECONFIG: cluster.kubeconfig(), HOME: directory },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const revisions: { status: string }[] = JSON.parse(new TextDecoder().decode(stdout));
  return revisions.map(({ status }) => status);
}

/** Does the same with the real zarf, and says how many seconds it took over the second version. */
async function crashWithZarf(scene: Scene): Promise<number> {
  const cwd = `${scene.directory}/zarf`;
  await Deno.mkdir(cwd, { recursive: true });
  const env = { KUBECONFIG: scene.cluster.kubeconfig(), HOME: cwd };
  const deploy = async (version: string, ...flags: string[]) => {
    const file = await createPackage(scene.directory, crashing("crash-zarf", version, true));
    const started = performance.now();
    const own = ["--confirm", `--zarf-cache=${cwd}`, ...flags];
    const answer = await zarf(["package", "deploy", file, ...own], cwd, env);
    return { ...answer, seconds: (performance.now() - started) / 1000 };
  };
  const first = await deploy("1.0.0");
  assert.ok(first.ok, first.text);
  const second = await deploy("2.0.0", `--timeout=${ZARF_TIMEOUT}s`);
  assert.ok(!second.ok, second.text);
  return second.seconds;
}

/** A rule of somebody else's: no ConfigMap may be called `forbidden`. */
const POLICY = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicy",
  metadata: { name: "names" },
  spec: {
    failurePolicy: "Fail",
    matchConstraints: {
      resourceRules: [{
        apiGroups: [""],
        apiVersions: ["v1"],
        operations: ["CREATE", "UPDATE"],
        resources: ["configmaps"],
      }],
    },
    validations: [{ expression: "object.metadata.name != 'forbidden'", message: "a bad name" }],
  },
};
const BINDING = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicyBinding",
  metadata: { name: "names" },
  spec: { policyName: "names", validationActions: ["Deny"] },
};

const HOOK = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "migrate", annotations: { "helm.sh/hook": "pre-install,pre-upgrade" } },
  spec: {
    backoffLimit: 0,
    template: podTemplate({
      restartPolicy: "Never",
      initContainers: [listener("first", { restartPolicy: "Always" })],
      containers: [listener("second")],
    }, "migrate"),
  },
};

/** What is refused: the package, and reason and words of its verdict. */
interface RefusalCase {
  readonly pkg: FailingPackage;
  readonly phase?: "RolledBack";
  readonly reason: string;
  readonly says: readonly RegExp[];
  readonly settings?: Json;
}

const CM = JSON.stringify(configMap("a"));

const REFUSALS: readonly RefusalCase[] = [
  {
    pkg: ofChart("template", {
      "cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n" +
        '  size: {{ required "no size is given" .Values.size }}\n',
    }),
    reason: "PackageBroken",
    says: [
      /^component "app": chart app-1\.0\.0\.tgz cannot be rendered: /,
      /app\/templates\/cm\.yaml:5:\d+.*no size is given/,
    ],
  },
  {
    pkg: ofChart("schema", { "cm.yaml": CM }, {
      schema: { properties: { replicas: { type: "integer" } } },
      values: "replicas: many\n",
    }),
    reason: "PackageBroken",
    says: [/^component "app": .*values don't meet the specifications of the schema.*replicas/],
  },
  {
    pkg: ofManifests("policy", { base: configMap("base"), app: configMap("forbidden") }),
    reason: "ObjectRefused",
    says: [
      /^component "app": release zarf-\w+ in namespace policy: .*policy\/forbidden/,
      /ValidatingAdmissionPolicy 'names' with binding 'names' denied request: a bad name/,
      /component "base" stays deployed; mend the object, or the rule that refuses it/,
    ],
  },
  {
    pkg: ofManifests("owned", { base: configMap("base"), app: configMap("taken") }),
    reason: "OwnedByOther",
    says: [
      /^component "app": release zarf-\w+ in namespace owned: (?!.*release: not found)/,
      /ConfigMap "taken" in namespace "owned" exists and cannot be imported/,
      /invalid ownership metadata/,
      /remove the object or what owns it/,
    ],
  },
  {
    pkg: ofChart("hook", { "job.yaml": JSON.stringify(HOOK), "cm.yaml": CM }),
    reason: "HookFailed",
    says: [
      /^component "app": release app in namespace hook: .*hooks failed: resource Job\/hook\/migrate/,
      /pod migrate-\S+, container second ended with code 1; it said last: /,
      ADDRESS_IN_USE,
    ],
  },
  {
    pkg: secretive(),
    settings: { package: { deploy: { set: { PASSWORD: SECRET } } } },
    reason: "TemplateFailed",
    says: [/^component "app": a Go template cannot be filled in: .*the password is \*\*\*/],
  },
];

/** A template that fails with what is secret. */
function secretive(): FailingPackage {
  const { definition, files } = ofManifests("secretive", { app: configMap("a") });
  const [component] = definition["components"] as [{ manifests: [Json] }];
  const manifests = component.manifests.map((one) => ({ ...one, template: true }));
  return {
    definition: {
      ...definition,
      variables: [{ name: "PASSWORD", sensitive: true }],
      components: [{ ...component, manifests }],
    },
    files: {
      ...files,
      "app.yaml": `{{ fail (printf "the password is %s" .Variables.PASSWORD) }}\n`,
    },
  };
}

async function refusals(scene: Scene): Promise<void> {
  const { kube, agent } = scene;
  for (const object of [POLICY, BINDING]) await kube.create(object as KubeObject);
  await makeNamespace(kube, "owned");
  await kube.create(
    { ...configMap("taken"), metadata: { name: "taken", namespace: "owned" } } as never,
  );
  const dropped = await Promise.all(REFUSALS.map(async ({ pkg, settings }) => {
    const file = await createPackage(scene.directory, pkg);
    if (settings !== undefined) {
      const name = file.slice(file.lastIndexOf("/") + 1);
      await Deno.writeTextFile(
        agent.hostPath(`/var/drop/${name}.config.yaml`),
        JSON.stringify(settings),
      );
    }
    return await agent.drop(file);
  }));
  for (const [at, { reason, says: words, phase = "Failed" }] of REFUSALS.entries()) {
    const verdict = await agent.settled(dropped[at] ?? "");
    assert.deepEqual([verdict.phase, verdict.reason], [phase, reason], verdict.message);
    says(verdict, ...words);
  }
  const log = await agent.logTail(10_000);
  assert.doesNotMatch(log, new RegExp(SECRET));
  await immutable(scene);
}

async function immutable(scene: Scene): Promise<void> {
  const { agent } = scene;
  const version = (version: string, app: string) =>
    ofManifests("immutable", {
      web: [deployment({ containers: [listener("web")] }, app), configMap("text", version)],
    }, version);
  const first = await agent.settled(await drop(scene, version("1.0.0", "web")));
  assert.equal(first.phase, "Ready", first.message);
  const verdict = await agent.settled(await drop(scene, version("2.0.0", "other")));
  assert.deepEqual([verdict.phase, verdict.reason], ["RolledBack", "RolledBack"], verdict.message);
  says(
    verdict,
    /^component "web": release zarf-\w+ in namespace immutable: .*immutable\/web apps\/v1, Kind=Deployment.*field is immutable/,
    /release zarf-\w+ of "web" is back at revision 1 and ready/,
  );
}

/** A webhook of somebody else's that nobody serves. */
function deadWebhook(namespace: string) {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "dead" },
    webhooks: [{
      name: "dead.example.com",
      clientConfig: { url: "https://127.0.0.1:9/" },
      failurePolicy: "Fail",
      sideEffects: "None",
      timeoutSeconds: 1,
      admissionReviewVersions: ["v1"],
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      rules: [{
        apiGroups: [""],
        apiVersions: ["v1"],
        operations: ["CREATE"],
        resources: ["configmaps"],
      }],
    }],
  };
}

async function comesLater(scene: Scene): Promise<void> {
  const { kube, agent } = scene;
  await makeNamespace(kube, "ending");
  const held = { apiVersion: "v1", kind: "ConfigMap", namespace: "ending", name: "held" };
  const metadata = { name: "held", namespace: "ending", finalizers: ["example.com/hold"] };
  await kube.create({ apiVersion: "v1", kind: "ConfigMap", metadata });
  const ending = { apiVersion: "v1", kind: "Namespace", name: "ending" };
  await kube.delete(ending);
  await kube.create(deadWebhook("webhook") as KubeObject);
  const files = await Promise.all([
    drop(scene, ofManifests("webhook", { app: configMap("a") })),
    drop(scene, ofManifests("ending", { app: configMap("a") })),
    drop(scene, ofManifests("kind", { app: gizmo("kind.example") })),
    drop(
      scene,
      ofManifests("operator", {
        crds: gizmoDefinition("operator.example"),
        app: gizmo("operator.example"),
      }),
    ),
  ]);
  const [webhook = "", terminating = "", kind = "", operator = ""] = files;
  says(
    await reasoned(scene, webhook, "WebhookDown"),
    /^component "app": release zarf-\w+ in namespace webhook: .*webhook\/a/,
    /failed calling webhook "dead\.example\.com": .*127\.0\.0\.1:9.*connection refused/,
    /bring back what serves the webhook.*; it is tried again$/,
  );
  says(
    await reasoned(scene, terminating, "NamespaceTerminating"),
    /^component "app": .*namespace ending because it is being terminated/,
    /finalizers of what is in it may hold it; it is tried again$/,
  );
  says(
    await reasoned(scene, kind, "KindMissing"),
    /^component "app": release zarf-\w+ in namespace kind: .*no matches for kind "Gizmo" in version "kind\.example\/v1"/,
    /the package then goes on by itself; it is tried again$/,
  );
  const brought = await agent.settled(operator);
  assert.equal(brought.phase, "Ready", brought.message);
  const name = "dead";
  const { apiVersion, kind: configuration } = deadWebhook("");
  await kube.delete({ apiVersion, kind: configuration, name });
  await kube.patch(held, { type: "merge", body: { metadata: { finalizers: null } } });
  await kube.create(gizmoDefinition("kind.example"));
  for (const file of [webhook, terminating, kind]) {
    const verdict = await agent.settled(file);
    assert.equal(verdict.phase, "Ready", verdict.message);
  }
}

async function newer(scene: Scene): Promise<void> {
  const { agent, kube } = scene;
  const version = (version: string, nodeSelector: Json) =>
    ofManifests("newer", {
      web: deployment({ containers: [listener("web")], nodeSelector }),
    }, version);
  const [old, other, mended] = await Promise.all([
    createPackage(scene.directory, version("1.0.0", { disk: "gold" })),
    createPackage(scene.directory, ofManifests("other", { app: configMap("a") })),
    createPackage(scene.directory, version("2.0.0", {})),
  ]);
  const first = await agent.drop(old);
  await eventually("wait", async () => {
    const verdict = await agent.verdict(first);
    return verdict?.message.includes("0 of 1 ready") ? true : undefined;
  });
  const waits = await agent.drop(other);
  assert.equal((await agent.settled(waits, { phases: ["Accepted"] })).phase, "Accepted");
  const started = performance.now();
  const second = await agent.drop(mended);
  assert.equal((await agent.settled(second)).phase, "Ready");
  assert.ok(performance.now() - started < 120_000);
  assert.equal((await agent.settled(first)).phase, "Superseded");
  assert.equal((await agent.settled(waits)).phase, "Ready");
  const pods = await podsIn(kube, "newer");
  assert.equal(pods.filter(({ status }) => status.phase === "Running").length, 1);
}

async function makeNamespace(kube: KubeClient, name: string): Promise<void> {
  await kube.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
}
