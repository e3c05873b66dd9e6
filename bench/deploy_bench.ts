import { cacheDir, ensureTool, TOOLS } from "../extension/build/go_tools.ts";
import { describeError, HoldfastError } from "../src/std/mod.ts";
import { Cluster, obstacle } from "../test/cluster/mod.ts";
import { type RunningAgent, startNodeAgent } from "../test/demo/agent.ts";
import { memoryOf } from "../test/demo/memory.ts";
import { buildProgram } from "../test/demo/program.ts";
import { followVerdict } from "../test/demo/verdict.ts";
import { type DeployPackage, makeDeployPackage } from "./deploy_package.ts";
import { peakOf, runProgram } from "./programs.ts";
import { pullSeconds } from "./pull_time.ts";
import { summarize } from "./stats.ts";
import type { Benchmark, Case, Figure, Preparation, Prepared, Side } from "./types.ts";

const CLUSTER = "bench";
const BIG_BYTES = 1_000_000_000;
/** A round of the big package takes a minute and leaves gigabytes in the node. */
const BIG_RUNS = 3;
const MIB = 2 ** 20;
/** design.md §7. */
const TARGETS = [{ peer: "zarf", ratio: 0.4 }];

/** Why deployments cannot be compared here. */
export class DeployBenchError extends HoldfastError<"NoCluster"> {}

/** Drop to Ready against `zarf package deploy`. */
export const benchmark: Benchmark = {
  name: "deploy",
  what:
    "A package that the cluster has never seen is deployed until its pod is Ready, on one node" +
    " whose registry and webhook Holdfast brought up, for both sides. Ours: from the moment the" +
    " whole file lies in the drop directory to the verdict Ready, with the quarter of a second in" +
    " which the agent waits whether the file still grows. Zarf's: the whole command zarf package" +
    " deploy.",
  peers: ["zarf"],
  unit: "s",
  higherIsBetter: false,
  prepare,
};

/** What the sides work with. */
interface Bench {
  readonly cluster: Cluster;
  readonly agent: RunningAgent;
  readonly zarf: string;
  readonly preparation: Preparation;
  /** How many packages were made: each has its own name and content. */
  made: number;
  /** The most memory that the command `zarf package deploy` had, in bytes. */
  zarfPeak: number;
  /** Seconds of containerd's own pulls, by case and side; the round that warms up included. */
  readonly pulls: Map<string, number[]>;
}

/** A package, but for what tells each from the others. */
type Kind = Omit<DeployPackage, "name" | "seed">;

async function prepare(preparation: Preparation): Promise<Prepared> {
  const { quick, say, signal } = preparation;
  const reason = obstacle();
  if (reason !== undefined) {
    throw new DeployBenchError({ reason: "NoCluster", message: reason, disposition: "wait" });
  }
  await using stack = new AsyncDisposableStack();
  const program = await buildProgram(say);
  const zarf = await ensureTool(TOOLS.zarf, say);
  const cluster = stack.use(await Cluster.up({ name: CLUSTER, signal, say }));
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error("the cluster has no node");
  const agent = stack.use(
    await startNodeAgent(node, program, cluster.kubeconfig(node), signal),
  );
  const bench: Bench = {
    ...{ cluster, agent, zarf, preparation, made: 0, zarfPeak: 0, pulls: new Map() },
  };
  say("bringing up registry and webhook with a first package");
  await withPackage(bench, { payload: 0 }, (name, file) => ours(bench, name, file, signal), signal);
  // The target is for packages whose bytes matter; small ones are told beside it.
  const cases: Case[] = [
    { ...caseOf(bench, "small package (4 MB)", { payload: 0 }), targets: [] },
    { ...caseOf(bench, "chart package (4 MB)", { payload: 0, chart: true }), targets: [] },
  ];
  const big = caseOf(bench, "1 GB package", { payload: BIG_BYTES });
  if (!quick) cases.push({ ...big, maxRuns: BIG_RUNS });
  const kept = stack.move();
  return {
    cases,
    missing: quick ? ["1 GB package (--quick)"] : [],
    figures: () => figuresOf(bench),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

function figuresOf({ agent, zarfPeak, pulls }: Bench): Figure[] {
  const mebibytes = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
  return [
    {
      name: "peak resident memory of the agent",
      value: mebibytes(memoryOf(agent.pid).peakBytes),
      target: "<= 200 MiB",
    },
    { name: "peak resident memory of zarf package deploy", value: mebibytes(zarfPeak) },
    ...[...pulls].map(([name, seconds]) => ({
      name: `${name}: of it containerd's pull, median`,
      value: `${summarize(seconds).median.toFixed(2)} s`,
    })),
  ];
}

function caseOf(bench: Bench, name: string, kind: Kind): Case {
  const side = (sideName: string, deploy: Deploy): Side => ({
    name: sideName,
    run: (signal) =>
      withPackage(bench, kind, async (packageName, file) => {
        const seconds = await deploy(bench, packageName, file, signal);
        const key = `${name}, ${sideName}`;
        const pulls = bench.pulls.get(key) ?? [];
        const pulled = await pullSeconds(bench.cluster, packageName);
        if (pulled > 0) bench.pulls.set(key, [...pulls, pulled]);
        return seconds;
      }, signal),
  });
  return { name, sides: [side("holdfast", ours), side("zarf", theirs)], targets: TARGETS };
}

/** Deploys a package file and gives the seconds that it took. */
type Deploy = (bench: Bench, name: string, file: string, signal: AbortSignal) => Promise<number>;

/** Makes a package, has it deployed, and removes what it left in the cluster. */
async function withPackage(
  bench: Bench,
  kind: Kind,
  work: (name: string, file: string) => Promise<number>,
  signal: AbortSignal,
): Promise<number> {
  const seed = ++bench.made;
  const name = `bench-${seed}`;
  const directory = `${bench.preparation.directory}/${name}`;
  await Deno.mkdir(directory);
  try {
    const file = await makeDeployPackage({ name, seed, ...kind }, directory, signal);
    await runProgram("sync", [], signal);
    const seconds = await work(name, file);
    await bench.cluster.kubectl(["delete", "namespace", name, "--wait"]);
    return seconds;
  } catch (error) {
    throw new Error(`${name}: ${describeError(error)}`, { cause: error });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const ours: Deploy = async ({ agent }, _name, file, signal) => {
  const target = `${agent.dropDir}/${file.slice(file.lastIndexOf("/") + 1)}`;
  // A hidden name: the agent looks at it only when it is renamed.
  const hidden = `${agent.dropDir}/.copying`;
  await Deno.copyFile(file, hidden);
  await runProgram("sync", [hidden], signal);
  const started = performance.now();
  await Deno.rename(hidden, target);
  await followVerdict(agent, target, { until: "Ready", tell() {}, signal });
  const seconds = (performance.now() - started) / 1_000;
  await Deno.remove(target);
  return seconds;
};

const theirs: Deploy = async (bench, _name, file, signal) => {
  const { cluster, zarf, preparation } = bench;
  const args = ["package", "deploy", file, "--confirm", "--no-color", "--log-format", "console"];
  const more = ["--tmpdir", preparation.directory, "--cache", `${cacheDir()}/zarf`];
  const env = { KUBECONFIG: cluster.kubeconfig(), HOME: preparation.directory };
  const started = performance.now();
  const peak = await peakOf(zarf, [...args, ...more], signal, env);
  bench.zarfPeak = Math.max(bench.zarfPeak, peak);
  return (performance.now() - started) / 1_000;
};
