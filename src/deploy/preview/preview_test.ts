import assert from "node:assert/strict";
import { DeploySite } from "../../../test/fakes/deploy_site.ts";
import { RegistryPeer } from "../../../test/fakes/registry_peer.ts";
import { namespace } from "../../../test/fakes/api_objects.ts";
import { digestOf } from "../../std/mod.ts";
import { newState, type PushSource } from "../../zarf/mod.ts";
import { DeployError } from "../errors.ts";
import { RECORD_STEP } from "../held_record.ts";
import { writeRawChart } from "../raw_chart.ts";
import type { DeploymentPlan, PlannedReleaseStep } from "./plan.ts";
import { type PreviewContext, previewPackage } from "./preview.ts";

type Json = Record<string, unknown>;

const STATE = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
const NO_BLOBS: PushSource = {
  manifestBytes: () => assert.fail("no image was asked for"),
  openBlob: () => assert.fail("a plan sends nothing"),
};

/** A cluster and a Helm in memory; commands run for real. */
class Site extends DeploySite {
  /** A package of components, with more of its definition and with files. */
  pack(components: readonly Json[], more: Json = {}, files: Record<string, string> = {}) {
    return this.package(components, files, more);
  }

  override context(more: Partial<PreviewContext> = {}): PreviewContext {
    return {
      ...super.context(),
      repositories: { nameOf: (url) => `name-of-${url}`, publish: () => Promise.resolve() },
      imageSource: NO_BLOBS,
      imageName: (image) => {
        const [repository = "", tag = "latest"] = image.split(":");
        if (repository === "") return undefined;
        return { host: "docker.io", repository, tag, zarfTag: `${tag}-zarf-1` };
      },
      ...more,
    };
  }

  /** The plan; the cluster and the data directory are as they were. */
  async plan(
    pkg: Parameters<typeof previewPackage>[0],
    more: Partial<PreviewContext> = {},
  ): Promise<DeploymentPlan> {
    const { length } = this.api.writes;
    const plan = await previewPackage(pkg, this.context(more));
    assert.deepEqual(this.api.writes.slice(length), []);
    assert.deepEqual([...Deno.readDirSync(`${this.dir}/tmp`)], [], "no temporary file is left");
    return plan;
  }
}

function releases(plan: DeploymentPlan): PlannedReleaseStep[] {
  return plan.components.flatMap(({ steps }) => steps).filter((step) => step.kind === "release");
}

/** Releases with what becomes of their objects, in short. */
function outcomes(plan: DeploymentPlan): string[] {
  return releases(plan).map(({ title, action, objects }) =>
    `${title} ${action}: ${objects.map(({ name, outcome }) => `${name} ${outcome}`).join(", ")}`
  );
}

/** One of each kind of step. */
const EVERYTHING: Json = {
  name: "web",
  actions: {
    onDeploy: {
      before: [{ cmd: "true" }, { cmd: "echo x", setVariables: [{ name: "late" }] }],
      after: [{ cmd: "true", description: "look" }],
      onSuccess: [{ cmd: "true" }],
      onFailure: [{ cmd: "echo sorry" }],
    },
  },
  files: [{ source: "f", target: "f.txt", symlinks: ["g.txt"] }, { source: "h", target: "h.txt" }],
  repos: ["https://host/one.git", "https://host/two.git"],
  charts: [{ name: "tool", version: "1", namespace: "tools", noWait: true }],
  healthChecks: [{ apiVersion: "v1", kind: "ConfigMap", name: "web", namespace: "shop" }],
};
const EVERY_FILE = {
  "components/web/files/0/f.txt": "f",
  "components/web/files/1/h.txt": "h",
};

function everything(site: Site) {
  const pkg = site.pack([EVERYTHING, { name: "second" }], {}, EVERY_FILE);
  const unpacked = `${site.dir}/packages/${pkg.digest.slice("sha256:".length)}`;
  Deno.mkdirSync(`${unpacked}/components/web/charts`);
  writeRawChart(`${unpacked}/components/web/charts/tool-1.tgz`, "tool", "1.0.0", [
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tool}\n",
  ]);
  return pkg;
}

Deno.test("the steps of a plan are those that the deployment then takes, in their order", async () => {
  await using site = await Site.ready();
  const pkg = everything(site);
  const plan = await site.plan(pkg);
  assert.deepEqual(plan.refused, []);
  const said = plan.components.flatMap(({ name, steps }) => [
    `component/${name}`,
    ...steps.flatMap((step) => "step" in step ? [step.step] : []),
  ]);
  await site.deploy(pkg);
  const begun = site.lines.filter(({ state }) => state === "begin").map(({ step }) => step)
    .filter((step) => step !== RECORD_STEP);
  assert.deepEqual(begun, ["deployment", ...said]);
  assert.ok(said.length >= 12, said.join());
});

Deno.test("a plan tells what each step does", async () => {
  await using site = await Site.ready();
  const plan = await site.plan(everything(site));
  const [web] = plan.components;
  assert.deepEqual(web?.steps.map((step) => step.kind), [
    ...["action", "action", "files", "repository", "repository", "release", "release"],
    ...["action", "healthChecks", "action"],
  ]);
  const [, late, files, repository, tool, m, after, checks] = web?.steps.toSpliced(3, 1) ?? [];
  assert.deepEqual(late?.kind === "action" && [late.title, late.text, late.sets], [
    ...["echo x", "echo x"],
    ["LATE"],
  ]);
  assert.deepEqual(files?.kind === "files" && files.files[0], {
    ...{ target: "f.txt", symlinks: ["g.txt"], executable: false },
  });
  assert.equal(
    repository?.kind === "repository" && repository.name,
    "name-of-https://host/two.git",
  );
  assert.deepEqual(
    tool?.kind === "release" && [tool.from, tool.release, tool.namespace, tool.waits],
    ["chart", "tool", "tools", false],
  );
  assert.deepEqual(
    m?.kind === "release" && [m.from, m.namespace, m.waits, m.namespaces, m.secrets],
    ["manifest", "shop", true, ["shop"], ["shop/private-registry"]],
  );
  assert.deepEqual(after?.kind === "action" && [after.stage, after.title], ["after", "look"]);
  assert.deepEqual(checks?.kind === "healthChecks" && checks.objects, ["v1 ConfigMap web in shop"]);
  assert.deepEqual(web?.onFailure.map(({ text }) => text), ["echo sorry"]);
  const [again] = plan.components[1]?.steps ?? [];
  assert.deepEqual(
    again?.kind === "release" && [again.namespaces, again.secrets],
    [[], []],
    "what is made before is made once",
  );
});

Deno.test("the same twice, nothing to do after the deployment, and each difference is another plan", async () => {
  await using site = await Site.ready();
  const pkg = site.pack([{ name: "web" }], { variables: [{ name: "V", default: "1" }] });
  const first = await site.plan(pkg);
  assert.deepEqual(await site.plan(pkg), first);
  assert.match(first.hash, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(outcomes(first), ["m install: web created"]);
  assert.equal(first.deployed, undefined);
  await site.deploy(pkg);
  const done = await site.plan(pkg);
  assert.deepEqual(done.deployed, { version: "1", generation: 1 });
  assert.deepEqual(outcomes(done), ["m unchanged: web unchanged"]);
  assert.equal(releases(done)[0]?.revision, 1);
  assert.deepEqual(await site.plan(pkg), done);
  const other = await site.plan(pkg, { variables: { v: "2" } });
  assert.deepEqual(other.variables, { V: "2" });
  assert.deepEqual(releases(other)[0]?.objects[0]?.changes, [
    { path: "data.value", change: "changed", before: "1", after: "2" },
  ]);
  const map = site.api.find("configmaps", "web");
  assert.ok(map);
  site.api.remove(map);
  const gone = await site.plan(pkg);
  assert.deepEqual(outcomes(gone), ["m upgrade: web created"]);
  assert.equal(new Set([first, done, other, gone].map(({ hash }) => hash)).size, 4);
});

Deno.test("components are named with why they are deployed or left out", async () => {
  await using site = await Site.ready();
  const pkg = site.pack([
    { name: "always" },
    { name: "default", required: false, default: true },
    { name: "optional", required: false },
    { name: "wanted", required: false },
    { name: "unwanted", required: false, default: true },
    { name: "elsewhere", only: { localOS: "windows" } },
  ]);
  const plan = await site.plan(pkg, { components: "wanted,-unwanted" });
  assert.deepEqual(plan.components.map(({ name, deployed, why }) => `${name} ${deployed} ${why}`), [
    "always true required",
    "default true default",
    "optional false not chosen",
    "wanted true chosen",
    "unwanted false deselected",
    "elsewhere false only for windows",
  ]);
  assert.deepEqual(plan.components[2]?.steps, []);
});

interface Refused {
  readonly name: string;
  readonly component: Json;
  readonly more?: Json;
  readonly context?: Partial<PreviewContext>;
  readonly expected: readonly RegExp[];
  /** Whether it can be said what would be done. */
  readonly planned: boolean;
}

const REFUSED: readonly Refused[] = [
  {
    name: "commands and files that policy does not allow",
    component: {
      actions: { onDeploy: { before: [{ cmd: "true" }] } },
      files: [{ source: "f", target: "/etc/f" }],
    },
    context: { actions: { policy: "trusted", trusted: false } },
    expected: [
      /^ActionsRefused component "web": action .*no trusted key/,
      /^FilesRefused .*\/etc\/f/,
    ],
    planned: true,
  },
  {
    name: "a choice that cannot be met",
    component: {},
    context: { components: "nothing" },
    expected: [/^SelectionInvalid .*no component "nothing"/],
    planned: false,
  },
  {
    name: "a variable without a value",
    component: {},
    more: { variables: [{ name: "NEEDED", prompt: true }] },
    expected: [/^VariableMissing variable NEEDED has no value/],
    planned: false,
  },
  {
    name: "repositories where there is no git",
    component: { repos: ["https://host/one.git"] },
    context: { repositories: undefined } as unknown as Partial<PreviewContext>,
    expected: [/^Unsupported .*there is no git here/],
    planned: false,
  },
];

for (const { name, component, more = {}, context = {}, expected, planned } of REFUSED) {
  Deno.test(`a plan says what would be refused: ${name}`, async () => {
    await using site = await Site.ready();
    const pkg = site.pack([{ name: "web", ...component }], more, {
      "components/web/files/0/f": "f",
    });
    Deno.mkdirSync(`${site.dir}/tmp`, { recursive: true });
    const plan = await site.plan(pkg, context);
    const found = plan.refused.map(({ reason, message }) => `${reason} ${message}`);
    assert.equal(found.length, expected.length, found.join("\n"));
    for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? "", pattern);
    assert.deepEqual(outcomes(plan), planned ? ["m install: web created"] : []);
    await assert.rejects(site.deploy(pkg, context), DeployError, "as by a deployment");
  });
}

Deno.test("what the API server would refuse is told by component and object", async () => {
  await using site = await Site.ready();
  site.api.put(namespace("shop"));
  site.helm.refuses = ({ metadata }) => metadata.name === "web" ? "too much geheim" : undefined;
  const variables = [{ name: "V", default: "geheim", sensitive: true }];
  const pkg = site.pack([{ name: "web" }, { name: "second" }], { variables });
  const plan = await site.plan(pkg);
  assert.deepEqual(plan.refused, [
    { reason: "ChartFailed", message: 'component "web": ConfigMap web in shop: too much ***' },
  ]);
  assert.deepEqual(outcomes(plan), ["m install: web refused", "m install: second created"]);
});

Deno.test("a secret is shown nowhere, and what has it only by that it changes", async () => {
  await using site = await Site.ready();
  const variables = [{ name: "V", default: "geheim-eins", sensitive: true }];
  const component = {
    name: "web",
    actions: { onDeploy: { before: [{ cmd: "echo geheim-eins" }], after: [{ cmd: "true" }] } },
  };
  const pkg = site.pack([component], { variables });
  await site.deploy(pkg);
  const plan = await site.plan(pkg, { variables: { V: "geheim-zwei" } });
  assert.ok(!JSON.stringify(plan).includes("geheim-zwei"));
  assert.deepEqual(plan.variables, { V: "***" });
  assert.deepEqual(releases(plan)[0]?.objects[0]?.changes, [
    { path: "data.value", change: "changed", secret: true },
  ]);
  const same = await site.plan(pkg);
  assert.ok(!JSON.stringify(same).includes("geheim-eins"));
  assert.equal(same.components[0]?.steps[0]?.kind, "action");
});

Deno.test("what depends on an action is not guessed", async () => {
  await using site = await Site.ready();
  const sets = { before: [{ cmd: "echo 5", setVariables: [{ name: "V" }] }] };
  const pkg = site.pack(
    [{ name: "web", actions: { onDeploy: sets } }, { name: "plain" }],
    { variables: [{ name: "V", default: "1" }] },
    {
      "components/plain/manifests/m-0.yaml":
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\n",
    },
  );
  const plan = await site.plan(pkg);
  assert.deepEqual(outcomes(plan), ["m unknown: ", "m install: p created"]);
  assert.equal(releases(plan)[0]?.reason, "it is known when actions have set V");
  assert.deepEqual(plan.refused, []);
});

Deno.test("a manifest that cannot be read is refused, unless an action may mend it", async () => {
  await using site = await Site.ready();
  const files = { "components/web/manifests/m-0.yaml": "a: [" };
  const broken = await site.plan(site.pack([{ name: "web" }], {}, files));
  assert.deepEqual(outcomes(broken), ["m unknown: "]);
  assert.match(broken.refused[0]?.message ?? "", /^component "web": "m" is not readable/);
  const sets = { before: [{ cmd: "x", setVariables: [{ name: "V" }] }] };
  const pkg = site.pack([{ name: "web", actions: { onDeploy: sets } }], {}, files);
  const plan = await site.plan(pkg);
  assert.match(releases(plan)[0]?.reason ?? "", /when actions have set V; now: "m" is not/);
  assert.deepEqual(plan.refused, []);
});

Deno.test("an object of a kind that the package brings is told from one that nobody brings", async () => {
  await using site = await Site.ready();
  site.helm.missingKinds.add("Widget");
  const widget = "apiVersion: lab.example/v1\nkind: Widget\nmetadata: {name: w}\n";
  const crd = JSON.stringify({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.lab.example" },
    spec: { group: "lab.example", names: { kind: "Widget" } },
  });
  const plan = await site.plan(
    site.pack([{ name: "one" }, { name: "two" }, { name: "three" }], {}, {
      "components/one/manifests/m-0.yaml": widget,
      "components/two/manifests/m-0.yaml": crd,
      "components/three/manifests/m-0.yaml": widget,
    }),
  );
  const [one, , three] = releases(plan).map(({ objects }) => objects[0]);
  assert.equal(one?.outcome, "refused");
  assert.deepEqual([three?.outcome, three?.reason], ["unknown", "its kind is not there yet"]);
  assert.equal(plan.refused.length, 1);
});

Deno.test("on a cluster without a Zarf state the agent brings that first", async () => {
  await using site = new Site();
  const files = {
    "components/web/manifests/m-0.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w}\n" +
      "data: {registry: '###ZARF_REGISTRY###', password: '###ZARF_REGISTRY_AUTH_PUSH###'}\n",
  };
  const pkg = site.pack([{ name: "web" }], {}, files);
  const plan = await site.plan(pkg);
  assert.equal(plan.bootstrap, true);
  assert.deepEqual(await site.plan(pkg), plan, "what is made up is the same each time");
  const elsewhere = await site.plan(pkg, { registryAddress: "127.0.0.1:5555" });
  assert.notEqual(elsewhere.hash, plan.hash);
});

const layer = new TextEncoder().encode("a layer");
const config = new TextEncoder().encode("{}");
const manifest = new TextEncoder().encode(JSON.stringify({
  schemaVersion: 2,
  config: { digest: digestOf(config), size: config.length },
  layers: [{ digest: digestOf(layer), size: layer.length }],
}));
const IMAGE = {
  repository: "library/nginx",
  tag: "1",
  zarfTag: "1-zarf-1",
  descriptor: { digest: digestOf(manifest) },
};

Deno.test("images that the registry lacks are counted, and those of pods that nobody brings named", async () => {
  await using site = await Site.ready();
  await using peer = new RegistryPeer();
  const { pushUsername: username, pushPassword: password } = STATE.registryInfo;
  peer.users = () => [`${username}:${password}`];
  const pod = (name: string, image: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [{name: c, image: "${image}"}]}\n---\n`;
  const pkg = {
    ...site.pack([{ name: "web" }], {}, {
      "components/web/manifests/m-0.yaml": pod("ours", "library/nginx:1") +
        pod("theirs", "library/redis:7") + pod("nobodys", "library/nginx:2") + pod("odd", ":x"),
    }),
    images: [IMAGE],
  };
  const imageSource: PushSource = { ...NO_BLOBS, manifestBytes: () => Promise.resolve(manifest) };
  const registry = {
    url: `http://${peer.ip}:5000`,
    credentials: { username, password },
    source: imageSource,
  };
  const silent = await site.plan(pkg, { registry, imageSource });
  assert.deepEqual(silent.images, { total: 1 });
  assert.match(silent.warnings[0] ?? "", /^it is not known which images are in the registry: /);
  peer.up = true;
  peer.tags.set("library/redis:7-zarf-1", "sha256:x");
  peer.blobs.set("sha256:x", layer).set(digestOf(layer), layer);
  const plan = await site.plan(pkg, { registry, imageSource });
  assert.deepEqual(plan.images, {
    total: 1,
    missing: [{ image: "library/nginx:1", digest: digestOf(manifest), bytes: config.length }],
    bytes: config.length,
  });
  assert.deepEqual(plan.warnings, [
    'component "web": Pod nobodys: the image library/nginx:2 is not in the package and not in the registry',
    'component "web": Pod odd: ":x" is no name of an image',
  ]);
  assert.deepEqual(peer.writes, []);
  const without = await site.plan(pkg, { imageSource });
  assert.deepEqual(without.images, { total: 1 });
});

Deno.test("where there is no registry yet every image is sent", async () => {
  await using site = new Site();
  const pkg = { ...site.pack([{ name: "web" }]), images: [IMAGE, { ...IMAGE, tag: "2" }] };
  const imageSource: PushSource = { ...NO_BLOBS, manifestBytes: () => Promise.resolve(manifest) };
  const { images } = await site.plan(pkg, { imageSource });
  assert.deepEqual(images.missing?.map(({ image, bytes }) => `${image} ${bytes}`), [
    `library/nginx:1 ${layer.length + config.length}`,
    "library/nginx:2 0",
  ]);
});
