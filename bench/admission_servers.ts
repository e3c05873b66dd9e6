import { KubeClient } from "../src/kube/mod.ts";
import { loadAdmissionTls } from "../src/admission/mod.ts";
import { Cluster, type ClusterNode } from "../test/cluster/mod.ts";
import { startNodeAgent } from "../test/demo/agent.ts";
import { buildProgram, EXAMPLE } from "../test/demo/program.ts";
import { followVerdict } from "../test/demo/verdict.ts";
import { AGENT_PORT, startAgent, writeAgentFiles } from "../test/e2e/support/zarf_agents.ts";
import { NAMESPACE, type Webhook } from "./admission_load.ts";
import { ServerError } from "./servers.ts";
import type { Preparation } from "./types.ts";

const CLUSTER = "bench";
const OUR_PORT = 7471;
/** Milliseconds until both webhooks must listen. */
const START_TIMEOUT = 30_000;
const POLL_INTERVAL = 100;

/** Both webhooks in the same node; disposing of them ends the cluster. */
export interface AdmissionServers extends AsyncDisposable {
  readonly node: ClusterNode;
  readonly holdfast: Webhook;
  readonly zarf: Webhook;
}

/** Starts a cluster, the agent with a first package, and Zarf's agent on the same state. */
export async function startServers({ say, signal }: Preparation): Promise<AdmissionServers> {
  await using stack = new AsyncDisposableStack();
  const program = await buildProgram(say);
  const cluster = stack.use(await Cluster.up({ name: CLUSTER, signal, say }));
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error("the cluster has no node");
  const agent = stack.use(
    await startNodeAgent(node, program, cluster.kubeconfig(node), signal),
  );
  say("bringing up registry and webhook with a first package");
  const file = `${agent.dropDir}/${EXAMPLE.slice(EXAMPLE.lastIndexOf("/") + 1)}`;
  await Deno.copyFile(EXAMPLE, `${file}.copying`);
  await Deno.rename(`${file}.copying`, file);
  await followVerdict(agent, file, { until: "Ready", tell() {}, signal });
  await cluster.kubectl(["create", "namespace", NAMESPACE]);
  const [ours, theirs] = ["/var/tmp/holdfast-ca.pem", "/var/tmp/zarf-ca.pem"];
  await Deno.writeTextFile(node.hostPath(ours), await ourCa(cluster));
  await Deno.writeTextFile(node.hostPath(theirs), await writeAgentFiles(cluster, node));
  const zarf = await startAgent(node, { name: "zarf-agent", policy: "all" });
  for (const port of [OUR_PORT, AGENT_PORT]) await listening(node, port, signal);
  const kept = stack.move();
  const url = (port: number) => `https://127.0.0.1:${port}/mutate/pod`;
  return {
    node,
    holdfast: { url: url(OUR_PORT), ca: ours, pid: agent.pid },
    zarf: { url: url(AGENT_PORT), ca: theirs, pid: zarf.pid },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

async function ourCa(cluster: Cluster): Promise<string> {
  const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
  try {
    const tls = await loadAdmissionTls(kube);
    if (tls === undefined) throw new Error("the agent has made no certificate");
    return tls.ca;
  } finally {
    kube.close();
  }
}

async function listening(node: ClusterNode, port: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT;
  const connect = ["-c", `exec 3<>/dev/tcp/127.0.0.1/${port}`];
  while ((await node.exec("bash", connect)).code !== 0) {
    signal.throwIfAborted();
    if (performance.now() > deadline) {
      throw new ServerError({
        reason: "ServerSilent",
        message: `nobody listens on port ${port} of the node`,
        disposition: "retry",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}
