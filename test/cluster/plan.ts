import * as v from "valibot";
import { ClusterError } from "./errors.ts";
import type { Layout, Subnet } from "./layout.ts";
import type { Tools } from "./tools.ts";

/** What a running cluster is. It is kept in the state directory, so that another process can join. */
export interface ClusterPlan {
  readonly layout: Layout;
  readonly subnet: Subnet;
  readonly tools: Tools;
  readonly nodes: number;
  readonly controlPlanes: number;
  readonly fsync: boolean;
  readonly audit: boolean;
  readonly registryMode: "plain" | "mirror";
  readonly proxyMode: "nftables" | "iptables";
  readonly logsDir: string;
}

const Plan = v.object({
  layout: v.object({ name: v.string(), state: v.string(), cgroup: v.string(), mac: v.string() }),
  subnet: v.object({
    index: v.number(),
    bridge: v.string(),
    cidr: v.string(),
    host: v.string(),
  }),
  tools: v.object({
    kube: v.string(),
    etcd: v.string(),
    containerd: v.string(),
    shim: v.string(),
    ctr: v.string(),
    node: v.string(),
  }),
  nodes: v.number(),
  controlPlanes: v.number(),
  fsync: v.boolean(),
  audit: v.boolean(),
  registryMode: v.picklist(["plain", "mirror"]),
  proxyMode: v.picklist(["nftables", "iptables"]),
  logsDir: v.string(),
});

function planPath(layout: Layout): string {
  return `${layout.state}/cluster.json`;
}

/** Keeps the plan in the cluster's state directory. */
export async function savePlan(plan: ClusterPlan): Promise<void> {
  await Deno.writeTextFile(planPath(plan.layout), JSON.stringify(plan));
}

/** @throws {ClusterError} `NotUp` when there is no such cluster. */
export async function loadPlan(layout: Layout): Promise<ClusterPlan> {
  try {
    return v.parse(Plan, JSON.parse(await Deno.readTextFile(planPath(layout))));
  } catch (cause) {
    throw new ClusterError({
      reason: "NotUp",
      message: `there is no cluster called ${layout.name}`,
      remedy: `start it with: deno task cluster up --name ${layout.name}`,
      cause,
    });
  }
}
