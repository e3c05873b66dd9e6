import type { ControlPlaneNode, EtcdFacts } from "./etcd_facts.ts";
import type { EtcdMemory } from "./etcd_marker.ts";
import { isEverywhere } from "./node_address.ts";

/** What this machine by itself can say of the cluster's beginning. */
export type EtcdVerdict =
  /** There was a cluster: none is made here, whatever comes. `seen` is how that is known. */
  | { readonly kind: "over"; readonly seen: string }
  /** Nothing to do on such a machine. */
  | { readonly kind: "none"; readonly text: string }
  /** Another machine makes the cluster. */
  | { readonly kind: "joins"; readonly first: string }
  /** Not now. */
  | { readonly kind: "wait"; readonly text: string; readonly wrong?: boolean }
  /** Talos was asked and is at it. */
  | { readonly kind: "making"; readonly text: string }
  /** Nothing here is against it; `others` must agree. */
  | { readonly kind: "first"; readonly self: string; readonly others: readonly string[] };

/**
 * Judges what is known of this machine.
 *
 * @param controlPlanes the list of the site, canonical; empty where there is none.
 */
export function judgeMachine(
  facts: EtcdFacts,
  memory: EtcdMemory,
  controlPlanes: readonly string[],
): EtcdVerdict {
  const seen = memory.seen ?? evidenceOf(facts);
  if (seen !== undefined) return { kind: "over", seen };
  switch (facts.machine) {
    case "unknown":
      return { kind: "wait", text: "this machine does not know yet what it is" };
    case "worker":
      return { kind: "none", text: "this machine is a worker" };
    case "init":
      return { kind: "none", text: "this machine is of type init and makes its etcd by itself" };
    case "controlplane":
      return judgeControlPlane(facts, memory, controlPlanes);
  }
}

function judgeControlPlane(
  facts: EtcdFacts,
  memory: EtcdMemory,
  controlPlanes: readonly string[],
): EtcdVerdict {
  const place = placeOf(facts, controlPlanes);
  if (place.kind !== "first") return place;
  return unlisted(facts, controlPlanes) ?? ready(facts, memory) ?? place;
}

/** How it is known that there is a cluster, or was one, in which this machine is or should be. */
export function evidenceOf(facts: EtcdFacts): string | undefined {
  const { data, kubeletJoined, members } = facts;
  if (members.length > 0) {
    return `etcd has the members ${members.map(({ name }) => name).join(", ")}`;
  }
  if (data === "present") return "etcd has data on this machine";
  if (kubeletJoined) return "an API server has given this machine's kubelet a certificate";
  return undefined;
}

/**
 * What of the settings would let a blank first machine begin a second cluster, once there is one: it
 * asks only whom its list names.
 */
export function hazardOf(facts: EtcdFacts, controlPlanes: readonly string[]): string | undefined {
  const { addresses, members } = facts;
  const isListed = controlPlanes.length === 0 || addresses.length === 0 ||
    controlPlanes.some((address) => addresses.includes(address));
  if (!isListed) return `this machine (${addresses.join(", ")}) is not among ${LIST}`;
  const stranger = strangerTo(facts, controlPlanes);
  if (stranger !== undefined) return `${described([stranger])} is not among ${LIST}`;
  if (members.length <= Math.max(controlPlanes.length, 1)) return undefined;
  // Of a member one address is known, which need not be the one that is listed.
  const unknown = members.filter((member) => isUnlisted(member, facts, controlPlanes));
  const who = unknown.length === 0 ? "" : `: ${described(unknown)}`;
  return `etcd has ${members.length} members and ${LIST} does not name them all${who}`;
}

const LIST = "bootstrap.control-planes";

function described(nodes: readonly ControlPlaneNode[]): string {
  return nodes.map(({ name, addresses }) => `${name} (${addresses.join(", ")})`).join(", ");
}

/** Which machine it is that makes the cluster. */
function placeOf(facts: EtcdFacts, controlPlanes: readonly string[]): EtcdVerdict {
  if (facts.addresses.length === 0) return wait("this machine has no address yet");
  if (controlPlanes.length === 0) return soleOf(facts);
  const [first = ""] = controlPlanes;
  const own = controlPlanes.filter((address) => facts.addresses.includes(address));
  const [self] = own;
  if (self === undefined) {
    return wrong(
      `no address of this machine (${facts.addresses.join(", ")}) is among ` +
        `${LIST} (${controlPlanes.join(", ")})`,
    );
  }
  if (own.length > 1) {
    return wrong(
      `${LIST} has several addresses of this machine: ${own.join(", ")}`,
    );
  }
  if (self !== first) return { kind: "joins", first };
  return { kind: "first", self, others: controlPlanes.filter((address) => address !== self) };
}

/** A site without a list is one of a single control plane, and the cluster's endpoint is its address. */
function soleOf({ endpoint, addresses }: EtcdFacts): EtcdVerdict {
  if (endpoint === undefined) return wait("Talos does not know the cluster's endpoint yet");
  const { host } = endpoint;
  const remedy = `name the site's control planes in ${LIST}`;
  // Two machines may both have such a name or address, so it does not say which of them begins.
  if (isEverywhere(host)) {
    return wrong(`the cluster's endpoint ${host} is on every machine; ${remedy}`);
  }
  if (addresses.includes(host)) return { kind: "first", self: host, others: [] };
  return wrong(`the cluster's endpoint ${host} is no address of this machine; ${remedy}`);
}

/** A control plane that the settings do not name would not be asked. */
function unlisted(facts: EtcdFacts, controlPlanes: readonly string[]): EtcdVerdict | undefined {
  const stranger = strangerTo(facts, controlPlanes);
  if (stranger === undefined) return undefined;
  return wrong(
    `Talos knows of the control plane ${described([stranger])}, which is not among ${LIST}`,
  );
}

/** A control plane that discovery knows, with all its addresses, and no list. */
function strangerTo(
  facts: EtcdFacts,
  controlPlanes: readonly string[],
): ControlPlaneNode | undefined {
  return facts.discovered.find((node) => isUnlisted(node, facts, controlPlanes));
}

function isUnlisted(
  node: ControlPlaneNode,
  { addresses: own }: EtcdFacts,
  controlPlanes: readonly string[],
): boolean {
  return !node.addresses.some((address) =>
    own.includes(address) || controlPlanes.includes(address)
  );
}

/** What has to come first on this machine. */
function ready(facts: EtcdFacts, memory: EtcdMemory): EtcdVerdict | undefined {
  const { service, data } = facts;
  if (facts.endpoint === undefined || facts.authorities.length === 0 || !facts.siteSecret) {
    return wait("Talos does not have the site's secrets yet");
  }
  if (service === undefined) return wait("Talos has not loaded etcd yet");
  const { state, message } = service;
  if (isMaking(facts, memory)) {
    return { kind: "making", text: `Talos makes the cluster; etcd: ${state}: ${message}` };
  }
  // What runs on void data runs on nothing, also after that was taken away.
  if (!MAY_BE_ASKED.includes(state) && data !== "void" && !wasCleared(facts, memory)) {
    return wait(`etcd: ${state}: ${message}`);
  }
  if (data === "absent") return wait("etcd's data directory is not there yet");
  return undefined;
}

/** States in which etcd's service waits for a cluster, or has given up doing so. */
const MAY_BE_ASKED: readonly string[] = ["Preparing", "Failed", "Finished"];

/**
 * Whether machined has loaded etcd anew since it started, which it does when it is asked to make a
 * cluster, by whomever. When it starts anew before there is data, it forgets that it was asked.
 */
export function wasAsked({ life, service }: EtcdFacts, { boot }: EtcdMemory): boolean {
  return boot !== undefined && service !== undefined && boot.life === life &&
    service.runner !== "" && boot.runner !== service.runner;
}

/** Whether this etcd's data was void and is gone. */
function wasCleared({ life, service }: EtcdFacts, { cleared }: EtcdMemory): boolean {
  return cleared !== undefined && service !== undefined && service.runner !== "" &&
    cleared.life === life && cleared.runner === service.runner;
}

/** An etcd that has failed at it does not go on by itself: it has to be asked again. */
function isMaking(facts: EtcdFacts, memory: EtcdMemory): boolean {
  return wasAsked(facts, memory) && facts.service?.state !== "Failed";
}

function wait(text: string): EtcdVerdict {
  return { kind: "wait", text };
}

function wrong(text: string): EtcdVerdict {
  return { kind: "wait", text, wrong: true };
}
