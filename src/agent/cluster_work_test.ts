import assert from "node:assert/strict";
import type { AnyObject } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { newPackage } from "../../test/fakes/records.ts";
import { SeedCluster, seedIn } from "../../test/fakes/seed_cluster.ts";
import { settingsOf } from "../../test/fakes/settings.ts";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { parseImageReference, transformImage } from "../refs/mod.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { ensureZarfNamespace, newState, savePackage, siteAccessOf } from "../zarf/mod.ts";
import { ClusterConnection } from "./cluster.ts";
import { ClusterFacts, type Facts } from "./cluster_facts.ts";
import { ClusterWork } from "./cluster_work.ts";
import { Part } from "./listeners.ts";
import { NodeName } from "./node_name.ts";
import { SiteSettingsBook } from "./site_settings.ts";

const added = newPackage({ digest: digestOf("web") });

const never = new AbortController().signal;

class Stage {
  readonly part = new Part("deployment", "nothing to deploy");
  readonly log = loggerOf("info");
  readonly changes: string[] = [];
  /** Whether it has a node's rights only. */
  isNode = false;
  /** Names of which it was said that they have a new meaning. */
  readonly forgotten: string[] = [];
  readonly connection: ClusterConnection;
  readonly work: ClusterWork;

  constructor(
    readonly dir: string,
    readonly store: Store,
    readonly cluster: SeedCluster,
    mode: string,
    readonly name: NodeName,
  ) {
    Deno.writeTextFileSync(`${dir}/kubeconfig`, cluster.api.peer.kubeconfig);
    Deno.mkdirSync(`${dir}/tools`);
    Deno.writeTextFileSync(`${dir}/tools/helm`, "");
    const { logger } = this.log;
    const settings = settingsOf({
      "data-dir": store.dir,
      "image-mode": mode,
      "tools-dir": `${dir}/tools`,
    });
    this.connection = new ClusterConnection(`${dir}/kubeconfig`, { logger, part: this.part });
    this.work = new ClusterWork({
      isNode: () => this.isNode,
      tags: { forget: (name) => void this.forgotten.push(name) },
      settings,
      name: this.name,
      store,
      logger,
      cluster: this.connection,
      facts: new ClusterFacts(store, logger),
      siteSettings: new SiteSettingsBook({
        store,
        configured: {},
        templates: () => assert.fail("nothing is read as TOML"),
      }),
      git: { isAble: false, target: () => assert.fail("no package has repositories") },
      part: this.part,
      onChange: () => void this.changes.push(this.record()?.message ?? ""),
    });
  }

  record() {
    return this.store.records.getPackage(added.digest);
  }

  /** The API server calls the webhook for a pod that is made for trial. */
  admit(isAsked: (labels?: Record<string, string>) => boolean = () => true): void {
    this.cluster.api.intercept = ({ method, path, body }) => {
      if (method !== "POST" || !path.endsWith("/pods")) return undefined;
      const pod = JSON.parse(body);
      const [container] = pod.spec.containers;
      if (!isAsked(pod.metadata.labels)) return Response.json(pod);
      container.image = transformImage("127.0.0.1:31999", container.image);
      return Response.json(pod);
    };
  }

  holder(): string | undefined {
    return this.cluster.api.find("leases", "holdfast")?.spec.holderIdentity;
  }

  failurePolicy(): string | undefined {
    const found = this.cluster.api.find("mutatingwebhookconfigurations", "holdfast");
    return found?.webhooks[0]?.failurePolicy;
  }
}

function staged(
  action: (stage: Stage) => Promise<void>,
  { mode = "rewrite", facts = {}, name = new NodeName("node-1") }: {
    readonly mode?: string;
    readonly facts?: Facts;
    readonly name?: NodeName;
  } = {},
): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`);
    store.records.setValue("cluster-facts", facts);
    await using cluster = new SeedCluster();
    await seedIn(store, new Uint8Array(1_000));
    store.records.putPackage(added);
    const stage = new Stage(dir, store, cluster, mode, name);
    try {
      await action(stage);
    } finally {
      stage.connection.client().close();
    }
  });
}

Deno.test("work is done under the lease, with registry and webhook, and the lease is given back", () =>
  staged(async (stage) => {
    stage.admit();
    let worked = 0;
    await stage.work.lead((signal) => {
      worked++;
      assert.equal(signal.aborted, false);
      assert.equal(stage.holder(), "node-1");
      assert.equal(stage.failurePolicy(), "Ignore");
      assert.equal(stage.cluster.registry.up, true);
      return Promise.resolve();
    }, never);
    assert.equal(worked, 1);
    assert.equal(stage.holder(), "");
    assert.equal(stage.part.ok, true);
    assert.match(stage.part.message, /everything that was accepted is deployed/);
  }));

Deno.test("before there is a cluster, what keeps it from being made is said", () =>
  staged(async (stage) => {
    const { connection, work, cluster } = stage;
    const leading = () => work.lead(() => Promise.resolve(), never);
    connection.unmade = "no cluster is made yet: the control plane 10.0.0.3 does not answer";
    const { intercept } = cluster.api;
    const refuse = () => status(503, "ServiceUnavailable", "no");
    cluster.api.intercept = refuse;
    await assert.rejects(leading, { reason: "NoCluster", disposition: "wait" });
    assert.match(stage.part.message, /^no cluster is made yet: .*10\.0\.0\.3.*taken in and wait$/);
    cluster.api.intercept = intercept;
    assert(await connection.connected(never));
    cluster.api.intercept = refuse;
    await assert.rejects(leading, (error) => {
      assert.notEqual((error as { reason?: string }).reason, "NoCluster", "one has answered");
      return true;
    });
  }));

Deno.test("a node that may not deploy says so, and asks for nothing", () =>
  staged(async (stage) => {
    stage.isNode = true;
    stage.cluster.api.intercept = ({ path }) =>
      path.endsWith("/secrets/zarf-state") ? status(403, "Forbidden") : undefined;
    const leading = stage.work.lead(() => assert.fail("nothing is deployed"), never);
    await assert.rejects(leading, { reason: "MayNotDeploy", disposition: "wait" });
    assert.match(stage.part.message, /--worker-rights deploy/);
    assert.deepEqual(stage.cluster.api.writes, []);
    // The right was given.
    stage.admit();
    await stage.work.lead(() => Promise.resolve(), never);
    assert.equal(stage.part.ok, true);
  }));

Deno.test("a lease that was taken under another name is given back, and that is said", () =>
  staged(async (stage) => {
    stage.admit();
    const leading = stage.work.lead(async (signal) => {
      assert.equal(stage.holder(), "node-1");
      stage.name.learn("node-2");
      assert.equal(signal.aborted, true);
      await Promise.resolve();
      signal.throwIfAborted();
    }, never);
    await assert.rejects(leading, { reason: "NodeNameChanged", disposition: "retry" });
    assert.match(stage.part.message, /this node has another name now/);
    assert.equal(stage.holder(), "");
    await stage.work.lead(() => Promise.resolve(assert.equal(stage.holder(), "node-2")), never);
  }));

Deno.test("without a name of the node nothing is written, and that is said", () =>
  staged(async (stage) => {
    const leading = stage.work.lead(() => assert.fail("nothing is deployed"), never);
    await assert.rejects(leading, { reason: "NodeNameUnknown", disposition: "wait" });
    assert.match(stage.part.message, /name in the cluster is not known yet/);
    assert.deepEqual(stage.cluster.api.writes, []);
  }, { name: new NodeName(undefined) }));

Deno.test("a package that waits says what is being done for it, each stage once in the log", () =>
  staged(async (stage) => {
    stage.admit();
    await stage.work.lead(() => Promise.resolve(), never);
    assert.equal(stage.record()?.reason, "PreparingCluster");
    assert.equal(stage.record()?.state, "accepted");
    const stages = stage.log.lines.flatMap((line) => /bootstrap: (\w+)/.exec(line)?.[1] ?? []);
    assert.deepEqual(
      stages.filter((one) => one !== "Registry"),
      ["Lease", "State", "Payload", "SeedPush", "CleanUp", "Done", "Admission"],
    );
    assert(stage.changes.some((message) => message.startsWith("sending the registry's image: ")));
  }));

Deno.test("what is done already is not touched by what is said to those who wait", () =>
  staged(async (stage) => {
    stage.admit();
    stage.store.records.setPackageState(added.digest, "ready", {
      reason: "Deployed",
      message: "up",
    });
    await stage.work.lead(() => Promise.resolve(), never);
    assert.deepEqual([stage.record()?.reason, stage.record()?.message], ["Deployed", "up"]);
  }));

Deno.test("where images are not rewritten no webhook is put in, and one of another mode goes", () =>
  staged(async (stage) => {
    stage.cluster.api.put({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "holdfast" },
      webhooks: [{ name: "pod.holdfast.dev", failurePolicy: "Ignore" }],
    } as AnyObject);
    await stage.work.lead(() => Promise.resolve(), never);
    assert.equal(stage.failurePolicy(), undefined);
    assert.equal(stage.part.ok, true);
    assert.equal(stage.cluster.api.find("secrets", "private-registry"), undefined);
  }, { mode: "mirror" }));

Deno.test("while the API server does not call the webhook nothing is deployed, and it says why once", () =>
  staged(async (stage) => {
    stage.cluster.api.intercept = ({ method, path }) =>
      method === "POST" && path.endsWith("/pods") ? status(403, "Forbidden", "quota") : undefined;
    const leading = stage.work.lead(() => assert.fail("nothing is deployed"), never);
    await assert.rejects(leading, { reason: "WebhookNotAnswering", disposition: "wait" });
    assert.equal(stage.failurePolicy(), "Ignore");
    assert.equal(stage.holder(), "");
    assert.match(stage.part.message, /webhook is not answering.*quota/);
    const warnings = stage.log.lines.filter((line) => line.startsWith("warn"));
    assert.equal(warnings.length, 1);
  }));

Deno.test("where Zarf's agent rewrites, its answer is the proof, and no webhook is put in", () =>
  staged(async (stage) => {
    stage.admit((labels) => labels?.["zarf-agent"] !== "patched");
    stage.cluster.api.put({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "zarf" },
      webhooks: [{ name: "agent-pod.zarf.dev" }],
    });
    let worked = 0;
    await stage.work.lead(() => Promise.resolve(void worked++), never);
    assert.equal(worked, 1);
    assert.equal(stage.failurePolicy(), undefined);
  }));

Deno.test("webhooks that an agent took out stay out, and nothing is deployed", () =>
  staged(async (stage) => {
    stage.admit();
    stage.cluster.api.put({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: {
        name: "holdfast",
        annotations: {
          "holdfast.dev/withdrawn-by": "node-2",
          "holdfast.dev/withdrawn-because": "another program listens there",
        },
      },
      webhooks: [],
    });
    const leading = stage.work.lead(() => assert.fail("nothing is deployed"), never);
    await assert.rejects(leading, { reason: "WebhookNotAnswering" });
    assert.match(stage.part.message, /agent of node node-2 has taken it out: another program/);
    assert.equal(stage.failurePolicy(), undefined);
  }));

Deno.test("work that fails gives the lease back, too, and is told on the status page", () =>
  staged(async (stage) => {
    stage.admit();
    const failing = stage.work.lead(() => Promise.reject(new Error("it broke")), never);
    await assert.rejects(failing, /it broke/);
    assert.equal(stage.holder(), "");
    assert.deepEqual([stage.part.ok, stage.part.message], [false, "it broke"]);
    const record = stage.record();
    assert(record);
    await assert.rejects(stage.work.deploy(record, never), /only while leading/);
    await assert.rejects(stage.work.repair(record, never), /only while leading/);
  }));

Deno.test("without its tools nothing is begun, and the part says what is missing", () =>
  staged(async (stage) => {
    Deno.removeSync(`${stage.dir}/tools/helm`);
    const leading = stage.work.lead(() => assert.fail("nobody leads"), never);
    await assert.rejects(leading, /tools\/helm is not there/);
    assert.equal(stage.part.ok, false);
    assert.match(stage.part.message, /--tools-dir/);
    assert.deepEqual(stage.cluster.api.writes, []);
  }));

Deno.test("an init package is recorded as Zarf's, and what Holdfast is itself is not installed", () =>
  staged(async (stage) => {
    stage.admit();
    const agent = "ghcr.io/zarf-dev/zarf/agent:v0.84.0";
    const components = [
      { name: "k3s", files: [{ source: "k3s", target: "/usr/sbin/k3s" }] },
      {
        name: "zarf-injector",
        required: true,
        files: [{ source: "i", target: "###ZARF_TEMP###/zarf-injector" }],
      },
      {
        name: "zarf-agent",
        required: true,
        charts: [{ name: "zarf-agent", version: "1", namespace: "zarf", localPath: "chart" }],
        images: [agent],
      },
    ];
    const constants = [{ name: "AGENT_IMAGE", value: "zarf-dev/zarf/agent" }];
    const variables = [{ name: "AGENT_AFFINITY", default: "{}" }];
    const { store } = stage;
    const path = store.packagePath(digestOf("init"));
    Deno.mkdirSync(path, { recursive: true });
    const metadata = { name: "init", version: "v0.84.0" };
    const init = { kind: "ZarfInitConfig", metadata, components, constants, variables };
    Deno.writeTextFileSync(`${path}/zarf.yaml`, JSON.stringify(init));
    const descriptor = { mediaType: "m", digest: digestOf("agent"), size: 1 };
    const { host, path: repository, tag } = parseImageReference(agent);
    store.records.putPackage({
      ...{ ...added, ...metadata, kind: "ZarfInitConfig", digest: digestOf("init") },
      ...{
        manifests: [descriptor],
        images: [{ reference: agent, host, repository, tag, descriptor }],
      },
    });
    await stage.work.lead(async (signal) => {
      const record = store.records.getPackage(digestOf("init"));
      assert(record);
      await stage.work.deploy(record, signal);
    }, never);
    const record = store.records.getPackage(digestOf("init"));
    assert.deepEqual(record?.components.map(({ name, message }) => `${name}: ${message}`), [
      "zarf-injector: provided by Holdfast",
      "zarf-agent: provided by Holdfast; not used: AGENT_AFFINITY",
    ]);
    const secret = stage.cluster.api.find("secrets", "zarf-package-init");
    const { data, deployedComponents } = JSON.parse(atob(secret?.data.data));
    assert.deepEqual(
      deployedComponents.map(({ name, status }: Record<string, string>) => `${name} ${status}`),
      // The registry was recorded when it was brought up, before the package came.
      ["zarf-injector Succeeded", "zarf-agent Succeeded", "zarf-registry Succeeded"],
    );
    assert.equal(data.kind, "ZarfInitConfig");
    assert.equal(data.components.length, 3, "it is recorded as it was packed");
    assert.equal(stage.cluster.registry.tags.has("zarf-dev/zarf/agent:v0.84.0"), false);
    assert(record);
    assert.equal(await stage.work.damaged(record), false);
  }));

/** A cluster that has a state. */
const PREPARED: Facts = {
  access: siteAccessOf(
    newState({ registryAddress: "127.0.0.1:31999", port: 31_999, ipFamily: "ipv4" }),
  ),
};

Deno.test("what became of a package is read from the cluster's record of it", () =>
  staged(
    async (stage) => {
      const components = [{ name: "front", phase: "Ready", message: "ready" }];
      stage.store.records.setPackageState(added.digest, "ready", { components });
      const record = stage.record();
      assert(record);
      assert.equal((await stage.work.elsewhere(record, never))?.reason, "Removed");
      const kube = stage.connection.client();
      await ensureZarfNamespace(kube);
      await savePackage(kube, {
        name: "web",
        digest: digestOf("another"),
        data: { metadata: { version: "2.0.0" } },
        cliVersion: "v0.84.0",
        generation: 2,
        deployedComponents: [],
        packageConnectivity: "airgap",
      });
      assert.equal((await stage.work.elsewhere(record, never))?.reason, "DeployedElsewhere");
      const init = { ...record, name: "init", kind: "ZarfInitConfig" };
      assert.equal(await stage.work.elsewhere(init, never), undefined, "it has no record");
      stage.cluster.api.intercept = () => status(500, "InternalError", "etcd");
      assert.equal(await stage.work.elsewhere(record, never), undefined, "nobody knows");
    },
    { facts: PREPARED },
  ));

Deno.test("of a cluster without a state nothing is known to be gone", () =>
  staged(async (stage) => {
    const components = [{ name: "front", phase: "Ready", message: "ready" }];
    stage.store.records.setPackageState(added.digest, "ready", { components });
    const record = stage.record();
    assert(record);
    assert.equal(await stage.work.elsewhere(record, never), undefined);
  }));
