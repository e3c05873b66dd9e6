import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { load } from "js-yaml";
import { type Event, EventType, State } from "./api/v1alpha1/state_pb.ts";
import type { Resource } from "./api/v1alpha1/resource_pb.ts";
import { statusError, TalosError } from "./errors.ts";
import type { CallOptions, TalosTransport } from "./transport.ts";

/** Where a resource of Talos' state is, by Talos' own words. */
export interface ResourceRef {
  /** `secrets` */
  readonly namespace: string;
  /** `KubernetesSecrets.secrets.talos.dev` */
  readonly type: string;
  /** `k8s-certs` */
  readonly id: string;
}

/** A resource of Talos' state. */
export interface TalosResource extends ResourceRef {
  readonly version: string;
  /** `running`, or `tearing down` when it is about to go. */
  readonly phase: string;
  /** When it was made, to the nanosecond; empty where that is not said. Comparable, not readable. */
  readonly created: string;
  /** From its YAML form; whoever uses it parses it. */
  readonly spec: unknown;
}

/** A change of a watched kind. `Synced` comes once, after all that was there. */
export type ResourceEvent =
  | { readonly type: "Present"; readonly resource: TalosResource }
  | { readonly type: "Gone"; readonly resource: ResourceRef }
  | { readonly type: "Synced" };

/** The kinds that are looked at (Talos 1.13, pkg/machinery/resources). */
export const RESOURCES = {
  /** The kubeconfigs of a control plane; only admins see it. */
  kubernetesSecrets: {
    namespace: "secrets",
    type: "KubernetesSecrets.secrets.talos.dev",
    id: "k8s-certs",
  },
  /** The authority of the machine's etcd, with its key; control planes have it, only admins see it. */
  etcdRoot: { namespace: "secrets", type: "EtcdRootSecrets.secrets.talos.dev", id: "etcd" },
  /** What control planes know of the cluster: its endpoint, its authority; only admins see it. */
  kubernetesRoot: {
    namespace: "secrets",
    type: "KubernetesRootSecrets.secrets.talos.dev",
    id: "k8s",
  },
  /** What all machines of a site have for each other, workers too: its token; only admins see it. */
  osRoot: { namespace: "secrets", type: "OSRootSecrets.secrets.talos.dev", id: "os" },
  /** What the kubelet is to be, its image for one. */
  kubeletSpec: { namespace: "k8s", type: "KubeletSpecs.kubernetes.talos.dev", id: "kubelet" },
  /** The addresses that the machine has now. */
  nodeAddresses: { namespace: "network", type: "NodeAddresses.net.talos.dev", id: "current" },
  machineType: { namespace: "config", type: "MachineTypes.config.talos.dev", id: "machine-type" },
  nodename: { namespace: "k8s", type: "Nodenames.kubernetes.talos.dev", id: "nodename" },
} as const satisfies Record<string, ResourceRef>;

/** The machines that Talos' discovery knows, where it is on; one resource for each. */
export const DISCOVERED_MEMBERS = {
  namespace: "cluster",
  type: "Members.cluster.talos.dev",
} as const;

/** Where Kubernetes is to be reached: by the machine configuration, by discovery, by Kubernetes. */
export const CONTROL_PLANE_ENDPOINTS = {
  namespace: "controlplane",
  type: "Endpoints.kubernetes.talos.dev",
} as const;

/** Milliseconds within which a watch must have told all that there is. */
const SYNC_TIME = 15_000;
/** How many resources of one kind a list may have. */
const MAX_RESOURCES = 10_000;

/**
 * One resource.
 *
 * @returns undefined where there is none
 * @throws {TalosError} also `PermissionDenied`, for a kind that this Talos does not have.
 */
export async function getResource(
  transport: TalosTransport,
  { namespace, type, id }: ResourceRef,
  options: CallOptions = {},
): Promise<TalosResource | undefined> {
  try {
    const { resource } = await transport.unary(State.method.get, { namespace, type, id }, options);
    return readResource(resource);
  } catch (error) {
    if (error instanceof TalosError && error.reason === "NotFound") return undefined;
    throw error;
  }
}

/**
 * All resources of a kind. It asks with a watch: of a plain list nobody could tell that it broke off.
 *
 * @throws {TalosError}
 */
export async function listResources(
  transport: TalosTransport,
  kind: Pick<ResourceRef, "namespace" | "type">,
  options: CallOptions = {},
): Promise<TalosResource[]> {
  const found: TalosResource[] = [];
  for await (const event of watchResources(transport, kind, options)) {
    if (event.type === "Synced") return found;
    if (event.type === "Present") found.push(event.resource);
    if (found.length > MAX_RESOURCES) {
      throw bad(`there are more than ${MAX_RESOURCES} resources of ${kind.type}`);
    }
  }
  throw new TalosError({
    reason: "Unreachable",
    message: `the list of ${kind.type} broke off`,
  });
}

/**
 * What there is of a kind, then each change, until the signal or the server ends it. A watch has no
 * deadline, but what there is must come within {@linkcode SYNC_TIME}.
 *
 * @throws {TalosError}
 */
export async function* watchResources(
  transport: TalosTransport,
  { namespace, type }: Pick<ResourceRef, "namespace" | "type">,
  options: CallOptions = {},
): AsyncGenerator<ResourceEvent> {
  const request = {
    namespace,
    type,
    apiVersion: 1,
    options: { bootstrapContents: true },
  };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(notSynced(type)), SYNC_TIME);
  const signal = options.signal === undefined
    ? late.signal
    : AbortSignal.any([options.signal, late.signal]);
  const call = transport.stream(State.method.watch, request, { ...options, signal });
  try {
    for await (const { event } of call) {
      for (const one of event) {
        const read = readEvent(one);
        if (read?.type === "Synced") clearTimeout(timer);
        if (read !== undefined) yield read;
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

function notSynced(type: string): TalosError {
  return new TalosError({
    reason: "Timeout",
    message: `${State.typeName}/Watch: what there is of ${type} did not come in time`,
  });
}

function readEvent({ eventType, resource, error }: Event): ResourceEvent | undefined {
  switch (eventType) {
    case EventType.CREATED:
    case EventType.UPDATED:
      return { type: "Present", resource: readResource(resource) };
    case EventType.DESTROYED: {
      const { namespace, type, id } = readResource(resource);
      return { type: "Gone", resource: { namespace, type, id } };
    }
    case EventType.BOOTSTRAPPED:
      return { type: "Synced" };
    case EventType.ERRORED:
      throw statusError(State.typeName, UNKNOWN, error ?? "");
    default:
      return undefined;
  }
}

/** gRPC's status for whatever it is. */
const UNKNOWN = 2;

function readResource(resource: Resource | undefined): TalosResource {
  const { metadata, spec } = resource ?? {};
  if (metadata === undefined || spec === undefined) throw bad("a resource without content");
  const { namespace, type, id, version, phase } = metadata;
  const created = instant(metadata.created);
  try {
    return { namespace, type, id, version, phase, created, spec: load(spec.yamlSpec) };
  } catch {
    // The error would show what it could not read, which may be a key.
    throw bad(`the YAML of ${type} ${id} cannot be read`);
  }
}

/** A moment as text that is the same for the same moment. */
export function instant(moment: Timestamp | undefined): string {
  return moment === undefined ? "" : `${moment.seconds}.${String(moment.nanos).padStart(9, "0")}`;
}

function bad(message: string): TalosError {
  return new TalosError({ reason: "BadResponse", message });
}
