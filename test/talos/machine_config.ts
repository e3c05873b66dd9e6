import * as v from "valibot";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { run } from "../cluster/run.ts";

const Generated = v.array(v.object({
  config: v.string(),
  contains: v.looseObject({
    services: v.array(v.looseObject({ name: v.string(), files: v.record(v.string(), v.string()) })),
  }),
}));

/** A node that a configuration is made for. */
export interface ConfiguredNode {
  readonly type: "controlplane" | "worker";
  /** YAML, in the order in which they are applied. */
  readonly patches: readonly string[];
}

/** A node's machine configuration. */
export interface MachineConfig {
  /** The whole of it, YAML. */
  readonly text: string;
  /** What its ExtensionServiceConfigs mount, content by the path where machined writes it. */
  readonly files: Readonly<Record<string, string>>;
}

/** Where machined keeps them (Talos 1.13, constants.ExtensionServiceUserConfigPath). */
const SERVICE_FILES = "/system/overlays/extensions";

/** The examples' patches and what the sandbox needs, for one node. */
export async function machineConfigs(
  name: string,
  endpoint: string,
  nodes: readonly ConfiguredNode[],
): Promise<MachineConfig[]> {
  const tool = await ensureTool(TOOLS.talosConfig);
  const stdin = JSON.stringify({ name, endpoint, nodes });
  const answer = v.parse(Generated, JSON.parse(await run(tool, ["generate"], { stdin })));
  return answer.map(({ config, contains }) => ({
    text: config,
    files: Object.fromEntries(
      contains.services.flatMap(({ name, files }) =>
        Object.entries(files).map(([path, content]) => [serviceFile(name, path), content])
      ),
    ),
  }));
}

/** Where machined writes a file of a service (Talos 1.13, extension_service_config_files.go). */
export function serviceFile(service: string, mountPath: string): string {
  return `${SERVICE_FILES}/${service}/${mountPath.replace(/^\//, "").replaceAll("/", "-")}`;
}

/** What a machine without cgroup controllers, and without a disk and a time server, needs. */
export function sandboxPatch(hostname: string): string {
  return `machine:
  kubelet:
    extraConfig:
      cgroupsPerQOS: false
      # An empty list is dropped.
      enforceNodeAllocatable: [none]
      failCgroupV1: false
      # Talos has the kubelet ask for static pods, which it does every twenty seconds.
      httpCheckFrequency: 1s
      # The programs of test/cluster write no JSON.
      logging: { format: text }
      # The disk is the machine's: small thresholds, or a full one evicts the test's pods.
      evictionHard:
        memory.available: 100Mi
        nodefs.available: 1%
        imagefs.available: 1%
      imageGCHighThresholdPercent: 99
      imageGCLowThresholdPercent: 98
cluster:
  network:
    # The plugins of test/cluster, which are laid in the node: flannel has no program here.
    cni:
      name: none
  coreDNS:
    disabled: true
---
apiVersion: v1alpha1
kind: HostnameConfig
auto: off
hostname: ${hostname}
`;
}
