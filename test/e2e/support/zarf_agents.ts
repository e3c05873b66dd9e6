import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import { issueCertificates } from "../../../src/admission/mod.ts";
import type { Cluster, ClusterNode, Forward, NodeProcess } from "../../cluster/mod.ts";
import { eventually } from "./agent.ts";

/** The port that it listens on (Zarf 0.84, src/internal/agent/start.go). */
export const AGENT_PORT = 8443;
/** Paths in the node. */
const KUBECONFIG = "/var/tmp/zarf-agent.kubeconfig";
const CERTIFICATES = "/etc/certs";
/** Milliseconds until it must answer. */
const START_TIMEOUT = 60_000;

/** Which objects Zarf's agent changes. */
export type Policy = "all" | "labeled";

/**
 * The real `zarf internal agent`, several of them in one node, each in a network of its own: the port
 * is fixed, and none asks the API server more than five times a second (client-go's default). Disposing
 * of them ends them.
 */
export class ZarfAgents implements AsyncDisposable {
  readonly #agents: readonly OneAgent[];
  readonly #client: Deno.HttpClient;

  private constructor(agents: readonly OneAgent[], ca: string) {
    this.#agents = agents;
    this.#client = Deno.createHttpClient({ caCerts: [ca] });
  }

  /** Starts so many of each policy and waits until all answer. */
  static async start(
    cluster: Cluster,
    node: ClusterNode,
    counts: Readonly<Record<Policy, number>>,
  ): Promise<ZarfAgents> {
    const ca = await writeAgentFiles(cluster, node);
    const policies = (["all", "labeled"] as const).flatMap((policy) =>
      Array.from({ length: counts[policy] }, () => policy)
    );
    const agents = await Promise.all(
      policies.map((policy, at) => startInNetwork(node, policy, at + 1)),
    );
    const all = new ZarfAgents(agents, ca);
    try {
      for (const agent of agents) await all.#answers(agent);
      return all;
    } catch (error) {
      await all[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** How many reviews of a policy can be asked at once without one waiting for another. */
  count(policy: Policy): number {
    return this.#agents.filter((agent) => agent.policy === policy).length;
  }

  /** Sends an AdmissionReview to the agent of this number among those of the policy. */
  async review(policy: Policy, at: number, path: string, review: unknown): Promise<Response> {
    const agents = this.#agents.filter((agent) => agent.policy === policy);
    const agent = agents[at % agents.length];
    assert.ok(agent);
    return await fetch(`https://${agent.forward.address}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(review),
      client: this.#client,
    });
  }

  async #answers({ forward, process }: OneAgent): Promise<void> {
    const ask = async () => {
      const url = `https://${forward.address}/healthz`;
      const response = await fetch(url, { client: this.#client }).catch(() => undefined);
      await response?.body?.cancel();
      return response?.ok ? true : undefined;
    };
    await eventually(
      "answer of zarf's agent",
      ask,
      START_TIMEOUT,
      () => Deno.readTextFile(process.logPath),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    for (const { forward, process } of this.#agents) {
      await forward.close();
      await process.kill("SIGKILL").catch(() => {});
    }
  }
}

interface OneAgent {
  readonly policy: Policy;
  readonly process: NodeProcess;
  readonly forward: Forward;
}

/**
 * Writes what an agent needs: how it reaches the API server from any network of the node, and its
 * certificate.
 *
 * @returns the certificate of the CA, PEM.
 */
export async function writeAgentFiles(cluster: Cluster, node: ClusterNode): Promise<string> {
  const { ca, cert, key } = issueCertificates();
  await Deno.copyFile(cluster.kubeconfig(), node.hostPath(KUBECONFIG));
  await Deno.mkdir(node.hostPath(CERTIFICATES), { recursive: true });
  await Deno.writeTextFile(node.hostPath(`${CERTIFICATES}/tls.crt`), cert);
  await Deno.writeTextFile(node.hostPath(`${CERTIFICATES}/tls.key`), key);
  return ca;
}

/**
 * Starts one agent after {@linkcode writeAgentFiles}; it listens on {@linkcode AGENT_PORT}.
 *
 * @param before a command that starts it. @default none: it runs in the network of the node
 */
export async function startAgent(
  node: ClusterNode,
  { name, policy, before = [] }: {
    readonly name: string;
    readonly policy: Policy;
    readonly before?: readonly string[];
  },
): Promise<NodeProcess> {
  const agent = [await ensureTool(TOOLS.zarf), "internal", "agent"];
  const [command = "", ...args] = [...before, ...agent, "--no-color", "--log-format=console"];
  return await node.spawn(command, args, {
    name,
    env: { KUBECONFIG, HOME: "/var/tmp", ZARF_AGENT_MUTATION_POLICY: policy },
  });
}

async function startInNetwork(
  node: ClusterNode,
  policy: Policy,
  at: number,
): Promise<OneAgent> {
  const name = `zarf-agent-${at}`;
  const [outside, inside] = [`10.199.${at}.1`, `10.199.${at}.2`];
  const script = [
    `ip netns add ${name}`,
    `ip link add za${at} type veth peer name eth0 netns ${name}`,
    `ip addr add ${outside}/30 dev za${at}`,
    `ip link set za${at} up`,
    `ip -n ${name} addr add ${inside}/30 dev eth0`,
    `ip -n ${name} link set eth0 up`,
    `ip -n ${name} route add default via ${outside}`,
  ].join(" && ");
  const made = await node.exec("sh", ["-c", script]);
  assert.equal(made.code, 0, made.stderr);
  const before = ["/usr/sbin/ip", "netns", "exec", name];
  const process = await startAgent(node, { name, policy, before });
  return { policy, process, forward: node.forward(`${inside}:${AGENT_PORT}`) };
}
