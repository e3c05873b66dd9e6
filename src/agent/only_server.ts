import * as v from "valibot";
import type { CallOptions, KubeClient } from "../kube/mod.ts";

/** Where the cluster says which API servers it has. */
const SERVERS = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  namespace: "default",
  name: "kubernetes",
} as const;

const SliceSchema = v.looseObject({
  endpoints: v.nullish(v.array(v.looseObject({ addresses: v.array(v.string()) }))),
});
const NodeSchema = v.looseObject({
  status: v.looseObject({
    addresses: v.array(v.looseObject({ type: v.string(), address: v.string() })),
  }),
});

/**
 * Whether the cluster has one API server only and it runs on this node. Where that cannot be told
 * (an address that is no node's) it is `false`.
 */
export async function runsOnlyServer(
  kube: KubeClient,
  nodeName: string,
  options: CallOptions = {},
): Promise<boolean> {
  const slice = v.safeParse(SliceSchema, await kube.get(SERVERS, options));
  const servers = slice.success
    ? slice.output.endpoints?.flatMap(({ addresses }) => addresses) ?? []
    : [];
  const [server] = servers;
  if (server === undefined || servers.length > 1) return false;
  const node = await kube.get({ apiVersion: "v1", kind: "Node", name: nodeName }, options);
  const parsed = v.safeParse(NodeSchema, node);
  return parsed.success && parsed.output.status.addresses.some(({ address }) => address === server);
}
