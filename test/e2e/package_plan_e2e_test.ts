import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { main } from "../../src/cli/mod.ts";
import {
  changesOf,
  type DeploymentPlan,
  type DeployPackage,
  deployPackage,
  type FieldChange,
  type PlannedObject,
  type PlannedReleaseStep,
  previewPackage,
} from "../../src/deploy/mod.ts";
import { KubeClient, type KubeObject, servedKinds } from "../../src/kube/mod.ts";
import { parseImageReference, zarfTag } from "../../src/refs/mod.ts";
import { ensureState } from "../../src/zarf/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { POST_RENDERER, writePackage } from "./support/deploy_fixture.ts";
import { chartFiles, NAMESPACE, plannedPackage, type PlanVersion } from "./support/plan_fixture.ts";

interface Fixture {
  readonly cluster: Cluster;
  readonly kube: KubeClient;
  readonly helm: string;
  readonly dataDir: string;
  readonly started: string[];
}

const FIRST: PlanVersion = { version: "1.0.0", text: "first", moved: "false", old: true };
const SECOND: PlanVersion = { version: "2.0.0", text: "second", moved: "true", old: false };

const reason = obstacle();

Deno.test({
  name: "a plan says what a deployment then does, and writes nothing",
  ignore: reason !== undefined,
  async fn(t) {
    const cluster = await Cluster.up({ name: `e2e-plan-${Deno.pid.toString(36)}` });
    const dataDir = await Deno.makeTempDir({ prefix: "holdfast plan " });
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    try {
      const helm = await ensureTool(TOOLS.helm);
      await steps(t, { cluster, kube, helm, dataDir, started: [] });
    } finally {
      kube.close();
      await cluster.down();
      await Deno.remove(dataDir, { recursive: true });
    }
  },
});

/** Package values may be for actions alone; what is secret of them shows in no plan, by its hash either. */
async function valuesOfActions(fixture: Fixture): Promise<void> {
  const cmd = "login {{ .Values.run.password }} {{ .Values.run.times }}";
  const onDeploy = { before: [{ cmd, template: true }] };
  const components = [{ name: "act", required: true, actions: { onDeploy } }];
  const pkg = writePackage(fixture.dataDir, {
    definition: { metadata: { name: "acts" }, components },
    files: { "values.yaml": "run: {times: 0}" },
  });
  const planOf = async (yaml: string) => {
    const plan = await preview(fixture, pkg, { values: [{ yaml }] });
    assert.deepEqual(plan.refused, []);
    return plan;
  };
  const one = await planOf("run: {times: 1, password: 0815}");
  assert.deepEqual(one.values, { run: { times: 1, password: "***" } });
  assert.equal((await planOf("run: {times: 1, password: 0816}")).hash, one.hash);
  assert.notEqual((await planOf("run: {times: 2, password: 0815}")).hash, one.hash);
}

async function steps(t: Deno.TestContext, fixture: Fixture): Promise<void> {
  const { kube } = fixture;
  const first = await packageOf(fixture, FIRST);
  const second = await packageOf(fixture, SECOND);
  let plan: DeploymentPlan | undefined;
  await t.step("of a new package on a cluster that has nothing yet", async () => {
    const bare = await unwritten(fixture, () => preview(fixture, first));
    assert.equal(bare.bootstrap, true);
    assert.deepEqual(bare.refused, []);
    await ensureState(kube, {
      ...{ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" },
    });
  });
  await t.step(
    "of a new package; two plans are the same, with other settings another",
    async () => {
      plan = await unwritten(fixture, () => preview(fixture, first));
      assert.equal(plan.bootstrap, false);
      assert.deepEqual(plan.refused, []);
      assert.deepEqual(await preview(fixture, first), plan);
      const other = await preview(fixture, first, { variables: { TEXT: "other" } });
      assert.notEqual(other.hash, plan.hash);
      assert.ok(!JSON.stringify(plan).includes("very-secret-0815"));
      assert.deepEqual(outcomes(plan), FIRST_OUTCOMES);
    },
  );
  await t.step("of values that only actions read", () => valuesOfActions(fixture));
  await t.step("the deployment does these steps and makes these objects", async () => {
    await agrees(fixture, first, plan);
  });
  await t.step("of what is deployed: nothing changes", async () => {
    const again = await unwritten(fixture, () => preview(fixture, first));
    assert.equal(again.deployed?.version, "1.0.0");
    for (const release of releases(again)) {
      const expected = release.title === "tool"
        ? "upgrade"
        : release.title === "set"
        ? "unknown"
        : "unchanged";
      assert.equal(release.action, expected, JSON.stringify(release, null, 1));
    }
    assert.equal((await preview(fixture, first)).hash, again.hash);
  });
  await t.step("of another version: what the deployment then changes, field by field", async () => {
    plan = await unwritten(fixture, () => preview(fixture, second));
    assert.deepEqual(plan.refused, []);
    assert.equal((await preview(fixture, second)).hash, plan.hash);
    assert.deepEqual(changedPaths(plan), SECOND_CHANGES);
    await agrees(fixture, second, plan);
  });
  await t.step("of a cluster that somebody has changed", async () => {
    const before = await preview(fixture, second);
    await kube.delete({ apiVersion: "v1", kind: "ConfigMap", name: "text", namespace: NAMESPACE });
    const after = await unwritten(fixture, () => preview(fixture, second));
    assert.notEqual(after.hash, before.hash);
    assert.equal(objectsOf(after).find(({ name }) => name === "text")?.outcome, "created");
  });
  await t.step("the command prints the plan of a package file", () => command(fixture));
}

const HELLO = new URL(
  "../fixtures/packages/zarf-package-hello-amd64-0.1.0.tar.zst",
  import.meta.url,
);

async function command(fixture: Fixture): Promise<void> {
  const run = async (...flags: string[]) => {
    const said = { out: "", err: "" };
    const code = await main([
      ...["package", "plan", fileURLToPath(HELLO)],
      ...["--kubeconfig", fixture.cluster.kubeconfig(), "--tools-dir", dirname(fixture.helm)],
      ...flags,
    ], { out: (text) => void (said.out += text), err: (text) => void (said.err += text) });
    assert.equal(code, 0, said.err);
    return said.out;
  };
  const text = await unwritten(fixture, () => run());
  assert.match(text, /^package +hello 0\.1\.0 \(amd64\)$/m);
  assert.match(text, /^ {6}\+ Namespace hello$/m);
  assert.match(text, /^ {6}\+ Deployment hello in hello$/m);
  const { hash }: DeploymentPlan = JSON.parse(await run("-o", "json"));
  assert.ok(text.includes(hash), "the same each time");
}

const FIRST_OUTCOMES: readonly string[] = [
  "tool: install",
  "  CustomResourceDefinition things.plan.example: created",
  "  Thing thing: unknown",
  "  ConfigMap hook: runs",
  "  ConfigMap tool: created",
  "web: install",
  "  Secret secret: created",
  "  ConfigMap text: created",
  "  Service old: created",
  "  Deployment web: created",
  "client: install",
  "  ConfigMap client: created",
  "  Deployment client: created",
  "moved: install",
  "  ConfigMap moved: created",
  "crds: install",
  "  CustomResourceDefinition gadgets.plan.example: created",
  "gadget: install",
  "  Gadget one: unknown",
  "set: unknown",
];

const DEPLOYMENT_CHANGES = [
  "metadata.labels.old",
  "spec.template.spec.containers[main].env[TEXT].value",
  "spec.template.spec.containers[old]",
];

/** By release and object, what is applied by the server and by the client alike. */
const SECOND_CHANGES: Readonly<Record<string, unknown>> = {
  "tool/ConfigMap tool": ["data.random", "data.revision", "data.seen", "data.text"],
  "tool/Thing thing": "unchanged",
  "tool/ConfigMap hook": "runs",
  "web/Secret secret": ["data.password"],
  "web/ConfigMap text": ["data.old", "data.text"],
  "web/Deployment web": DEPLOYMENT_CHANGES,
  "web/Service old": "deleted",
  "client/ConfigMap client": ["data.old", "data.text"],
  "client/Deployment client": DEPLOYMENT_CHANGES,
  "moved/ConfigMap moved": ["data.text"],
  "crds/CustomResourceDefinition gadgets.plan.example": "unchanged",
  "gadget/Gadget one": ["spec.text"],
};

function changedPaths(plan: DeploymentPlan): Record<string, unknown> {
  return Object.fromEntries(
    releases(plan).flatMap(({ title, objects }) =>
      objects.map((
        { kind, name, outcome, changes },
      ) => [`${title}/${kind} ${name}`, changes?.map(({ path }) => path) ?? outcome])
    ),
  );
}

async function packageOf(fixture: Fixture, version: PlanVersion): Promise<DeployPackage> {
  const chart = await packed(fixture, chartFiles(version.text));
  return writePackage(fixture.dataDir, plannedPackage(version, chart));
}

/** A chart as `helm package` makes it. */
async function packed(
  { helm, dataDir }: Fixture,
  files: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const chart = `${dataDir}/chart`;
  for (const [path, text] of Object.entries(files)) {
    const file = `${chart}/${path}`;
    Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(file, text);
  }
  const { code } = await new Deno.Command(helm, {
    args: ["package", chart, "--destination", dataDir],
    env: { HOME: dataDir },
    stdout: "null",
  }).output();
  assert.equal(code, 0);
  return Deno.readFileSync(`${dataDir}/tool-1.2.3.tgz`);
}

function contextOf({ cluster, kube, helm, dataDir }: Fixture, more = {}) {
  return {
    ...{ kube, dataDir },
    kubeconfig: cluster.kubeconfig(),
    tools: { helm, postRenderer: POST_RENDERER },
    timeout: 120_000,
    actions: { policy: "always", trusted: false } as const,
    ...more,
  };
}

function preview(fixture: Fixture, pkg: DeployPackage, more = {}): Promise<DeploymentPlan> {
  return previewPackage(pkg, {
    ...contextOf(fixture, more),
    imageName: (image) => {
      const { host, path, tag, digest, ...rest } = parseImageReference(image);
      return { host, repository: path, tag, digest, zarfTag: zarfTag({ host, path, ...rest }) };
    },
    imageSource: {
      manifestBytes: () => assert.fail("the package has no images"),
      openBlob: () => assert.fail("a plan reads no blobs"),
    },
  });
}

/** What changes all the time by itself. */
const RESTLESS = ["Lease", "Event", "Node", "EndpointSlice", "Endpoints", "Pod"];
/** Whose status changes by itself. */
const WITH_STATUS = ["Deployment", "ReplicaSet"];

/** Every object of the cluster. */
async function everything(kube: KubeClient): Promise<Map<string, KubeObject>> {
  const all = new Map<string, KubeObject>();
  for (const { group, version, kind } of await servedKinds(kube)) {
    if (RESTLESS.includes(kind)) continue;
    const apiVersion = group === "" ? version : `${group}/${version}`;
    try {
      for (const item of (await kube.list({ apiVersion, kind })).items) {
        const { name, namespace = "" } = item.metadata;
        all.set(`${apiVersion} ${kind} ${namespace}/${name}`, { ...item, apiVersion, kind });
      }
    } catch {
      // Not every kind can be listed.
    }
  }
  return all;
}

/** Makes sure that nothing in the cluster is written meanwhile. */
async function unwritten<T>({ kube }: Fixture, action: () => Promise<T>): Promise<T> {
  const before = await everything(kube);
  const writes = kube.writes;
  const result = await action();
  const after = await everything(kube);
  assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort());
  for (const [key, object] of after) {
    const earlier = before.get(key);
    if (WITH_STATUS.includes(object.kind)) {
      assert.deepEqual(changesOf(earlier, object, (text) => text), [], key);
    } else {
      assert.equal(object.metadata.resourceVersion, earlier?.metadata.resourceVersion, key);
    }
  }
  assert.equal(kube.writes, writes);
  return result;
}

function releases(plan: DeploymentPlan): PlannedReleaseStep[] {
  return plan.components.flatMap(({ steps }) => steps).filter((step) => step.kind === "release");
}

function objectsOf(plan: DeploymentPlan): PlannedObject[] {
  return releases(plan).flatMap(({ objects }) => objects);
}

function outcomes(plan: DeploymentPlan): string[] {
  return releases(plan).flatMap(({ title, action, objects }) => [
    `${title}: ${action}`,
    ...objects.map(({ kind, name, outcome }) => `  ${kind} ${name}: ${outcome}`),
  ]);
}

/** What other programs than a deployment change. */
const NOT_OURS = /^metadata\.annotations\["deployment\.kubernetes\.io\/revision"\]$/;

/** Deploys a package and compares what that did with what the plan said. */
async function agrees(
  fixture: Fixture,
  pkg: DeployPackage,
  plan: DeploymentPlan | undefined,
): Promise<void> {
  assert.ok(plan);
  const before = await everything(fixture.kube);
  const steps: string[] = [];
  await deployPackage(pkg, {
    ...contextOf(fixture),
    journal: { append: ({ step, state }) => void (state === "begin" && steps.push(step)) },
  });
  const after = await everything(fixture.kube);
  const said = plan.components.filter(({ deployed }) => deployed).flatMap(({ name, steps }) => [
    `component/${name}`,
    ...steps.flatMap((step) => "step" in step ? [step.step] : []),
  ]);
  // The record is no step of the package's.
  assert.deepEqual(steps.filter((step) => step !== "record"), ["deployment", ...said]);
  for (const object of objectsOf(plan)) {
    const { apiVersion, kind, namespace = "", name, role } = object;
    const key = `${apiVersion} ${kind} ${namespace}/${name}`;
    const did = role === "hook" ? { outcome: "runs" } : difference(before.get(key), after.get(key));
    if (object.outcome === "unknown") {
      assert.notEqual(did.outcome, "deleted", key);
      continue;
    }
    const { outcome, changes } = object;
    const said = changes?.map(withoutMadeUp);
    assert.deepEqual({ outcome, changes: said }, { changes: undefined, ...did }, key);
  }
}

/** A change without what the chart makes up. */
function withoutMadeUp(change: FieldChange): FieldChange {
  return change.path === "data.random" ? { ...change, after: "" } : change;
}

/** What was done to an object. */
function difference(before: KubeObject | undefined, after: KubeObject | undefined) {
  if (before === undefined) return { outcome: after === undefined ? "nothing" : "created" };
  if (after === undefined) return { outcome: "deleted" };
  const changes = changesOf(before, after, (text) => text)
    .filter(({ path }) => !NOT_OURS.test(path))
    .map(withoutMadeUp);
  return changes.length === 0 ? { outcome: "unchanged" } : { outcome: "changed", changes };
}
