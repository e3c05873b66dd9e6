import { digestHex, digestOf } from "../../src/std/mod.ts";
import { ClusterError } from "./errors.ts";

/** The most nodes that one cluster may have; certificates name them all. */
export const MAX_NODES = 9;
/** How many clusters may run at once: each takes one subnet of 172.29.0.0/16. */
export const MAX_CLUSTERS = 64;

/** Addresses that every cluster uses inside its nodes; clusters do not see one another. */
export const POD_CIDR = "10.244.0.0/16";
export const SERVICE_CIDR = "10.96.0.0/12";
export const SERVICE_API_IP = "10.96.0.1";
export const SERVICE_DNS_IP = "10.96.0.10";
/** The image of every pod's sandbox, the only one that nodes hold from the start. */
export const PAUSE_IMAGE = "registry.k8s.io/pause:3.10.1";

/**
 * The paths and names that belong to a cluster. All follow from its name and the state root, so that
 * `down` finds what a crashed `up` left without any record of it.
 */
export interface Layout {
  readonly name: string;
  /** Everything that the cluster writes. */
  readonly state: string;
  /** Directory of the cluster in each cgroup hierarchy. */
  readonly cgroup: string;
  /** Hardware address of the bridge; it says whose bridge it is. */
  readonly mac: string;
}

/** The directory that holds the state of all clusters: `$HOLDFAST_STATE`, else under /var/lib. */
export function stateRoot(get: (name: string) => string | undefined = Deno.env.get): string {
  return get("HOLDFAST_STATE") || "/var/lib/holdfast-test";
}

/** @throws {ClusterError} `InvalidName` when the name cannot be part of a host or file name. */
export function layoutOf(name: string, root = stateRoot()): Layout {
  if (!/^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/.test(name)) {
    throw new ClusterError({
      reason: "InvalidName",
      message: `a cluster cannot be called ${JSON.stringify(name)}`,
      remedy: "use 1 to 20 lower-case letters, digits and inner hyphens",
    });
  }
  const state = `${root}/${name}`;
  const hash = digestHex(digestOf(state));
  const pairs = hash.slice(0, 10).match(/../g) ?? [];
  return {
    name,
    state,
    cgroup: `holdfast-${name}-${hash.slice(0, 6)}`,
    // 02: locally administered, unicast (IEEE 802).
    mac: ["02", ...pairs].join(":"),
  };
}

/** Host directory of a node: `var`, `tmp`, `etc`, `etc.work`. */
export function nodeDir(layout: Layout, node: number): string {
  return `${layout.state}/nodes/node${node}`;
}

/** The pause image as an OCI archive. */
export function pauseArchive(layout: Layout): string {
  return `${layout.state}/pause.tar`;
}

/** Addresses of one cluster, from the index of its subnet. */
export interface Subnet {
  readonly index: number;
  /** The bridge on the host. */
  readonly bridge: string;
  readonly cidr: string;
  /** The host's own address in it. */
  readonly host: string;
}

/** Subnet number `index`, below {@linkcode MAX_CLUSTERS}. */
export function subnetOf(index: number): Subnet {
  return {
    index,
    bridge: `hft${index}`,
    cidr: `172.29.${index}.0/24`,
    host: `172.29.${index}.1`,
  };
}

/** Address of node `node` (counted from 1). */
export function nodeIp(subnet: Subnet, node: number): string {
  return `172.29.${subnet.index}.${10 + node}`;
}

/** Pod addresses of node `node`. */
export function podCidr(node: number): string {
  return `10.244.${node}.0/24`;
}
