import type { ClusterPlan } from "./plan.ts";
import { nodeDir, nodeIp } from "./layout.ts";
import { OUTSIDE_RESOLVER } from "./network.ts";
import { kubeconfig, pkiDir } from "./pki.ts";
import {
  admissionConfig,
  auditPolicy,
  cniConfig,
  containerdConfig,
  KUBELET_TUNABLES,
  kubeletConfig,
  mirrorHosts,
  proxyConfig,
  REGISTRY_HOSTS_DIR,
} from "./settings.ts";
import { cacheDir, REPOSITORY_ROOT } from "../../extension/build/go_tools.ts";
import { dirname } from "../../src/std/mod.ts";

/** The socket of a node's pid 1. */
export function socketPath(plan: ClusterPlan, node: number): string {
  return `${nodeDir(plan.layout, node)}/node.sock`;
}

/** The file that a node's pid 1 is started with. */
export function configPath(plan: ClusterPlan, node: number): string {
  return `${nodeDir(plan.layout, node)}/node.json`;
}

/** Where a node's processes find the API server. */
export function apiServer(plan: ClusterPlan, node: number): string {
  const host = node <= plan.controlPlanes ? "127.0.0.1" : nodeIp(plan.subnet, 1);
  return `https://${host}:6443`;
}

/**
 * Writes a node's directories and files. Only before it boots: a change under a mounted overlay's
 * upper directory is a stale file inside.
 */
export async function writeNodeFiles(plan: ClusterPlan, node: number): Promise<void> {
  const dir = nodeDir(plan.layout, node);
  const directories = ["etc", "etc.work", "tmp", ...["lib", "log", "tmp", "cache"].map(inVar)];
  for (const name of directories) await Deno.mkdir(`${dir}/${name}`, { recursive: true });
  await Promise.all([Deno.chmod(`${dir}/tmp`, 0o1777), Deno.chmod(`${dir}/var/tmp`, 0o1777)]);
  await linkIfMissing("../run", `${dir}/var/run`);
  for (const [path, content] of Object.entries(etcFiles(plan, node))) {
    const file = `${dir}/etc/${path}`;
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, content, path.includes("kubernetes/") ? { mode: 0o600 } : {});
  }
  await Deno.mkdir(`${dir}/etc/kubernetes/manifests`, { recursive: true });
  await Deno.writeTextFile(configPath(plan, node), JSON.stringify(bootConfig(plan, node)));
}

function inVar(name: string): string {
  return `var/${name}`;
}

/** Contents by path below /etc. */
function etcFiles(plan: ClusterPlan, node: number): Record<string, string> {
  const server = apiServer(plan, node);
  const config = (user: string) => kubeconfig(plan.layout, user, server);
  const pki = (file: string) => Deno.readTextFileSync(`${pkiDir(plan.layout)}/${file}`);
  const hosts = Array.from({ length: plan.nodes }, (_, at) => at + 1)
    .map((other) => `${nodeIp(plan.subnet, other)} node${other}\n`);
  return {
    "hosts": `127.0.0.1 localhost\n::1 localhost\n${hosts.join("")}`,
    "resolv.conf": `nameserver ${OUTSIDE_RESOLVER}\noptions timeout:1 attempts:1\n`,
    "cni/net.d/10-pods.conflist": cniConfig(node),
    "containerd/config.toml": containerdConfig(plan.tools.shim),
    ...(plan.registryMode === "mirror"
      ? { [`${REGISTRY_HOSTS_DIR.slice("/etc/".length)}/_default/hosts.toml`]: mirrorHosts() }
      : {}),
    "kubernetes/kubelet.yaml": kubeletConfig(node, plan.layout.cgroup),
    "kubernetes/proxy.yaml": proxyConfig(node, plan.proxyMode),
    "kubernetes/ca.crt": pki("ca.crt"),
    "kubernetes/node.crt": pki(`node${node}.crt`),
    "kubernetes/node.key": pki(`node${node}.key`),
    "kubernetes/kubelet.conf": config(`node${node}`),
    "kubernetes/proxy.conf": config("proxy"),
    "kubernetes/admin.conf": config("admin"),
    ...(node <= plan.controlPlanes
      ? {
        "kubernetes/admission.yaml": admissionConfig(),
        "kubernetes/audit.yaml": auditPolicy(),
        "kubernetes/controller-manager.conf": config("controller-manager"),
        "kubernetes/scheduler.conf": config("scheduler"),
      }
      : {}),
  };
}

/** What tools/node/boot.go reads. */
function bootConfig(plan: ClusterPlan, node: number) {
  return {
    hostname: `node${node}`,
    dir: nodeDir(plan.layout, node),
    socket: socketPath(plan, node),
    keep: [
      ...new Set([
        plan.layout.state,
        plan.logsDir,
        REPOSITORY_ROOT,
        // Builds that a test starts in a node find what is built.
        cacheDir(),
        ...Object.values(plan.tools).map(dirname),
      ]),
    ],
    tunables: KUBELET_TUNABLES,
  };
}

async function linkIfMissing(target: string, path: string): Promise<void> {
  try {
    await Deno.symlink(target, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}
