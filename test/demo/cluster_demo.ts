import { type Cluster, installSystemPackages, layoutOf } from "../cluster/mod.ts";
import { Cluster as TestCluster } from "../cluster/mod.ts";
import { type Program, type RunningAgent, startNodeAgent } from "./agent.ts";
import type { DemoArguments } from "./arguments.ts";
import { buildProgram, missingTools } from "./program.ts";
import type { Screen } from "./screen.ts";
import { showPackage } from "./show_package.ts";
import { untilEnter } from "./stay.ts";

/** The demo's cluster, for `deno task cluster … --name demo`. */
const NAME = "demo";

/**
 * Makes a cluster, runs an agent on every node, and shows a package on its way.
 *
 * @throws when anything does not work; everything is removed all the same.
 */
export async function clusterDemo(
  args: DemoArguments,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  introduce(args, screen);
  await screen.stage(
    "System packages",
    () => installSystemPackages(),
    (installed) => installed.length === 0 ? "all there" : `installed ${installed.join(", ")}`,
  );
  const { result: program } = await screen.stage("Build", buildProgram, ({ label }) => label);
  const cluster = await startCluster(args.nodes, screen, signal);
  try {
    await run(cluster, program, args, screen, signal);
  } finally {
    await screen.stage("Clean up", () => cluster.down(), () => "no process, mount or file is left");
  }
}

function introduce({ nodes }: DemoArguments, screen: Screen): void {
  const { names, minutes } = missingTools();
  const place = nodes === 1 ? "one node" : `${nodes} nodes`;
  screen.say(`Holdfast on a real Kubernetes cluster of ${place} that can reach nothing but itself:
  1. everything that is missing is built;
  2. a cluster starts: etcd, Kubernetes 1.36, containerd, each node in namespaces of its own;
  3. the agent starts on every node;
  4. a real Zarf package is dropped on the first node, and becomes a running application.`);
  screen.say(
    names.length === 0
      ? "Everything that is compiled from Go is there already: this takes about a minute."
      : `To be built first, from Go, once: ${
        names.join(", ")
      }. That takes about ${minutes} minutes ` +
        "of processor time; after that the demo takes about a minute.",
  );
  screen.say(`Without a cluster, in seconds: deno task demo --node-only`);
  screen.say();
}

async function startCluster(
  nodes: number,
  screen: Screen,
  signal: AbortSignal,
): Promise<Cluster> {
  const { result } = await screen.stage(
    "Cluster",
    (tell) => TestCluster.up({ name: NAME, nodes, signal, say: (line) => tell(line.trim()) }),
    (cluster) => `${cluster.nodes.map((node) => node.name).join(", ")} Ready`,
  );
  return result;
}

async function run(
  cluster: Cluster,
  program: Program,
  args: DemoArguments,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  await using agents = new AsyncDisposableStack();
  const { result: running } = await screen.stage("Agents", async () => {
    const all: RunningAgent[] = [];
    for (const node of cluster.nodes) {
      const kubeconfig = cluster.kubeconfig(node);
      all.push(agents.use(await startNodeAgent(node, program, kubeconfig, signal)));
    }
    return all;
  }, (all) => `${all.length} started`);
  const kubectl = (given: readonly string[]) => cluster.kubectl(given);
  await showPackage({ agents: running, kubectl, figures: args.figures, screen, signal });
  const outside = await cluster.outsidePackets();
  screen.say(`Packets that the nodes sent to an address outside the cluster: ${outside}`);
  if (outside !== 0) throw new Error("something tried to reach the world outside");
  if (!args.wait) return;
  await untilEnter(screen, [
    "",
    `look around      deno task cluster kubectl --name ${NAME} get pods -A`,
    `drop directory   ${running[0]?.dropDir}`,
    `status page      ${running[0]?.statusUrl}/`,
    `logs             ${cluster.plan.logsDir}`,
    `after a crash    deno task cluster down --name ${layoutOf(NAME).name}`,
  ], signal);
}
