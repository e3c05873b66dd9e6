import { KubeError } from "./errors.ts";
import type { ObjectRef, ResourceRef } from "./types.ts";

/** How a kind appears in paths. */
export interface Resource {
  /** Lower case, for example `configmaps`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Fetches the resources below a path such as `/apis/apps/v1`, by kind. */
export type Discover = (path: string) => Promise<ReadonlyMap<string, Resource>>;

/** The path segments of the kinds that Holdfast and most packages use, by API group. */
const NAMESPACED: Readonly<Record<string, readonly string[]>> = {
  "": [
    "ConfigMap configmaps",
    "Endpoints endpoints",
    "Event events",
    "LimitRange limitranges",
    "PersistentVolumeClaim persistentvolumeclaims",
    "Pod pods",
    "ReplicationController replicationcontrollers",
    "ResourceQuota resourcequotas",
    "Secret secrets",
    "Service services",
    "ServiceAccount serviceaccounts",
  ],
  "apps": [
    "ControllerRevision controllerrevisions",
    "DaemonSet daemonsets",
    "Deployment deployments",
    "ReplicaSet replicasets",
    "StatefulSet statefulsets",
  ],
  "autoscaling": ["HorizontalPodAutoscaler horizontalpodautoscalers"],
  "batch": ["CronJob cronjobs", "Job jobs"],
  "coordination.k8s.io": ["Lease leases"],
  "discovery.k8s.io": ["EndpointSlice endpointslices"],
  "events.k8s.io": ["Event events"],
  "networking.k8s.io": ["Ingress ingresses", "NetworkPolicy networkpolicies"],
  "policy": ["PodDisruptionBudget poddisruptionbudgets"],
  "rbac.authorization.k8s.io": ["Role roles", "RoleBinding rolebindings"],
};
const CLUSTER_WIDE: Readonly<Record<string, readonly string[]>> = {
  "": ["Namespace namespaces", "Node nodes", "PersistentVolume persistentvolumes"],
  "admissionregistration.k8s.io": [
    "MutatingWebhookConfiguration mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration validatingwebhookconfigurations",
  ],
  "apiextensions.k8s.io": ["CustomResourceDefinition customresourcedefinitions"],
  "apiregistration.k8s.io": ["APIService apiservices"],
  "certificates.k8s.io": ["CertificateSigningRequest certificatesigningrequests"],
  "networking.k8s.io": ["IngressClass ingressclasses"],
  "rbac.authorization.k8s.io": [
    "ClusterRole clusterroles",
    "ClusterRoleBinding clusterrolebindings",
  ],
  "scheduling.k8s.io": ["PriorityClass priorityclasses"],
  "storage.k8s.io": ["CSIDriver csidrivers", "StorageClass storageclasses"],
};

const BUILT_IN: ReadonlyMap<string, Resource> = new Map([
  ...entries(NAMESPACED, true),
  ...entries(CLUSTER_WIDE, false),
]);

function entries(
  table: Readonly<Record<string, readonly string[]>>,
  namespaced: boolean,
): [string, Resource][] {
  return Object.entries(table).flatMap(([group, kinds]) =>
    kinds.map((line): [string, Resource] => {
      const [kind = "", plural = ""] = line.split(" ");
      return [`${group}/${kind}`, { plural, namespaced }];
    })
  );
}

/** How many groups and versions are remembered. */
const MAX_DISCOVERED = 64;

/** From kinds to paths: a table for what is built in, discovery for the rest. */
export class ResourcePaths {
  readonly #discover: Discover;
  readonly #discovered = new Map<string, ReadonlyMap<string, Resource>>();

  constructor(discover: Discover) {
    this.#discover = discover;
  }

  /**
   * How a kind appears in paths. What discovery found is remembered; a kind that is not there is
   * looked for again each time, as a CRD may come.
   *
   * @throws {KubeError} `NotFound` when the server has no such kind.
   */
  async resource(ref: ResourceRef): Promise<Resource> {
    const { apiVersion, kind } = ref;
    const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
    const known = BUILT_IN.get(`${group}/${kind}`) ?? this.#discovered.get(apiVersion)?.get(kind);
    if (known !== undefined) return known;
    const found = await this.#discover(groupPath(apiVersion));
    this.#discovered.delete(apiVersion);
    this.#discovered.set(apiVersion, found);
    const [oldest] = this.#discovered.keys();
    if (this.#discovered.size > MAX_DISCOVERED && oldest !== undefined) {
      this.#discovered.delete(oldest);
    }
    const resource = found.get(kind);
    if (resource !== undefined) return resource;
    throw new KubeError({
      reason: "NotFound",
      message: `the cluster has no kind ${kind} in ${apiVersion}`,
      status: 404,
    });
  }

  /** The path of all objects of a kind, in the reference's namespace if it has one. */
  async collection(ref: ResourceRef): Promise<string> {
    const { plural, namespaced } = await this.resource(ref);
    const namespace = namespaced && ref.namespace !== undefined
      ? `/namespaces/${segment(ref.namespace)}`
      : "";
    return `${groupPath(ref.apiVersion)}${namespace}/${plural}`;
  }

  /** The path to create an object at; of a namespaced kind only with a namespace. */
  async creation(ref: ResourceRef): Promise<string> {
    const { namespaced } = await this.resource(ref);
    if (namespaced && ref.namespace === undefined) {
      throw new KubeError({ reason: "Invalid", message: `a ${ref.kind} needs a namespace` });
    }
    return await this.collection(ref);
  }

  /** The path of one object, or of its subresource. */
  async object(ref: ObjectRef, subresource?: string): Promise<string> {
    const path = `${await this.creation(ref)}/${segment(ref.name)}`;
    return subresource === undefined ? path : `${path}/${segment(subresource)}`;
  }
}

/** `/api/v1` or `/apis/<group>/<version>`. */
function groupPath(apiVersion: string): string {
  const parts = apiVersion.split("/").map(segment);
  return parts.length === 1 ? `/api/${parts[0]}` : `/apis/${parts.join("/")}`;
}

/** A name as one path segment (apimachinery, api/validation/path: not ".", "..", no "/", no "%"). */
function segment(name: string): string {
  if (name === "" || name === "." || name === ".." || /[/%]/.test(name)) {
    throw new KubeError({
      reason: "Invalid",
      message: `${JSON.stringify(name)} cannot be a name in the API`,
    });
  }
  return encodeURIComponent(name);
}

/** Discovery through `GET /api/v1` or `/apis/<group>/<version>` (meta/v1 APIResourceList). */
export function discoveryOf(get: (path: string) => Promise<unknown>): Discover {
  return async (path) => {
    const { resources } = await get(path) as { resources?: unknown };
    const found = new Map<string, Resource>();
    for (const each of Array.isArray(resources) ? resources : []) {
      const { name, kind, namespaced } = (each ?? {}) as Record<string, unknown>;
      if (typeof name !== "string" || typeof kind !== "string" || name.includes("/")) continue;
      found.set(kind, { plural: name, namespaced: namespaced === true });
    }
    return found;
  };
}
