import * as v from "valibot";
import type { KubeObject } from "../kube/mod.ts";
import { GIT_PORT, GIT_SERVICE, MANAGED_BY_LABEL, ZARF_NAMESPACE } from "../zarf/mod.ts";

/** Selects the EndpointSlices of a Service. */
export const SERVICE_LABEL = "kubernetes.io/service-name";
/** On a node's EndpointSlice: which repositories it has, as JSON. */
export const REPOSITORIES_ANNOTATION = "holdfast.dev/repositories";
/** The name of the port, which joins Service and EndpointSlices. */
const PORT_NAME = "http";
const MANAGED_BY_HOLDFAST = "holdfast";

/** The Service at which git repositories are read. It selects no pods: agents are its endpoints. */
export function gitService(): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: GIT_SERVICE,
      namespace: ZARF_NAMESPACE,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY_HOLDFAST },
    },
    spec: {
      type: "ClusterIP",
      ports: [{ name: PORT_NAME, port: GIT_PORT, targetPort: GIT_PORT, protocol: "TCP" }],
    },
  };
}

/**
 * How often each repository was published, by its name: whichever node has the highest count of a
 * repository has the newest of it. No clock is asked, since those of nodes differ.
 */
export type RepositoryCounts = Readonly<Record<string, number>>;

/** One node that serves repositories. */
export interface GitNode {
  readonly nodeName: string;
  readonly address: string;
  readonly port: number;
  readonly repositories: RepositoryCounts;
}

/** The EndpointSlice of one node. */
export function gitEndpoints({ nodeName, address, port, repositories }: GitNode): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: endpointsName(nodeName),
      namespace: ZARF_NAMESPACE,
      labels: {
        [SERVICE_LABEL]: GIT_SERVICE,
        [MANAGED_BY_LABEL]: MANAGED_BY_HOLDFAST,
        "endpointslice.kubernetes.io/managed-by": MANAGED_BY_HOLDFAST,
      },
      annotations: { [REPOSITORIES_ANNOTATION]: JSON.stringify(repositories) },
    },
    addressType: address.includes(":") ? "IPv6" : "IPv4",
    endpoints: [{ addresses: [address], conditions: { ready: true }, nodeName }],
    ports: [{ name: PORT_NAME, port, protocol: "TCP" }],
  };
}

/** The name of a node's EndpointSlice. */
export function endpointsName(nodeName: string): string {
  return `${GIT_SERVICE}-${nodeName}`;
}

const EndpointsSchema = v.object({
  metadata: v.object({ annotations: v.optional(v.record(v.string(), v.string()), {}) }),
  endpoints: v.tupleWithRest(
    [v.object({ addresses: v.tupleWithRest([v.string()], v.string()), nodeName: v.string() })],
    v.unknown(),
  ),
  ports: v.tupleWithRest([v.object({ port: v.number() })], v.unknown()),
});
const CountsSchema = v.record(v.string(), v.pipe(v.number(), v.integer(), v.minValue(1)));

/** Reads what {@linkcode gitEndpoints} has made; undefined for anything else. */
export function gitNodeOf(slice: unknown): GitNode | undefined {
  const parsed = v.safeParse(EndpointsSchema, slice);
  if (!parsed.success) return undefined;
  const { metadata, endpoints: [endpoint], ports: [{ port }] } = parsed.output;
  const repositories = countsIn(metadata.annotations[REPOSITORIES_ANNOTATION] ?? "");
  return { nodeName: endpoint.nodeName, address: endpoint.addresses[0], port, repositories };
}

function countsIn(text: string): RepositoryCounts {
  try {
    return v.parse(CountsSchema, JSON.parse(text));
  } catch {
    return {};
  }
}

const NodeSchema = v.object({
  status: v.object({ addresses: v.array(v.object({ type: v.string(), address: v.string() })) }),
});
const ServiceSchema = v.object({ spec: v.object({ clusterIP: v.string() }) });

/** The address at which pods reach a node, of the family that the Service has. */
export function nodeAddress(node: unknown, service: unknown): string | undefined {
  const [nodes, services] = [v.safeParse(NodeSchema, node), v.safeParse(ServiceSchema, service)];
  if (!nodes.success || !services.success) return undefined;
  const isV6 = services.output.spec.clusterIP.includes(":");
  return nodes.output.status.addresses.find(({ type, address }) =>
    type === "InternalIP" && address.includes(":") === isV6
  )?.address;
}
