import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { layoutOf, MAX_NODES, nodeIp } from "../cluster/layout.ts";
import { checkPrerequisites } from "../cluster/mod.ts";
import { countOutside, createBridge } from "../cluster/network.ts";
import { tearDown } from "../cluster/teardown.ts";
import { type ConfiguredNode, machineConfigs, sandboxPatch } from "./machine_config.ts";
import { type SitePlan, TalosNode } from "./node.ts";
import { makeRoot } from "./root_fs.ts";

/** Which site to make. */
export interface SiteOptions {
  /** Lower-case letters, digits, inner hyphens; at most 20. */
  readonly name: string;
  /** Its nodes, at most {@linkcode MAX_NODES}; the first is a control plane. */
  readonly nodes: readonly ConfiguredNode[];
  /** A patch for every node, after its own, made of the addresses of all. */
  readonly shared?: (addresses: readonly string[]) => string;
}

/** Talos nodes that share secrets and a network with no way out. None is on at first. */
export class TalosSite implements AsyncDisposable {
  private constructor(readonly plan: SitePlan, readonly nodes: readonly TalosNode[]) {}

  /**
   * Makes everything that nodes need to boot. If it cannot, it removes what it made.
   *
   * @throws {ClusterError} with the reason; `PrerequisiteMissing` says what to install.
   */
  static async create({ name, nodes, shared }: SiteOptions): Promise<TalosSite> {
    const layout = layoutOf(name);
    checkPrerequisites();
    if (nodes.length > MAX_NODES) throw new RangeError(`${nodes.length} nodes`);
    // What a crashed run may have left.
    await tearDown(layout);
    try {
      await Deno.mkdir(layout.state, { recursive: true, mode: 0o755 });
      const root = `${layout.state}/root`;
      await Deno.mkdir(root);
      await makeRoot(root);
      const subnet = await createBridge(layout);
      const tool = await ensureTool(TOOLS.node);
      const plan = { layout, subnet, tool, root, nodes: nodes.length };
      const last = shared?.(nodes.map((_, at) => nodeIp(subnet, at + 1)));
      const patched = nodes.map(({ type, patches }, at) => ({
        type,
        patches: [...patches, ...(last ? [last] : []), sandboxPatch(`node${at + 1}`)],
      }));
      const configs = await machineConfigs(name, nodeIp(subnet, 1), patched);
      return new TalosSite(plan, configs.map((config, at) => new TalosNode(plan, at + 1, config)));
    } catch (error) {
      await tearDown(layout);
      throw error;
    }
  }

  /** The node of a number, from 1. */
  node(number: number): TalosNode {
    const found = this.nodes[number - 1];
    if (found === undefined) throw new RangeError(`there is no node ${number}`);
    return found;
  }

  /** How many packets the nodes sent to an address outside the site's own networks. */
  outsidePackets(): Promise<number> {
    return countOutside(this.plan.subnet);
  }

  /** Ends everything and leaves nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await tearDown(this.plan.layout);
  }
}
