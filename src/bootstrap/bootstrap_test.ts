import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { AnyObject } from "../../test/fakes/api_objects.ts";
import { node, SeedCluster, seedIn } from "../../test/fakes/seed_cluster.ts";
import { SITE_USER, SiteRegistry } from "../../test/fakes/site_registry.ts";
import { loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { digestOf, silentLogger } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { SEED_ANNOTATION } from "./acknowledge.ts";
import {
  ACKNOWLEDGE_TIMEOUT,
  BOOTSTRAP_FAILPOINTS,
  type BootstrapOptions,
  ensureRegistry,
} from "./bootstrap.ts";
import {
  ensureZarfNamespace,
  loadState,
  newState,
  saveState,
  type ZarfState,
} from "../zarf/mod.ts";
import { BootstrapError } from "./errors.ts";
import type { Seed } from "./payload.ts";

interface Stage {
  readonly cluster: SeedCluster;
  readonly store: Store;
  readonly seed: Seed;
  bootstrap(options?: Partial<BootstrapOptions>): ReturnType<typeof ensureRegistry>;
}

function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using cluster = new SeedCluster();
    const seed = await seedIn(store);
    const bootstrap = (options = {}) =>
      ensureRegistry({
        kube: cluster.api.client,
        store,
        logger: silentLogger,
        registryAddress: "127.0.0.1:31999",
        ...options,
      });
    await action({ cluster, store, seed, bootstrap });
  });
}

/** What every bootstrap ends with; the payload is gone. */
const END = [
  "deployments/zarf-docker-registry",
  "secrets/private-registry",
  "secrets/sh.helm.release.v1.zarf-docker-registry.v1",
  "secrets/zarf-docker-registry-secret",
  "secrets/zarf-package-init",
  "secrets/zarf-state",
  "services/zarf-docker-registry",
];

function assertDone(cluster: SeedCluster, seed: Seed): void {
  assert.deepEqual(cluster.names(), END);
  const { registry } = cluster;
  const { repository, tag, zarfTag, descriptor } = seed.image;
  for (const each of [tag, zarfTag]) {
    assert.equal(registry.tags.get(`${repository}:${each}`), descriptor.digest);
  }
  for (const blob of seed.blobs) assert(registry.blobs.has(blob.digest));
}

Deno.test("from nothing to a registry that answers and holds its own image", () =>
  staged(async ({ cluster, seed, bootstrap }) => {
    const stages: string[] = [];
    const access = await bootstrap({
      onStage: (stage: string) => void (stages.at(-1) === stage || stages.push(stage)),
    });
    assert.equal(access.url, `http://${cluster.registry.ip}:5000`);
    assertDone(cluster, seed);
    assert.deepEqual(stages.filter((stage) => stage !== "Registry"), [
      "State",
      "Payload",
      "SeedPush",
      "CleanUp",
      "Done",
    ]);
    const deployment = cluster.api.find("deployments", "zarf-docker-registry");
    const { containers } = deployment?.spec.template.spec ?? {};
    const { digest } = seed.image.descriptor;
    assert.equal(containers[0].image, `127.0.0.1:31999/library/registry:3@${digest}`);
    const zarf = cluster.api.find("namespaces", "zarf");
    assert.equal(zarf?.metadata.labels?.["pod-security.kubernetes.io/enforce"], "privileged");
  }));

Deno.test("where images keep their names there is no pull secret", () =>
  staged(async ({ cluster, bootstrap }) => {
    await bootstrap({ pullSecrets: false });
    assert.deepEqual(cluster.names(), END.filter((name) => name !== "secrets/private-registry"));
  }));

Deno.test("where nothing is missing nothing is written, to the cluster or to the registry", () =>
  staged(async ({ cluster, bootstrap }) => {
    const first = await bootstrap();
    cluster.api.writes.length = 0;
    cluster.registry.writes.length = 0;
    const second = await bootstrap();
    assert.deepEqual(cluster.api.writes, []);
    assert.deepEqual(cluster.registry.writes, []);
    assert.deepEqual(second.state, first.state, "credentials that exist never change");
  }));

Deno.test("a name of its image that the registry lost is put back", () =>
  staged(async ({ cluster, seed, bootstrap }) => {
    await bootstrap();
    const { repository, tag, zarfTag } = seed.image;
    for (const name of [tag, zarfTag]) {
      cluster.registry.tags.delete(`${repository}:${name}`);
      await bootstrap();
      assertDone(cluster, seed);
    }
  }));

Deno.test("namespaces that were there before are left alone by the webhook, later ones are not", () =>
  staged(async ({ cluster, bootstrap }) => {
    await bootstrap();
    const label = (name: string) =>
      cluster.api.find("namespaces", name)?.metadata.labels?.["zarf.dev/agent"];
    assert.deepEqual(["default", "kube-system", "zarf"].map(label), ["ignore", "ignore", "mutate"]);
    cluster.api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "later" } });
    await bootstrap();
    assert.equal(label("later"), undefined);
  }));

Deno.test("without a seed image it waits, having touched nothing but the state", () =>
  withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using cluster = new SeedCluster();
    const attempt = ensureRegistry({
      kube: cluster.api.client,
      store,
      logger: silentLogger,
      registryAddress: "127.0.0.1:31999",
    });
    await assert.rejects(attempt, (error) => {
      assert(error instanceof BootstrapError);
      assert.deepEqual([error.reason, error.disposition], ["NoSeedImage", "wait"]);
      assert.match(error.remedy ?? "", /--seed-dir/);
      return true;
    });
    assert.deepEqual(cluster.names(), ["secrets/zarf-state"]);
  }));

Deno.test("a registry that answers already is used by an agent that has no seed image", () =>
  staged(async ({ cluster, bootstrap }) => {
    const { url } = await bootstrap();
    await withDirectory(async (dir) => {
      using other = Store.open(dir);
      assert.equal((await bootstrap({ store: other })).url, url);
    });
    assert.deepEqual(cluster.names(), END);
  }));

/** A cluster in which the real `zarf init` has put its registry. */
async function zarfRegistry({ cluster }: Stage, more: Partial<ZarfState["registryInfo"]> = {}) {
  const { api, registry } = cluster;
  cluster.starts = false;
  const path = "../../test/fixtures/zarf-cluster/nodeport/zarf-workloads.json";
  const { items }: { items: AnyObject[] } = JSON.parse(
    await Deno.readTextFile(new URL(path, import.meta.url)),
  );
  api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "zarf" } });
  const address = { registryAddress: "127.0.0.1:31999", port: 31_999, ipFamily: "ipv4" } as const;
  const state = newState(address);
  await ensureZarfNamespace(api.client);
  await saveState(api.client, { ...state, registryInfo: { ...state.registryInfo, ...more } });
  for (const { name, kind } of [{ name: "zarf-docker-registry", kind: "Deployment" }]) {
    const found = items.find((one) => one.kind === kind && one.metadata.name === name);
    assert(found);
    api.put(found);
  }
  const metadata = { name: "zarf-docker-registry", namespace: "zarf" };
  // The registry itself speaks TLS then.
  const clusterIP = more.mtlsStrategy === undefined ? registry.ip : "127.77.0.1";
  api.put({ apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP } } as AnyObject);
  api.writes.length = 0;
}

Deno.test("a registry of Zarf's own is used as it is", () =>
  staged(async (stage) => {
    const { cluster, bootstrap } = stage;
    await zarfRegistry(stage);
    cluster.registry.up = true;
    const { url } = await bootstrap();
    assert.equal(url, `http://${cluster.registry.ip}:5000`);
    assert.deepEqual(cluster.api.writes, ["PATCH secrets/private-registry"]);
    assert.deepEqual(cluster.registry.writes, []);
  }));

Deno.test("a registry of Zarf's own that asks for certificates is reached by Zarf's proxy", () =>
  staged(async (stage) => {
    const { cluster, bootstrap } = stage;
    const address = `${cluster.registry.ip}:5000`;
    const proxied = { address, registryMode: "proxy", mtlsStrategy: "zarf-managed" };
    await zarfRegistry(stage, proxied);
    cluster.registry.up = true;
    const { url, service } = await bootstrap();
    assert.deepEqual([url, service?.clusterAddress], [`http://${address}`, "127.77.0.1:5000"]);
    assert.deepEqual(cluster.registry.writes, []);
  }));

Deno.test("a registry of Zarf's own that does not answer is waited for, and not replaced", () =>
  staged(async (stage) => {
    await zarfRegistry(stage);
    const clock = new TestClock(50);
    await assert.rejects(stage.bootstrap({ clock }), { reason: "RegistryNotReady" });
    assert.deepEqual(stage.cluster.api.writes, []);
  }));

/** A cluster whose state names a registry of the site. */
async function siteRegistry(stage: Stage, address: string): Promise<void> {
  const { username: pushUsername, password: pushPassword } = SITE_USER;
  await zarfRegistry(stage, { address, registryMode: "external", pushUsername, pushPassword });
  for (const one of stage.cluster.api.all("deployments")) stage.cluster.api.remove(one);
}

Deno.test("a registry that the site has itself is used, and no other one is started", () =>
  staged(async (stage) => {
    await using registry = new SiteRegistry();
    await siteRegistry(stage, registry.address);
    const stages: string[] = [];
    const access = await stage.bootstrap({ onStage: (stage: string) => void stages.push(stage) });
    assert.deepEqual([access.url, access.service], [`http://${registry.address}`, undefined]);
    assert.deepEqual(stages, ["State", "Registry", "Done"]);
    assert.deepEqual(stage.cluster.api.writes, ["PATCH secrets/private-registry"]);
    const secret = stage.cluster.api.find("secrets", "private-registry");
    const { auths } = JSON.parse(atob(secret?.data[".dockerconfigjson"] ?? ""));
    assert.deepEqual(Object.keys(auths), [registry.address]);
    assert.deepEqual([...registry.put], [], "its own image is nobody's business there");
    stage.cluster.api.writes.length = 0;
    await stage.bootstrap({ pullSecrets: false });
    assert.deepEqual(stage.cluster.api.writes, []);
  }));

Deno.test("one that does not let us in is named, and no other one is started", () =>
  staged(async (stage) => {
    await using registry = new SiteRegistry();
    await siteRegistry(stage, registry.address);
    const state = await loadState(stage.cluster.api.client) ?? assert.fail("no state");
    const { registryInfo } = state;
    const changed = { ...registryInfo, pushPassword: "old" };
    await saveState(stage.cluster.api.client, { ...state, registryInfo: changed });
    stage.cluster.api.writes.length = 0;
    await assert.rejects(stage.bootstrap(), (error) => {
      assert(error instanceof BootstrapError);
      assert.deepEqual([error.reason, error.disposition], ["RegistryOutside", "retry"]);
      const named = `the site's registry ${registry.address} cannot be used: `;
      assert(error.message.startsWith(named), error.message);
      assert.match(error.message, /does not let site-push in/);
      return true;
    });
    assert.deepEqual(stage.cluster.api.writes, []);
  }));

Deno.test("credentials that change while the registry is waited for are used", () =>
  staged(async ({ cluster, bootstrap }) => {
    const { state } = await bootstrap();
    const { registryInfo } = state;
    const changed = { ...state, registryInfo: { ...registryInfo, pullPassword: "other" } };
    cluster.registry.up = false;
    const clock = new TestClock(50);
    let looks = 0;
    const onStage = (stage: string) => {
      if (stage !== "Registry" || ++looks !== 5) return;
      void saveState(cluster.api.client, changed).then(() => cluster.registry.up = true);
    };
    const now = await bootstrap({ clock, onStage });
    assert.equal(now.state.registryInfo.pullPassword, "other");
  }));

Deno.test("a registry that does not come up is given up with what its pod says", () =>
  staged(async ({ cluster, bootstrap }) => {
    cluster.starts = false;
    cluster.api.put({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "zarf" },
    });
    cluster.api.put({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "r-1", namespace: "zarf", labels: { release: "zarf-docker-registry" } },
      status: {
        containerStatuses: [{ state: { waiting: { reason: "ErrImagePull", message: "refused" } } }],
      },
    } as AnyObject);
    const clock = new TestClock(50);
    const said: string[] = [];
    const onStage = (_: string, detail: string) => void said.push(detail);
    await assert.rejects(bootstrap({ clock, onStage }), (error) => {
      assert(error instanceof BootstrapError);
      assert.deepEqual([error.reason, error.disposition], ["RegistryNotReady", "retry"]);
      assert.match(error.message, /after 300 s: ErrImagePull: refused/);
      return true;
    });
    assert(said.includes("waiting for it: ErrImagePull: refused"));
    assert(cluster.api.find("configmaps", "zarf-payload-index"), "the payload stays for the next");
    cluster.starts = true;
    cluster.registry.up = true;
    await bootstrap();
    assert.deepEqual(cluster.names(), END);
  }));

Deno.test("the payload stays until every node that is Ready has taken the image", () =>
  staged(async ({ cluster, seed, bootstrap }) => {
    for (const one of [node("a"), node("b", false)]) cluster.api.put(one);
    const clock = new TestClock();
    let looks = 0;
    cluster.api.intercept = ({ path }) => {
      if (path !== "/api/v1/nodes" || ++looks !== 3) return undefined;
      assert(cluster.api.find("configmaps", "zarf-payload-000"));
      const a = node("a");
      a.metadata.annotations = { [SEED_ANNOTATION]: seed.image.descriptor.digest };
      cluster.api.put(a);
      return undefined;
    };
    await bootstrap({ clock });
    assert(looks >= 3);
    assert(clock.monotonic() < ACKNOWLEDGE_TIMEOUT);
    assert.deepEqual(cluster.names(), END);
  }));

Deno.test("nodes that never take it are named, and not waited for for ever", () =>
  staged(async ({ cluster, bootstrap }) => {
    for (const name of ["a", "b"]) cluster.api.put(node(name));
    const { logger, lines } = loggerOf("warn");
    const clock = new TestClock(20);
    await bootstrap({ clock, logger });
    assert.match(lines.join("\n"), /some nodes have not taken.*nodes="a,b"/);
    assert(clock.monotonic() > ACKNOWLEDGE_TIMEOUT);
    assert.deepEqual(cluster.names(), END);
  }));

Deno.test("a signal ends the wait for the registry", () =>
  staged(async ({ cluster, bootstrap }) => {
    cluster.starts = false;
    const abort = new AbortController();
    const onStage = (stage: string) => {
      if (stage === "Registry") abort.abort(new Error("the lease is lost"));
    };
    await assert.rejects(bootstrap({ signal: abort.signal, onStage }), /the lease is lost/);
  }));

for (const ipFamilies of [["IPv4"], ["IPv6"], ["IPv4", "IPv6"]]) {
  Deno.test(`in a cluster of ${ipFamilies.join(" and ")} the state says so`, () =>
    staged(async ({ cluster, bootstrap }) => {
      cluster.api.put({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "kubernetes", namespace: "default" },
        spec: { ipFamilies, clusterIP: "10.96.0.1" },
      } as AnyObject);
      const { state } = await bootstrap();
      const wanted = ipFamilies.length > 1 ? "dual" : ipFamilies[0]?.toLowerCase();
      assert.equal(state.ipFamily, wanted);
    }));
}

const CHILD = fileURLToPath(import.meta.resolve("./bootstrap_test_child.ts"));

async function leader(dir: string, failpoint?: string): Promise<Deno.CommandStatus> {
  return await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, `${dir}/data`, `${dir}/kubeconfig`],
    env: failpoint === undefined ? {} : { HOLDFAST_FAILPOINT: failpoint },
    stdout: "null",
    stderr: "inherit",
  }).spawn().status;
}

for (const name of BOOTSTRAP_FAILPOINTS) {
  Deno.test(`killed at ${name} and started again, the cluster ends in the same state`, () =>
    withDirectory(async (dir) => {
      await using cluster = new SeedCluster();
      Deno.writeTextFileSync(`${dir}/kubeconfig`, cluster.api.peer.kubeconfig);
      const store = Store.open(`${dir}/data`);
      const seed = await seedIn(store);
      store.close();
      assert.equal((await leader(dir, name)).signal, "SIGKILL", `${name} was not passed`);
      const credentials = cluster.api.find("secrets", "zarf-state")?.data.state;
      assert.equal((await leader(dir)).code, 0);
      assertDone(cluster, seed);
      const now = cluster.api.find("secrets", "zarf-state")?.data.state;
      assert.equal(now, credentials, "credentials that exist never change");
    }));
}

Deno.test("where the registry runs another image than this node has, its names are left alone", () =>
  staged(async ({ cluster, seed, bootstrap }) => {
    await bootstrap();
    const deployment = cluster.api.find("deployments", "zarf-docker-registry");
    assert(deployment);
    const other = `127.0.0.1:31999/library/registry:3@${digestOf("newer")}`;
    deployment.spec.template.spec.containers[0].image = other;
    cluster.api.put(deployment);
    const { repository, tag } = seed.image;
    cluster.registry.tags.delete(`${repository}:${tag}`);
    cluster.registry.writes.length = 0;
    await bootstrap();
    assert.deepEqual(cluster.registry.writes, []);
  }));
