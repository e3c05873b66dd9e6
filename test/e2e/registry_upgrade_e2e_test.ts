import assert from "node:assert/strict";
import type { REPLACE_FAILPOINTS } from "../../src/bootstrap/mod.ts";
import { KubeClient, type KubeObject } from "../../src/kube/mod.ts";
import { Cluster, type Forward, obstacle } from "../cluster/mod.ts";
import { eventually, TestAgent } from "./support/agent.ts";
import { initPackage, type MadeInit, registryImageSpec } from "./support/init_packages.ts";
import { Pulls, Pushes, pushFromOutside } from "./support/pulls.ts";

/*
 * The in-cluster registry is replaced by the one of another init package while images are pulled on two
 * nodes that only the registry has.
 */

/** Bytes of the layer that is pulled again and again. */
const LAYER = 4_000_000;
/** Where the agent is killed; src/bootstrap/replace_registry_test.ts stops at every place. */
const KILLS: readonly typeof REPLACE_FAILPOINTS[number][] = [
  "bootstrap.next.created",
  "bootstrap.next.serves",
  "bootstrap.registry.replaced",
  "bootstrap.next.removed",
];
const IMAGE = "127.0.0.1:31999/library/registry";
const REPOSITORY = "laptop/app";

interface Described {
  readonly spec: { readonly selector: unknown };
}

class Scene {
  readonly holder: TestAgent;
  readonly other: TestAgent;

  constructor(
    readonly cluster: Cluster,
    readonly kube: KubeClient,
    readonly directory: string,
  ) {
    const [first, second] = cluster.nodes;
    assert.ok(first && second);
    this.holder = new TestAgent(first);
    this.other = new TestAgent(second);
  }

  async make(version: string, tag: string, program?: "broken"): Promise<MadeInit> {
    return await initPackage(`${this.directory}/${version}`, {
      version,
      registry: await registryImageSpec(tag, version, program),
    });
  }

  /** The registry's Service, as from a laptop. */
  async registry(): Promise<Forward> {
    const ip = await this.cluster.kubectl([
      ...["get", "service", "-n", "zarf", "zarf-docker-registry"],
      ...["-o", "jsonpath={.spec.clusterIP}"],
    ]);
    return this.other.forward(`${ip}:5000`);
  }

  /** Runs something while both nodes pull and somebody pushes: nothing of it may fail. */
  async pulling(
    what: string,
    action: () => Promise<void>,
    nodes = [this.holder.node, this.other.node],
  ): Promise<void> {
    const pulls = nodes.map((node) => new Pulls(node, REPOSITORY, "1"));
    await using registry = await this.registry();
    const pushes = new Pushes(registry.address, this.kube);
    const before = performance.now();
    try {
      await action();
    } finally {
      for (const each of [...pulls, pushes]) await each[Symbol.asyncDispose]();
    }
    say(`${what}: ${pushes.done} pushes`);
    assert.deepEqual(pushes.failures, []);
    assert.ok(pushes.done > 0);
    const seconds = (performance.now() - before) / 1000;
    for (const [at, { done, failures, slowest }] of pulls.entries()) {
      const rest = `the slowest ${slowest.toFixed(0)} ms, ${failures.length} failed`;
      say(`${what}: ${nodes[at]?.name} ${done} pulls in ${seconds.toFixed(1)} s, ${rest}`);
      assert.deepEqual(failures, []);
      // How many there are is up to the machine; a gap is seen all the same, as a failure.
      assert.ok(done > seconds / 4, `${done} pulls in ${seconds} s`);
    }
  }

  /** What must be so whenever nothing is being replaced. */
  async runs({ digest }: Pick<MadeInit, "digest">, tag: string): Promise<void> {
    const { kube, cluster } = this;
    const pods = async () => {
      const { items } = await kube.list<Pod>(
        { apiVersion: "v1", kind: "Pod", namespace: "zarf" },
        { labelSelector: "release=zarf-docker-registry" },
      );
      return items;
    };
    const [pod] = await eventually(
      "one pod of the registry",
      async () => {
        const found = await pods();
        return found.length === 1 ? found : undefined;
      },
      60_000,
      async () => JSON.stringify((await pods()).map((pod) => pod.metadata.name)),
    );
    assert.equal(pod?.spec.containers[0]?.image, `${IMAGE}:${tag}@${digest}`);
    assert.equal(pod?.spec.nodeName, this.holder.node.name, "it stays where its storage is");
    const service: Described = JSON.parse(
      await cluster.kubectl(["get", "service", "-n", "zarf", "zarf-docker-registry", "-o", "json"]),
    );
    const labels = { app: "docker-registry", release: "zarf-docker-registry" };
    assert.deepEqual(service.spec.selector, labels);
  }
}

interface Pod extends KubeObject {
  spec: { nodeName: string; containers: { image: string }[] };
}

Deno.test({
  name: "the registry is replaced by another init package's, and no pull fails",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-e2e-" });
    try {
      await using cluster = await Cluster.up({ name: "upgrade", nodes: 2 });
      const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
      const scene = new Scene(cluster, kube, directory);
      try {
        await replacing(t, scene);
      } finally {
        kube.close();
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function replacing(t: Deno.TestContext, scene: Scene): Promise<void> {
  const { holder, other } = scene;
  const [old, next] = [await scene.make("v0.84.0", "3.1.3"), await scene.make("v0.85.0", "3.1.4")];
  // The registry begins where the package lies.
  await scene.cluster.kubectl(["cordon", other.node.name]);
  await holder.start();
  await other.start({ flags: ["--seed-dir=/var/nothing"] });

  await t.step("the first one takes the place of the seed's", async () => {
    const verdict = await holder.settled(await holder.drop(old.file));
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail(30)}`);
    await scene.cluster.kubectl(["uncordon", other.node.name]);
    await scene.runs(old, "3.1.3");
    await using registry = await scene.registry();
    await pushFromOutside(registry.address, scene.kube, REPOSITORY, LAYER);
  });

  await t.step("a newer one takes its place while images are pulled", async () => {
    await scene.pulling("a newer one", async () => {
      const verdict = await holder.settled(await holder.drop(next.file));
      assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail(30)}`);
      const { message } = verdict.components.find(({ name }) => name === "zarf-registry") ?? {};
      assert.match(message ?? "", /^provided by Holdfast: the registry runs .*registry:3\.1\.4$/);
      await scene.runs(next, "3.1.4");
    });
  });

  await t.step("the other node takes the image for a day when it runs the registry", async () => {
    const ref = { apiVersion: "v1", kind: "Node", name: other.node.name };
    await eventually("seed on the other node", async () => {
      const found = await scene.kube.get(ref);
      return found?.metadata.annotations?.["holdfast.dev/seed"] === next.digest || undefined;
    });
  });

  await t.step("one that does not start changes nothing, and its verdict says so", async () => {
    const broken = await scene.make("v0.86.0", "3.1.5", "broken");
    await scene.pulling("a broken one", async () => {
      const verdict = await holder.settled(await holder.drop(broken.file));
      assert.equal(verdict.phase, "RolledBack", `${verdict.message}\n${await holder.logTail(30)}`);
      assert.match(
        verdict.message,
        /component "zarf-registry": the registry \S+:3\.1\.5@\S+ does not start: it ends with /,
      );
      assert.match(verdict.message, /the registry from before serves as it did/);
      await scene.runs(next, "3.1.4");
    });
  });

  for (const failpoint of KILLS) {
    await t.step(
      `after a kill at ${failpoint} the replacement ends as if there was none`,
      () => killedAt(scene, failpoint, { old, next }),
    );
  }
  assert.equal(await scene.cluster.outsidePackets(), 0);
}

/** Each goes to the registry that is not there: also back to an older one. */
async function killedAt(
  scene: Scene,
  failpoint: typeof KILLS[number],
  { old, next }: { old: MadeInit; next: MadeInit },
): Promise<void> {
  const { holder, other } = scene;
  const isOld = KILLS.indexOf(failpoint) % 2 === 0;
  const [wanted, tag] = isOld ? [old, "3.1.3"] : [next, "3.1.4"];
  // The killed agent's own node registry is down with it.
  await scene.pulling(failpoint, async () => {
    await holder.stop();
    const killed = await holder.start({ env: { HOLDFAST_FAILPOINT: failpoint } });
    const file = await holder.drop(wanted.file, `${failpoint}.tar.zst`);
    assert.equal((await killed.status).signal, 9, await holder.logTail());
    await holder.start();
    const verdict = await holder.settled(file);
    assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await holder.logTail(30)}`);
    await scene.runs(wanted, tag);
  }, [other.node]);
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
