import { ensureTool, TOOLS } from "../extension/build/go_tools.ts";
import type { ClusterNode } from "../test/cluster/mod.ts";
import { ProgramError } from "./programs.ts";

/** A webhook in a node. */
export interface Webhook {
  /** `https://127.0.0.1:7471/mutate/pod` */
  readonly url: string;
  /** Path in the node of the certificate that its own is signed by. */
  readonly ca: string;
  /** Host process id. */
  readonly pid: number;
}

/** What is sent. */
export interface Load {
  /** Requests at once. */
  readonly count: number;
  /** How often, and how many milliseconds lie between. */
  readonly rounds: number;
  readonly pause: number;
  /** Milliseconds for a request. */
  readonly timeout: number;
  /** Whether each request has a connection of its own. */
  readonly newConnections: boolean;
  /** Whether the pod is one for which Zarf's agent asks the API server. */
  readonly looksUp: boolean;
}

/** What came of it; times in milliseconds, of all requests, also of those without an answer. */
export interface LoadReport {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly unanswered: number;
}

/** The namespace of the pods; neither side leaves it alone. */
export const NAMESPACE = "admission";
/** How much longer than all requests together the client may take, in milliseconds. */
const CLIENT_GRACE = 30_000;

/**
 * Sends a load from inside the node.
 *
 * @throws {ProgramError} when the client fails, or something else than HTTP/2 was spoken.
 */
export async function runLoad(
  node: ClusterNode,
  { url, ca }: Webhook,
  load: Load,
): Promise<LoadReport> {
  const { count, rounds, pause, timeout, newConnections, looksUp } = load;
  const flags = [
    ...["-url", url, "-ca", ca, "-count", String(count), "-rounds", String(rounds)],
    ...["-pause", `${pause}ms`, "-timeout", `${timeout}ms`],
    ...["-want", looksUp ? '"patch":"' : '"allowed":true'],
    ...(newConnections ? ["-connections"] : []),
  ];
  const { code, stdout, stderr } = await node.exec(await ensureTool(TOOLS.load), flags, {
    stdin: JSON.stringify(reviewOf(looksUp)),
    timeout: rounds * (pause + timeout) + CLIENT_GRACE,
  });
  if (code !== 0) throw failed(stderr);
  const { milliseconds, unanswered, protocol, failure = "" } = JSON.parse(stdout);
  const isAnswered = unanswered < milliseconds.length;
  if (isAnswered && protocol !== "HTTP/2.0") throw failed(`it was answered in ${protocol}`);
  if (!isAnswered && !failure.includes("deadline exceeded")) throw failed(failure);
  const sorted: number[] = milliseconds.toSorted((a: number, b: number) => a - b);
  const quantile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? NaN;
  return { count: sorted.length, p50: quantile(0.5), p99: quantile(0.99), unanswered };
}

function failed(why: string): ProgramError {
  return new ProgramError({ reason: "ProgramFailed", message: `load: ${why.trim()}` });
}

function reviewOf(looksUp: boolean): unknown {
  const request = {
    uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    operation: "CREATE",
    userInfo: { username: "system:serviceaccount:kube-system:replicaset-controller" },
    object: podOf(looksUp ? {} : { "zarf-agent": "patched" }),
  };
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: looksUp ? { ...request, namespace: NAMESPACE } : request,
  };
}

function podOf(labels: Readonly<Record<string, string>>): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "web-6c5d9c7b8-", labels: { app: "web", ...labels } },
    spec: {
      initContainers: [{ name: "prepare", image: "busybox" }],
      containers: [
        { name: "web", image: "nginx:1.27" },
        { name: "podinfo", image: "ghcr.io/stefanprodan/podinfo:6.9.0" },
      ],
      volumes: [{ name: "scratch", emptyDir: {} }],
    },
  };
}
