import type { KubeClient, KubeObject } from "../kube/mod.ts";
import type { Digest } from "../std/mod.ts";

/** On a Node: the digest of the seed image that its agent holds. */
export const SEED_ANNOTATION = "holdfast.dev/seed";

/** What a node says about the seed image. */
export interface SeedNode {
  readonly name: string;
  readonly ready: boolean;
  readonly acknowledged: boolean;
}

interface NodeObject extends KubeObject {
  status?: { conditions?: { type: string; status: string }[] };
}

/**
 * Lets the cluster know that this node holds the seed image; writes only what is not said yet.
 *
 * @returns false where the cluster does not have this node, or not yet
 */
export async function acknowledgeSeed(
  kube: KubeClient,
  nodeName: string,
  digest: Digest,
): Promise<boolean> {
  const ref = { apiVersion: "v1", kind: "Node", name: nodeName };
  const node = await kube.get(ref);
  if (node === undefined) return false;
  if (node.metadata.annotations?.[SEED_ANNOTATION] === digest) return true;
  await kube.patch(ref, {
    type: "merge",
    body: { metadata: { annotations: { [SEED_ANNOTATION]: digest } } },
  });
  return true;
}

/** Every node of the cluster and whether it holds the seed image with this digest. */
export async function acknowledgedNodes(kube: KubeClient, digest: Digest): Promise<SeedNode[]> {
  const { items } = await kube.list<NodeObject>({ apiVersion: "v1", kind: "Node" });
  return items.map((node) => ({
    name: node.metadata.name ?? "",
    ready: node.status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") ??
      false,
    acknowledged: node.metadata.annotations?.[SEED_ANNOTATION] === digest,
  }));
}

/** Whether nobody is to be waited for: a node that is not Ready gets the image when it is back. */
export function allAcknowledged(nodes: readonly SeedNode[]): boolean {
  return nodes.every((node) => node.acknowledged || !node.ready);
}
