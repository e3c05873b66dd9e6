import * as v from "valibot";
import {
  type CallOptions,
  DISCOVERED_MEMBERS,
  RESOURCES,
  type TalosClient,
  TalosError,
} from "../talos/mod.ts";
import { canonicalAddress } from "./node_address.ts";

/** Where Talos 1.13 has etcd's data (pkg/machinery/constants, EtcdDataPath). */
export const ETCD_DATA = "/var/lib/etcd";
/** What the kubelet keeps its certificates in; an API server has signed the one of this name. */
const KUBELET_PKI = "/var/lib/kubelet/pki";
const KUBELET_CERTIFICATE = "kubelet-client-current.pem";
/** Milliseconds for asking etcd, which may wait for members that are not there. */
const MEMBERS_DEADLINE = 3_000;

/**
 * How etcd's directory is: `absent` while its volume is not there yet, `void` where this machine's own
 * etcd was cut off before it decided anything.
 */
export type EtcdData = "absent" | "blank" | "void" | "present";

/** What Talos says of its machine and of etcd, all asked within a moment. */
export interface EtcdFacts {
  /** `init` is Talos' old kind of first machine, which makes a cluster by itself. */
  readonly machine: v.InferOutput<typeof machineSchema>;
  /** Changes when machined starts anew; "" while it is not known. */
  readonly life: string;
  /** The machine's addresses, canonical. */
  readonly addresses: readonly string[];
  /** `host:port` of the cluster's API server; undefined before Talos has its configuration. */
  readonly endpoint: { readonly host: string; readonly port: number } | undefined;
  /** Certificates of the authorities that may have signed an API server's, PEM. */
  readonly authorities: readonly string[];
  /** The private key of etcd's authority, which only control planes of one site have. */
  readonly siteSecret: string | undefined;
  /** etcd's service; undefined while it is not loaded. */
  readonly service: EtcdService | undefined;
  readonly data: EtcdData;
  /** An API server has given the kubelet a certificate. */
  readonly kubeletJoined: boolean;
  /** The members, where an etcd answers. */
  readonly members: readonly ControlPlaneNode[];
  /** Control planes that Talos' discovery knows; empty where it is off. */
  readonly discovered: readonly ControlPlaneNode[];
}

/** How etcd's service is. */
export interface EtcdService {
  readonly state: string;
  readonly message: string;
  /** Changes when the service is loaded anew, as for a bootstrap; "" where that is not known. */
  readonly runner: string;
}

/** A control plane that is known; its addresses are canonical, and may not be all. */
export interface ControlPlaneNode {
  readonly name: string;
  readonly addresses: readonly string[];
}

const keyPair = v.object({ crt: v.string(), key: v.string() });
const etcdRootSchema = v.object({ etcdCA: keyPair });
const rootSchema = v.object({
  endpoint: v.nullable(v.object({ host: v.string() })),
  issuingCA: v.nullable(v.object({ crt: v.string() })),
  acceptedCAs: v.optional(v.nullable(v.array(v.object({ crt: v.string() })))),
});
const addressesSchema = v.object({ addresses: v.nullable(v.array(v.string())) });
const memberSchema = v.object({
  hostname: v.string(),
  machineType: v.string(),
  addresses: v.nullable(v.array(v.string())),
});
const machineSchema = v.picklist(["init", "controlplane", "worker", "unknown"]);

/**
 * Looks at the machine.
 *
 * @throws {TalosError} when something that matters cannot be asked, and valibot's error for an answer of
 * another shape than that of Talos 1.13. Nothing is taken for granted then.
 */
export async function lookAtTalos(client: TalosClient, options: CallOptions): Promise<EtcdFacts> {
  const type = await client.resource(RESOURCES.machineType, options);
  const machine = v.parse(machineSchema, type?.spec ?? "unknown");
  const life = type?.created ?? "";
  if (machine !== "controlplane") return { ...NOTHING, machine, life };
  const [service, data, kubeletPki, members, discovered, addresses, site] = await Promise.all([
    etcdService(client, options),
    client.namesIn(ETCD_DATA, options),
    client.namesIn(KUBELET_PKI, options),
    etcdMembers(client, options),
    discoveredNodes(client, options),
    ownAddresses(client, options),
    siteFacts(client, options),
  ]);
  return {
    ...{ machine, life, service, members, discovered, addresses, ...site },
    data: data === undefined ? "absent" : data.length === 0 ? "blank" : "present",
    kubeletJoined: kubeletPki?.includes(KUBELET_CERTIFICATE) ?? false,
  };
}

/** What is known of a machine that is no control plane. */
const NOTHING: Omit<EtcdFacts, "machine" | "life"> = {
  addresses: [],
  endpoint: undefined,
  authorities: [],
  siteSecret: undefined,
  service: undefined,
  data: "absent",
  kubeletJoined: false,
  members: [],
  discovered: [],
};

async function etcdService(
  client: TalosClient,
  options: CallOptions,
): Promise<EtcdService | undefined> {
  const found = (await client.services(options)).find(({ id }) => id === "etcd");
  if (found === undefined) return undefined;
  const { state, message, since } = found;
  return { state, message, runner: since ?? "" };
}

/** Nobody who answers is no answer; it is no proof that there is no cluster either. */
async function etcdMembers(
  client: TalosClient,
  options: CallOptions,
): Promise<ControlPlaneNode[]> {
  try {
    const members = await client.etcdMembers({ ...options, deadline: MEMBERS_DEADLINE });
    return members.map(({ name, id, peerUrls }) => ({
      name: name === "" ? id : name,
      addresses: peerUrls.flatMap((url) => addressIn(url) ?? []),
    }));
  } catch (error) {
    if (error instanceof TalosError && error.disposition !== "terminal") return [];
    throw error;
  }
}

async function discoveredNodes(
  client: TalosClient,
  options: CallOptions,
): Promise<ControlPlaneNode[]> {
  const members = (await client.resources(DISCOVERED_MEMBERS, { deadline: LIST, ...options }))
    .map(({ spec }) => v.parse(memberSchema, spec));
  return members.filter(({ machineType }) => machineType !== "worker").map((member) => ({
    name: member.hostname,
    addresses: (member.addresses ?? []).flatMap((each) => canonicalAddress(each) ?? []),
  }));
}

/** Milliseconds for a list of resources. */
const LIST = 10_000;

/** The machine's addresses, canonical. @throws as {@linkcode lookAtTalos} does. */
export async function ownAddresses(client: TalosClient, options: CallOptions): Promise<string[]> {
  const resource = await client.resource(RESOURCES.nodeAddresses, options);
  if (resource === undefined) return [];
  const { addresses } = v.parse(addressesSchema, resource.spec);
  return (addresses ?? []).flatMap((each) => canonicalAddress(each.replace(/\/.*$/, "")) ?? []);
}

async function siteFacts(
  client: TalosClient,
  options: CallOptions,
): Promise<Pick<EtcdFacts, "endpoint" | "authorities" | "siteSecret">> {
  const [kubernetes, etcd] = await Promise.all([
    client.resource(RESOURCES.kubernetesRoot, options),
    client.resource(RESOURCES.etcdRoot, options),
  ]);
  const key = etcd === undefined ? "" : v.parse(etcdRootSchema, etcd.spec).etcdCA.key;
  const siteSecret = key === "" ? undefined : key;
  if (kubernetes === undefined) return { endpoint: undefined, authorities: [], siteSecret };
  const { endpoint, issuingCA, acceptedCAs } = v.parse(rootSchema, kubernetes.spec);
  const certificates = [...(issuingCA === null ? [] : [issuingCA]), ...(acceptedCAs ?? [])];
  return {
    siteSecret,
    endpoint: endpoint === null ? undefined : hostAndPort(endpoint.host),
    authorities: certificates.map(({ crt }) => atob(crt)),
  };
}

/** The address in a URL of etcd. */
function addressIn(url: string): string | undefined {
  const { hostname } = URL.parse(url) ?? { hostname: "" };
  return canonicalAddress(hostname.replace(/^\[(.*)\]$/, "$1"));
}

/** Of `host:port`, where the port may be left out and IPv6 has brackets (Go's url.URL). */
function hostAndPort(text: string): EtcdFacts["endpoint"] {
  const parts = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(text);
  if (parts === null) return undefined;
  const host = (parts[1] ?? "").replace(/^\[(.*)\]$/, "$1");
  return { host: canonicalAddress(host) ?? host, port: Number(parts[2] ?? HTTPS) };
}

const HTTPS = 443;
