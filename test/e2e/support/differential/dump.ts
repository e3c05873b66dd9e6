import assert from "node:assert/strict";
import type { KubeClient, KubeObject } from "../../../../src/kube/mod.ts";

/** Resources that say nothing of what was deployed, each with the reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  events: "what happened on the way, and gone after an hour",
  endpoints: "made of Services and pods by a controller",
  endpointslices: "made of Services and pods by a controller",
  leases: "who leads at the moment",
  nodes: "the machine",
  csinodes: "the machine",
  componentstatuses: "no objects",
  ipaddresses: "given out by chance",
};

interface ResourceList {
  readonly groupVersion: string;
  readonly resources: readonly {
    readonly name: string;
    readonly kind: string;
    readonly verbs: readonly string[];
  }[];
}

/** All objects of a cluster, of all resources that can be listed, in their preferred version. */
export async function allObjects(kube: KubeClient): Promise<KubeObject[]> {
  const { groups } = await ask<{ groups: { preferredVersion: { groupVersion: string } }[] }>(
    kube,
    "/apis",
  );
  const paths = [
    "/api/v1",
    ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`),
  ];
  const objects: KubeObject[] = [];
  for (const path of paths) {
    const { groupVersion, resources } = await ask<ResourceList>(kube, path);
    for (const { name, kind, verbs } of resources) {
      if (name.includes("/") || name in LEFT_OUT || !verbs.includes("list")) continue;
      const { items } = await ask<{ items: KubeObject[] }>(kube, `${path}/${name}`);
      objects.push(...items.map((one) => ({ ...one, apiVersion: groupVersion, kind })));
    }
  }
  return objects;
}

async function ask<T>(kube: KubeClient, path: string): Promise<T> {
  const response = await kube.request("GET", path);
  assert.ok(response.ok, `${path}: ${response.status}`);
  return await response.json() as T;
}
