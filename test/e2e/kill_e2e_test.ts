import assert from "node:assert/strict";
import { DROP_FAILPOINTS } from "../../src/drop/mod.ts";
import { STORE_FAILPOINTS } from "../../src/store/mod.ts";
import { BOOTSTRAP_FAILPOINTS } from "../../src/bootstrap/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import {
  assertHelloAnswers,
  DATA_DIR,
  DROP_DIR,
  HELLO,
  PACKAGES,
  ROOT,
  TestAgent,
} from "./support/agent.ts";
import { clusterState, servesImage } from "./support/cluster_state.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { type StoreState, storeState } from "./support/store_state.ts";

/** Compiled agents at once: each mostly waits for its file to settle. */
const AT_ONCE = 3;
const PACKAGE = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;

/** An agent without a cluster is taken to the end of what it can do, and what it then has is read. */
async function takeIn(failpoint: string | undefined, seeded: boolean): Promise<StoreState> {
  await using agent = new LocalAgent();
  const flags = seeded ? [`--seed-dir=${ROOT}/dist/seed`] : [];
  const path = await agent.drop(PACKAGE);
  if (failpoint !== undefined) {
    agent.start({ flags, env: { HOLDFAST_FAILPOINT: failpoint } });
    const ended = await agent.ended();
    assert.equal(ended.signal, "SIGKILL", `${failpoint} was not passed\n${agent.log()}`);
  }
  await agent.started({ flags });
  await agent.settled(path, {
    phases: ["Accepted"],
    where: ({ reason }) => reason === "NoKubeconfig",
  });
  if (seeded) {
    const image = `http://${agent.addresses.registry}/v2/library/registry/manifests/3.1.2`;
    await agent.eventually("seed image in the node registry", async () => {
      const { status } = await fetch(image, { method: "HEAD" });
      return status === 200 ? true : undefined;
    });
  }
  assert.equal((await agent.stop()).code, 0, agent.log());
  const beside = [...Deno.readDirSync(agent.dropDir)].map((entry) => entry.name).sort();
  assert.deepEqual(beside, [PACKAGE, `${PACKAGE}.status.json`].map(nameOf), failpoint);
  return storeState(agent.dataDir);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Each name once, and later passes of those that are passed for every blob, file or record. */
const INGEST_KILLS = [
  ...STORE_FAILPOINTS,
  ...DROP_FAILPOINTS,
  "store.blob.synced:3",
  "store.blob.renamed:4",
  "store.blob.directory.synced:2",
  "store.package.written:5",
  "store.package.synced:2",
  "store.record.committing:2",
  "store.record.committing:3",
  "store.record.committed:2",
  "store.record.committed:3",
  "status.verdict.written",
  "status.verdict.renamed",
  "status.verdict.written:3",
  "status.verdict.synced",
  "status.kept.written",
];
/** In the main thread, which takes the seed image from its directory before the package. */
const SEED_KILLS = [
  "store.blob.written",
  "store.blob.renamed:2",
  "store.blob.synced:3",
  "store.record.committing:2",
  "store.record.committed:3",
];

Deno.test("killed at any step of taking a package in, an agent ends as if nothing had been", async (t) => {
  const kills = [
    ...INGEST_KILLS.map((failpoint) => ({ failpoint, seeded: false })),
    ...SEED_KILLS.map((failpoint) => ({ failpoint, seeded: true })),
  ];
  const undisturbed = new Map([
    [false, await takeIn(undefined, false)],
    [true, await takeIn(undefined, true)],
  ]);
  assert.ok(Object.keys(undisturbed.get(false)?.files ?? {}).length > 20);
  const rounds = await pooled(kills, ({ failpoint, seeded }) => takeIn(failpoint, seeded));
  for (const [at, { failpoint, seeded }] of kills.entries()) {
    await t.step(`${failpoint}${seeded ? " with a seed image" : ""}`, () => {
      const round = rounds[at];
      if (round?.status === "rejected") throw round.reason;
      assert.deepEqual(round?.value, undisturbed.get(seeded));
    });
  }
});

/** Runs a few at a time, all to their end. */
async function pooled<T, R>(
  inputs: readonly T[],
  run: (input: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const results: PromiseSettledResult<R>[] = [];
  const queue = [...inputs.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [at, input] = next;
      [results[at]] = await Promise.allSettled([run(input)]) as [PromiseSettledResult<R>];
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/**
 * One bootstrap for each line. The agent is killed at each of its names, in order, and started again
 * after each: a new cluster costs more than a kill.
 */
const BOOTSTRAP_KILLS: readonly (readonly string[])[] = [
  ["bootstrap.state", "bootstrap.published"],
  ["bootstrap.index", "bootstrap.registry-ready"],
  ["bootstrap.service", "bootstrap.seed-pushed"],
  ["bootstrap.secret", "bootstrap.chunk-removed"],
  ["bootstrap.deployment", "bootstrap.payload-removed"],
  ["bootstrap.chunk", "bootstrap.chunk-removed:20", "deploy.images.pushed"],
  ["bootstrap.chunk:20", "bootstrap.state", "bootstrap.seed-pushed", "bootstrap.payload-removed"],
];

/** What is different in any two clusters: steps that were done again, credentials. */
const PER_CLUSTER = new Set(["journal", "key_values"]);

/** The seed's image and the package are taken in at the same time; either may be the first. */
function unordered({ sequence: _, ...row }: Readonly<Record<string, unknown>>) {
  return row;
}

function byText(one: unknown, other: unknown): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;
}

/** Brings a new cluster and the example package up, killed on the way. */
async function bringUp(kills: readonly string[]): Promise<unknown> {
  await using cluster = await Cluster.up({ name: "kill" });
  const [node] = cluster.nodes;
  assert.ok(node);
  const agent = new TestAgent(node);
  await Deno.mkdir(agent.hostPath(DROP_DIR), { recursive: true });
  const file = await agent.drop(HELLO);
  for (const failpoint of kills) {
    const { status } = await agent.start({ env: { HOLDFAST_FAILPOINT: failpoint } });
    assert.equal((await status).signal, 9, `${failpoint} was not passed\n${await agent.logTail()}`);
  }
  await agent.start();
  const verdict = await agent.settled(file, { timeout: 180_000 });
  assert.equal(verdict.phase, "Ready", `${verdict.message}\n${await agent.logTail(30)}`);
  await assertHelloAnswers(node);
  await servesImage(node, "library/hello", "0.1.0");
  await servesImage(node, "library/registry", "3.1.2");
  const inCluster = await clusterState(cluster);
  await agent.stop();
  const { files, tables } = storeState(agent.hostPath(DATA_DIR));
  return {
    inCluster,
    files: Object.entries(files).filter(([path]) => !path.startsWith("helm/.kube/cache/")),
    tables: Object.entries(tables).filter(([name]) => !PER_CLUSTER.has(name))
      .map(([name, rows]) => [name, name === "owners" ? rows.map(unordered).sort(byText) : rows]),
  };
}

Deno.test({
  name: "killed at any step of a bootstrap, an agent ends as if nothing had been",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const named = new Set(BOOTSTRAP_KILLS.flat().map((name) => name.replace(/:.*/, "")));
    assert.deepEqual(BOOTSTRAP_FAILPOINTS.filter((name) => !named.has(name)), []);
    const undisturbed = await bringUp([]);
    for (const kills of BOOTSTRAP_KILLS) {
      await t.step(kills.join(", "), async () => {
        assert.deepEqual(await bringUp(kills), undisturbed);
      });
    }
  },
});
