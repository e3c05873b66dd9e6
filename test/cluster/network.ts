import * as v from "valibot";
import { ClusterError } from "./errors.ts";
import {
  type Layout,
  MAX_CLUSTERS,
  nodeIp,
  POD_CIDR,
  podCidr,
  SERVICE_CIDR,
  type Subnet,
  subnetOf,
} from "./layout.ts";
import { run, tryRun } from "./run.ts";

/** The only address that a node's resolver asks; it is outside, so a look-up is counted. */
export const OUTSIDE_RESOLVER = "203.0.113.53";

/** The bridge of a cluster as it is on the host, or undefined. */
export async function findSubnet(layout: Layout): Promise<Subnet | undefined> {
  const links = v.parse(
    v.array(v.object({ ifname: v.string(), address: v.optional(v.string()) })),
    JSON.parse(await run("ip", ["-json", "link", "show", "type", "bridge"]) || "[]"),
  );
  const own = links.find((link) => link.address === layout.mac && /^hft\d+$/.test(link.ifname));
  return own === undefined ? undefined : subnetOf(Number(own.ifname.slice("hft".length)));
}

/**
 * Takes a free subnet by making its bridge: the kernel refuses a second one of the same name, so two
 * clusters that start at once get different ones.
 *
 * @throws {ClusterError} `NoFreeSubnet`.
 */
export async function createBridge(layout: Layout): Promise<Subnet> {
  for (let index = 0; index < MAX_CLUSTERS; index++) {
    const subnet = subnetOf(index);
    const made = await tryRun("ip", [
      "link",
      "add",
      "name",
      subnet.bridge,
      "address",
      layout.mac,
      "type",
      "bridge",
    ]);
    if (made.code !== 0 && /File exists/.test(made.stderr)) continue;
    if (made.code !== 0) {
      throw new ClusterError({ reason: "CommandFailed", message: `ip: ${made.stderr.trim()}` });
    }
    await run("nft", ["-f", "-"], { stdin: fence(subnet) });
    await run("ip", ["-batch", "-"], {
      stdin: `addr add ${subnet.host}/24 dev ${subnet.bridge}\nlink set ${subnet.bridge} up\n`,
    });
    return subnet;
  }
  throw new ClusterError({
    reason: "NoFreeSubnet",
    message: `all ${MAX_CLUSTERS} subnets are in use`,
    remedy: "end clusters that are no longer needed with `deno task cluster down --name …`",
  });
}

/**
 * The rules on the host's side of the bridge: the nodes reach one another, the host reaches the
 * nodes, and everything else is counted and dropped before it is routed.
 */
export function fence(subnet: Subnet): string {
  return `table inet ${subnet.bridge} {
  counter outside { }
  chain fence {
    type filter hook prerouting priority mangle; policy accept;
    iifname != "${subnet.bridge}" accept
    meta pkttype { broadcast, multicast } drop
    ip daddr ${subnet.host} tcp flags & (syn | ack) != syn accept
    ip daddr ${subnet.host} icmp type { echo-reply, destination-unreachable } accept
    ip daddr ${subnet.host} counter name outside drop
    ip daddr { ${subnet.cidr}, ${POD_CIDR}, ${SERVICE_CIDR} } accept
    ip6 daddr { fe80::/10, ff00::/8 } drop
    counter name outside drop
  }
  chain forward {
    type filter hook forward priority mangle; policy accept;
    iifname "${subnet.bridge}" oifname != "${subnet.bridge}" drop
  }
}
`;
}

/** How many packets of the nodes were for an address outside the cluster's own networks. */
export async function countOutside(subnet: Subnet): Promise<number> {
  const text = await run("nft", ["-j", "list", "counter", "inet", subnet.bridge, "outside"]);
  const answer = v.parse(
    v.object({
      nftables: v.array(v.object({ counter: v.optional(v.object({ packets: v.number() })) })),
    }),
    JSON.parse(text),
  );
  return answer.nftables.reduce((sum, item) => sum + (item.counter?.packets ?? 0), 0);
}

/** The host's end of a node's cable. */
export function cable(subnet: Subnet, node: number): string {
  return `${subnet.bridge}n${node}`;
}

/** Plugs a node (its namespace by the host's process id) into the bridge and gives it addresses. */
export async function plugIn(
  subnet: Subnet,
  node: number,
  nodes: number,
  pid: number,
): Promise<void> {
  const link = cable(subnet, node);
  await run("ip", ["-batch", "-"], {
    stdin: [
      `link add ${link} type veth peer name eth0 netns ${pid}`,
      `link set ${link} master ${subnet.bridge} up`,
      "",
    ].join("\n"),
  });
  const inside = ["-t", String(pid), "-n"];
  await run("nsenter", [...inside, "ip", "-batch", "-"], { stdin: inNode(subnet, node, nodes) });
  await run("nsenter", [...inside, "nft", "-f", "-"], { stdin: masquerade(node) });
}

/** `ip -batch` lines that set up a node's interfaces and routes. */
export function inNode(subnet: Subnet, node: number, nodes: number): string {
  const others = Array.from({ length: nodes }, (_, at) => at + 1).filter((other) => other !== node);
  return [
    "link set lo up",
    `addr add ${nodeIp(subnet, node)}/24 dev eth0`,
    "link set eth0 up",
    // Also in an air gap: without it a process of the node cannot connect to a ClusterIP.
    `route add default via ${subnet.host}`,
    ...others.map((other) => `route add ${podCidr(other)} via ${nodeIp(subnet, other)}`),
    "",
  ].join("\n");
}

function masquerade(node: number): string {
  return `table ip node {
  chain postrouting {
    type nat hook postrouting priority 90;
    ip saddr ${podCidr(node)} ip daddr != { ${POD_CIDR}, 224.0.0.0/4 } masquerade
  }
}
`;
}

/** Unplugs a node; fine when it is unplugged. */
export async function unplug(subnet: Subnet, node: number): Promise<void> {
  await tryRun("ip", ["link", "del", cable(subnet, node)]);
}

/** Removes bridge, cables and rules; fine when they are gone. */
export async function removeBridge(subnet: Subnet): Promise<void> {
  const links = v.parse(
    v.array(v.object({ ifname: v.string() })),
    JSON.parse(await run("ip", ["-json", "link", "show", "master", subnet.bridge]) || "[]"),
  );
  for (const link of links) await tryRun("ip", ["link", "del", link.ifname]);
  await tryRun("nft", ["delete", "table", "inet", subnet.bridge]);
  // Last: while it exists nobody else takes the subnet.
  await tryRun("ip", ["link", "del", subnet.bridge]);
}
