import assert from "node:assert/strict";
import { KubeClient, type KubeObject } from "../../../src/kube/mod.ts";
import { eventually } from "./agent.ts";

/** Milliseconds between two looks of the operator. */
const INTERVAL = 100;

interface Pod extends KubeObject {
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
  readonly status: { readonly phase?: string };
}

/**
 * Does what an operator does that owns pods: the image that it wants stands in the ConfigMap `name`
 * under `image`, and a pod of that name with another one is deleted and created again. CloudNativePG
 * compares that way (pkg/reconciler of its instances: a rolling update when the image of the pod is
 * not the cluster's).
 *
 * @param looks How many times it looks at the pod, after it was created.
 * @returns how many times it created the pod again, and the image that the pod had last.
 */
export async function operateImage(
  kubeconfig: string,
  namespace: string,
  name: string,
  looks: number,
): Promise<{ readonly recreated: number; readonly image: string }> {
  const kube = KubeClient.fromKubeconfig(kubeconfig);
  const ref = { apiVersion: "v1", kind: "Pod", namespace, name };
  const config = { apiVersion: "v1", kind: "ConfigMap", namespace, name };
  try {
    let created = 0;
    let image = "";
    for (let look = 0; look <= looks; look++) {
      const wanted = (await kube.get<KubeObject & { data: { image: string } }>(config))?.data.image;
      assert(wanted, `the ConfigMap ${name} has no image`);
      const pod = await kube.get<Pod>(ref);
      if (pod === undefined) {
        await kube.create(podOf(namespace, name, wanted));
        created++;
      } else {
        image = pod.spec.containers[0]?.image ?? "";
        if (image !== wanted) await remove(kube, ref);
      }
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
    return { recreated: created - 1, image };
  } finally {
    kube.close();
  }
}

function podOf(namespace: string, name: string, image: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "instance", image }] },
  };
}

async function remove(kube: KubeClient, ref: Parameters<KubeClient["get"]>[0]): Promise<void> {
  await kube.delete(ref);
  await eventually("end of the pod", async () => await kube.get(ref) === undefined || undefined);
}
