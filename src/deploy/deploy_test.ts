import assert from "node:assert/strict";
import { writePackage } from "../../test/e2e/support/deploy_fixture.ts";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { failure, HelmInMemory } from "../../test/fakes/helm_in_memory.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import { digestOf } from "../std/mod.ts";
import {
  loadPackage,
  newState,
  type PushSource,
  registryServiceAt,
  saveState,
} from "../zarf/mod.ts";
import type { DeployContext, DeployProgress } from "./context.ts";
import { deployPackage } from "./deploy.ts";
import { DeployError } from "./errors.ts";
import { rawChartName, writeRawChart } from "./raw_chart.ts";

/** A cluster with a Zarf state, a Helm and a data directory. */
class Site implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly helm = new HelmInMemory(this.api);
  readonly clock = new TestClock();
  readonly dataDir = Deno.makeTempDirSync({ prefix: "holdfast deploy " });
  readonly journal: string[] = [];
  readonly progress: DeployProgress[] = [];

  static async ready(): Promise<Site> {
    const site = new Site();
    site.api.put(namespace("zarf"));
    const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
    await saveState(site.api.client, newState({ ...address, ipFamily: "ipv4" }));
    site.api.writes.length = 0;
    return site;
  }

  context(more: Partial<DeployContext> = {}): DeployContext {
    return {
      kube: this.api.client,
      dataDir: this.dataDir,
      kubeconfig: "/kubeconfig",
      tools: { helm: "/helm", postRenderer: { command: "/holdfast", args: ["post-render"] } },
      timeout: 30_000,
      clock: this.clock,
      exec: this.helm.exec,
      onProgress: (progress) => this.progress.push(progress),
      journal: { append: ({ step, state }) => void this.journal.push(`${state} ${step}`) },
      ...more,
    };
  }

  /** Deploys a package of components; each has the manifests it names, by name. */
  deploy(components: Components, more: Partial<DeployContext> = {}, parts = {}) {
    return deployPackage({ ...this.write(components), ...parts }, this.context(more));
  }

  write(components: Components) {
    const files: Record<string, string> = {};
    for (const [component, manifests] of Object.entries(components)) {
      for (const [name, text] of Object.entries(manifests)) {
        files[`components/${component}/manifests/${name}-0.yaml`] = text;
      }
    }
    return writePackage(this.dataDir, {
      definition: {
        metadata: { name: "shop", version: "1.0.0" },
        variables: [{ name: "GREETING", default: "hello" }],
        components: Object.entries(components).map(([name, manifests]) => ({
          name,
          required: true,
          manifests: Object.keys(manifests).map((name) => ({
            name,
            namespace: "shop",
            files: [`${name}.yaml`],
          })),
          healthChecks: name !== "checked" ? [] : [
            { apiVersion: "v1", kind: "ConfigMap", name: "late", namespace: "shop" },
          ],
        })),
      },
      files,
    });
  }

  /** Status of each component and of each of its releases, as the cluster remembers them. */
  async recorded(): Promise<string[]> {
    const record = await loadPackage(this.api.client, "shop");
    return (record?.deployedComponents ?? []).map(({ name, status, installedCharts }) =>
      `${name} ${status}: ${(installedCharts ?? []).map((chart) => chart.status).join()}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    Deno.removeSync(this.dataDir, { recursive: true });
  }
}

type Components = Readonly<Record<string, Readonly<Record<string, string>>>>;

function text(name: string, value = "###ZARF_VAR_GREETING###"): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: ${value}}\n`;
}

const FAILED_JOB = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\nstatus:\n" +
  "  conditions: [{type: Failed, status: 'True', message: the schema is locked}]\n";
const PENDING = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: disk}\n" +
  "status: {phase: Pending}\n";
const SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n" +
  "  labels: {zarf.dev/connect-name: shop}\n  annotations: {zarf.dev/connect-url: /start}\n";

const release = (component: string, manifest: string) =>
  rawChartName("shop", component, manifest).release;

Deno.test("a component's repositories are published before its charts, or refused where none can be", async () => {
  await using site = await Site.ready();
  const pkg = writePackage(site.dataDir, {
    definition: {
      metadata: { name: "shop", version: "1.0.0" },
      components: [{
        ...{ name: "web", required: true, repos: ["https://git.example.com/a.git"] },
        manifests: [{ name: "m", namespace: "shop", files: ["m.yaml"] }],
      }],
    },
    files: { "components/web/manifests/m-0.yaml": text("one", "x") },
  });
  await assert.rejects(deployPackage(pkg, site.context()), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "Unsupported");
    assert.match(
      error.message,
      /component "web" brings git repositories, and there is no git here/,
    );
    return true;
  });
  assert.deepEqual([site.api.writes, site.journal], [[], []], "nothing was touched");
  const nameOf = () => "a-1";
  const failing = () =>
    Promise.reject(
      new DeployError({ reason: "RepositoryFailed", message: "no", disposition: "retry" }),
    );
  await assert.rejects(
    deployPackage(pkg, site.context({ repositories: { nameOf, publish: failing } })),
    /^DeployError: component "web": git repository a-1: no$/,
  );
  assert.equal(site.api.find("configmaps", "one"), undefined);
  assert.deepEqual(await site.recorded(), ["web Failed: "]);
  site.journal.length = 0;
  const published: string[] = [];
  await deployPackage(
    pkg,
    site.context({
      repositories: {
        nameOf,
        publish: ({ url, directory, packageName, digest }) => {
          assert.equal(site.api.find("configmaps", "one"), undefined, "before the charts");
          assert.match(directory, /\/components\/web\/repos$/);
          published.push(url, packageName, digest);
          return Promise.resolve();
        },
      },
    }),
  );
  assert.deepEqual(published, ["https://git.example.com/a.git", "shop", pkg.digest]);
  assert.deepEqual(site.journal.slice(0, 6), [
    ...["begin deployment", "begin record", "done record", "begin component/web"],
    ...["begin component/web/repository/a-1", "done component/web/repository/a-1"],
  ]);
});

Deno.test("namespaces get pull secrets, but not where images keep their names", async () => {
  for (const pullSecrets of [true, false]) {
    await using site = await Site.ready();
    await site.deploy({ base: { one: text("one") } }, { pullSecrets });
    assert.ok(site.api.find("namespaces", "shop"));
    const names = site.api.all("secrets").map(({ metadata }) => metadata)
      .filter(({ namespace }) => namespace === "shop").map(({ name }) => name);
    assert.equal(names.includes("private-registry"), pullSecrets);
  }
});

Deno.test("components are deployed in order, each step journalled before and after", async () => {
  await using site = await Site.ready();
  const outcome = await site.deploy({
    base: { one: text("one"), two: text("two") },
    web: { web: SERVICE },
  }, { variables: { greeting: "hi" } });
  assert.deepEqual(outcome, {
    generation: 2,
    components: ["base", "web"],
    connectStrings: { shop: { description: "", url: "/start" } },
  });
  const [one, two, web] = [["base", "one"], ["base", "two"], ["web", "web"]].map((
    [a = "", b = ""],
  ) => `component/${a}/release/shop/${release(a, b)}`);
  assert.deepEqual(site.journal, [
    "begin deployment",
    "begin record",
    "done record",
    "begin component/base",
    `begin ${one}`,
    `done ${one}`,
    `begin ${two}`,
    `done ${two}`,
    "done component/base",
    "begin component/web",
    `begin ${web}`,
    `done ${web}`,
    "done component/web",
    "done deployment",
  ]);
  assert.deepEqual(
    site.progress.map(({ component, phase, message }) => `${component} ${phase}: ${message}`),
    [
      "base Deploying: started",
      'base Deploying: "one" is applied',
      'base Deploying: "two" is applied',
      "base Succeeded: ready",
      "web Deploying: started",
      'web Deploying: "web" is applied',
      "web Succeeded: ready",
    ],
  );
  assert.deepEqual(await site.recorded(), [
    "base Succeeded: Succeeded,Succeeded",
    "web Succeeded: Succeeded",
  ]);
  assert.equal(site.api.find("configmaps", "one")?.["data"].value, "hi");
  assert.deepEqual([...Deno.readDirSync(`${site.dataDir}/tmp`)], [], "nothing is left behind");
});

Deno.test("the record says after each release how far the deployment is", async () => {
  await using site = await Site.ready();
  const seen: string[][] = [];
  site.helm.intercept = async ([verb]) => {
    if (verb === "upgrade") seen.push(await site.recorded());
    return undefined;
  };
  await site.deploy({ base: { one: text("one"), two: text("two") }, web: { web: text("web") } });
  assert.deepEqual(seen, [
    ["base Deploying: "],
    ["base Deploying: Succeeded"],
    ["base Succeeded: Succeeded,Succeeded", "web Deploying: "],
  ]);
});

Deno.test("raw charts have a version that grows with time", async () => {
  await using site = await Site.ready();
  site.clock.advance(1_795_362_712_999);
  let version = "";
  site.helm.intercept = ([verb, , chart]) => {
    if (verb === "upgrade") {
      version = JSON.parse(Deno.readTextFileSync(`${chart}/Chart.yaml`)).version;
    }
    return undefined;
  };
  await site.deploy({ web: { web: text("web") } });
  assert.equal(version, "0.1.1795362712");
});

Deno.test("the same package again changes nothing, and writes nothing", async () => {
  await using site = await Site.ready();
  const components = { web: { web: text("web") } };
  await site.deploy(components);
  const before = site.api.find("configmaps", "web");
  site.api.writes.length = 0;
  const { generation } = await site.deploy(components);
  assert.equal(generation, 1);
  assert.deepEqual(site.api.writes, []);
  assert.deepEqual(site.api.find("configmaps", "web"), before);
  assert.deepEqual(await site.recorded(), ["web Succeeded: Succeeded"]);
});

Deno.test("what somebody has changed is mended, and the record says so before", async () => {
  await using site = await Site.ready();
  const components = { web: { web: text("web") } };
  await site.deploy(components);
  const map = site.api.find("configmaps", "web") ?? assert.fail();
  site.api.put({ ...map, data: { value: "edited" } });
  const recorded: string[] = [];
  site.helm.intercept = async ([verb]) => {
    if (verb === "upgrade") recorded.push(...await site.recorded());
    return undefined;
  };
  const { generation } = await site.deploy(components);
  assert.equal(generation, 2);
  assert.deepEqual(recorded, ["web Deploying: Succeeded"]);
  assert.deepEqual(site.api.find("configmaps", "web")?.["data"], map["data"]);
  const [drifted = []] = site.helm.calls.filter(([verb]) => verb === "upgrade").slice(-1);
  assert.ok(drifted.includes("--force-conflicts"), "whoever took a field over loses it");
  await site.deploy({ web: { web: text("other") } });
  const [changed = []] = site.helm.calls.filter(([verb]) => verb === "upgrade").slice(-1);
  assert.ok(!changed.includes("--force-conflicts"), "as Zarf");
});

Deno.test("a component that fails is named, those before it stay and those after are not begun", async () => {
  await using site = await Site.ready();
  const components = {
    base: { one: text("one") },
    web: { good: text("good"), bad: FAILED_JOB, never: text("never") },
    last: { last: text("last") },
  };
  await assert.rejects(site.deploy(components), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "NotReady");
    assert.match(error.message, /^component "web": Job migrate .*the schema is locked$/);
    assert.match(error.kept ?? "", /there is no earlier one/);
    assert.equal(error.disposition, "retry");
    return true;
  });
  assert.deepEqual(await site.recorded(), [
    "base Succeeded: Succeeded",
    "web Failed: Succeeded,Failed",
  ]);
  const last = site.progress.at(-1);
  assert.equal(`${last?.component} ${last?.phase}`, "web Failed");
  assert.ok(!site.journal.includes("done component/web"));
  assert.equal(site.api.find("configmaps", "never"), undefined);
  assert.equal(site.api.find("configmaps", "last"), undefined);
  assert.deepEqual([...Deno.readDirSync(`${site.dataDir}/tmp`)], []);
});

Deno.test("a file of the package that is gone is the component's failure", async () => {
  await using site = await Site.ready();
  const pkg = site.write({ web: { web: text("web") } });
  const [hex] = [...Deno.readDirSync(`${site.dataDir}/packages`)].map(({ name }) => name);
  Deno.removeSync(`${site.dataDir}/packages/${hex}/components/web/manifests/web-0.yaml`);
  await assert.rejects(deployPackage(pkg, site.context()), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "PackageBroken");
    assert.match(error.message, /component "web": .*manifests\/web-0\.yaml cannot be read/);
    assert.equal(error.remedy, "drop the package file again");
    assert.match(error.kept ?? "", /not touched/);
    return true;
  });
  assert.deepEqual(await site.recorded(), ["web Failed: "]);
});

Deno.test("an API server that refuses is told by component and in its own words", async () => {
  await using site = await Site.ready();
  site.api.intercept = ({ path, method }) =>
    method === "PATCH" && path === "/api/v1/namespaces/shop"
      ? Response.json({ reason: "Forbidden", message: "quota of namespaces" }, { status: 403 })
      : undefined;
  await assert.rejects(site.deploy({ web: { web: text("web") } }), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "ClusterCallFailed");
    assert.equal(error.disposition, "wait");
    assert.match(error.message, /component "web": .*quota of namespaces/);
    return true;
  });
});

Deno.test("the first error is reported even if it cannot be recorded any more", async () => {
  await using site = await Site.ready();
  site.helm.intercept = ([verb]) => {
    if (verb !== "upgrade") return undefined;
    site.api.intercept = () => Response.json({ message: "gone" }, { status: 500 });
    return failure("INSTALL FAILED: context deadline exceeded");
  };
  await assert.rejects(site.deploy({ web: { web: text("web") } }), /context deadline exceeded/);
});

Deno.test("health checks of a component are waited for after its releases", async () => {
  await using site = await Site.ready();
  const components = { checked: { web: text("web") } };
  await assert.rejects(
    site.deploy(components),
    /component "checked": not ready within 30 s: ConfigMap late: not there yet/,
  );
  assert.deepEqual(await site.recorded(), ["checked Failed: Succeeded"]);
  assert.ok(
    site.progress.some(({ component, phase, message }) =>
      component === "checked" && phase === "Waiting" && message === "ConfigMap late: not there yet"
    ),
  );
  await site.deploy({ checked: { web: text("late") } });
  assert.deepEqual(await site.recorded(), ["checked Succeeded: Succeeded"]);
});

Deno.test("nothing is touched before there is a Zarf state, or for what cannot be deployed", async () => {
  await using site = new Site();
  await assert.rejects(site.deploy({ web: { web: text("web") } }), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "NotBootstrapped");
    assert.equal(error.disposition, "wait");
    return true;
  });
  const pkg = site.write({ web: { web: text("web") } });
  const metadata = { ...pkg.definition.metadata, yolo: true };
  const definition = { ...pkg.definition, metadata };
  await assert.rejects(
    deployPackage({ ...pkg, definition }, site.context()),
    (error) => error instanceof DeployError && error.reason === "Unsupported",
  );
  assert.deepEqual(site.api.writes, []);
  assert.deepEqual(site.helm.calls, []);
  assert.deepEqual(site.journal, []);
});

Deno.test("the caller's own work is done around each component, and its failure is the component's", async () => {
  await using site = await Site.ready();
  const done: string[] = [];
  const around = {
    before: (name: string, say: (message: string) => void) => {
      done.push(`before ${name}`);
      say("something of the caller's");
      return name === "two" && done.length < 9
        ? Promise.reject(new DeployError({ reason: "RolledBack", message: "it went back" }))
        : Promise.resolve();
    },
    after: (name: string) => Promise.resolve(void done.push(`after ${name}`)),
  };
  const components = { one: { web: text("web") }, two: { web: text("two") } };
  await assert.rejects(site.deploy(components, { around }), {
    reason: "RolledBack",
    message: 'component "two": it went back',
  });
  assert.deepEqual(done, ["before one", "after one", "before two"]);
  assert.ok(site.progress.some(({ message }) => message === "something of the caller's"));
  assert.deepEqual(await site.recorded(), ["one Succeeded: Succeeded", "two Failed: "]);
});

Deno.test("a deployment that is stopped says so and records no failure", async (t) => {
  await t.step("while it waits", async () => {
    await using site = await Site.ready();
    const controller = new AbortController();
    site.clock.sleep = () => Promise.resolve(controller.abort(new Error("shutting down")));
    await stopped(site, controller, { web: { web: PENDING } });
  });
  await t.step("while Helm works", async () => {
    await using site = await Site.ready();
    const controller = new AbortController();
    site.helm.intercept = ([verb]) => {
      if (verb !== "upgrade") return undefined;
      controller.abort(new Error("shutting down"));
      return { code: 143, timedOut: false, stdout: "", stderr: "" };
    };
    await stopped(site, controller, { web: { web: text("web") } });
  });
});

async function stopped(site: Site, controller: AbortController, components: Components) {
  await assert.rejects(site.deploy(components, { signal: controller.signal }), (error) => {
    assert.ok(error instanceof DeployError, String(error));
    assert.equal(error.reason, "Cancelled");
    assert.equal(error.disposition, "retry");
    assert.match(String(error.cause), /shutting down/);
    return true;
  });
  assert.match((await site.recorded()).join(), /^web Deploying/);
  assert.ok(!site.progress.some(({ phase }) => phase === "Failed"));
}

/** A registry that has everything already, and what it was asked. */
function registry() {
  const asked: string[] = [];
  const bytes = new TextEncoder().encode('{"layers":[]}');
  const digest = digestOf(bytes);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    return new Response(null, { headers: { "docker-content-digest": digest } });
  });
  const source: PushSource = {
    manifestBytes: () => Promise.resolve(bytes),
    openBlob: () => Promise.reject(new Error("there is no blob")),
  };
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    asked,
    digest,
    target: { url, credentials: { username: "a", password: "b" }, source },
    server,
  };
}

Deno.test("images go in first, under both of their names, as a step of their own", async () => {
  await using site = await Site.ready();
  const { asked, digest, target, server } = registry();
  const image = { repository: "library/web", tag: "1.0", zarfTag: "1.0-zarf-7" };
  let askedBefore = 0;
  site.helm.intercept = () => void (askedBefore = asked.length);
  const components = { web: { web: text("web") } };
  const images = [{ ...image, descriptor: { digest } }];
  await site.deploy(components, { registry: target }, { images });
  assert.deepEqual(asked, [
    "HEAD /v2/library/web/manifests/1.0-zarf-7",
    "HEAD /v2/library/web/manifests/1.0",
  ]);
  assert.equal(askedBefore, 2);
  assert.deepEqual(site.journal.slice(0, 2), ["begin images", "done images"]);
  assert.deepEqual(site.progress[0], {
    component: undefined,
    phase: "Images",
    message: "images go into the registry",
  });
  await site.deploy(components, {}, { images });
  await site.deploy(components, { registry: target }, { images: [] });
  assert.equal(asked.length, 2, "without a registry or images nothing is asked");
  await server.shutdown();
});

Deno.test("a component that a newer package no longer has is forgotten if nothing of it is there", async () => {
  await using site = await Site.ready();
  await site.deploy({ empty: {}, old: { old: text("old") }, web: { web: text("web") } });
  await site.deploy({ web: { web: text("web") } });
  assert.deepEqual(await site.recorded(), ["web Succeeded: Succeeded", "old Succeeded: Succeeded"]);
});

Deno.test("a real chart is rendered for the cluster, and pulls from its registry", async () => {
  await using site = await Site.ready();
  const pkg = writePackage(site.dataDir, {
    definition: {
      metadata: { name: "shop" },
      components: [{
        name: "web",
        required: true,
        charts: [{ name: "front", version: "1.2.3", namespace: "shop" }],
      }],
    },
    files: { "components/web/values/front-1.2.3-0": "" },
  });
  const chart = `${site.dataDir}/packages/${pkg.digest.slice(7)}/components/web/charts`;
  writeRawChart(`${chart}/front-1.2.3.tgz`, "front", "1.2.3", [text("web", "1")]);
  const cluster = { kubeVersion: "v1.36.3", registryService: registryServiceAt("10.96.0.12") };
  await deployPackage(pkg, site.context(cluster));
  assert.deepEqual(site.helm.verbs, ["template front", "upgrade front", "get front"]);
  assert.ok(site.helm.calls[0]?.includes("--dry-run=server"));
  const secret = site.api.find("secrets", "private-registry");
  assert.match(atob(secret?.["data"][".dockerconfigjson"]), /10\.96\.0\.12:5000/);
  assert.deepEqual(await site.recorded(), ["web Succeeded: Succeeded"]);
});
