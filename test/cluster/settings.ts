/** The configuration files of a node's daemons. Why each value: docs/test-cluster.md. */
import { PAUSE_IMAGE, POD_CIDR, podCidr, SERVICE_DNS_IP } from "./layout.ts";

/** Where containerd looks up how to reach a registry: Talos' path. */
export const REGISTRY_HOSTS_DIR = "/etc/cri/conf.d/hosts";
/** Where the agent serves images on every node. */
export const NODE_REGISTRY = "http://127.0.0.1:31999";

/** What the kubelet sets machine-wide unless it finds it so (kubelet, cm.setupKernelTunables). */
export const KUBELET_TUNABLES: Readonly<Record<string, string>> = {
  "vm/overcommit_memory": "1",
  "vm/panic_on_oom": "0",
  "kernel/panic": "10",
  "kernel/panic_on_oops": "1",
  "kernel/keys/root_maxkeys": "1000000",
  "kernel/keys/root_maxbytes": "25000000",
};

/** How kube-proxy sends connections on; only with `iptables` a node port answers on 127.0.0.1. */
export type ProxyMode = "nftables" | "iptables";

/** How images that do not name the node registry are pulled. */
export type RegistryMode = "plain" | "mirror";

/** The network configuration of a node's pods. */
export function cniConfig(node: number): string {
  const bridge = {
    type: "bridge",
    bridge: "cni0",
    isGateway: true,
    ipMasq: false,
    hairpinMode: true,
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: podCidr(node) }]],
      routes: [{ dst: "0.0.0.0/0" }],
      // On /run: a power cut forgets the addresses, as the pods are gone too.
      dataDir: "/run/cni-ipam",
    },
  };
  const portmap = { type: "portmap", capabilities: { portMappings: true }, snat: true };
  return json({ cniVersion: "1.0.0", name: "pods", plugins: [bridge, portmap] });
}

/** containerd's configuration. */
export function containerdConfig(shim: string): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.nri.v1.nri",
  "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${PAUSE_IMAGE}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "${REGISTRY_HOSTS_DIR}"
[plugins."io.containerd.cri.v1.runtime"]
  # Without CAP_SYS_RESOURCE runc cannot lower the score, and no pod would start.
  restrict_oom_score_adj = true
  # Profiles are the machine's; a test leaves none behind.
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = "${shim}"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "runc"
      SystemdCgroup = false
`;
}

/**
 * Every registry name leads to the node registry. `server` is the mirror too: without it containerd
 * would try the real registry after the mirror's 404.
 */
export function mirrorHosts(): string {
  return `server = "${NODE_REGISTRY}"
[host."${NODE_REGISTRY}"]
  capabilities = ["pull", "resolve"]
`;
}

/** The kubelet's configuration. */
export function kubeletConfig(node: number, cgroup: string): string {
  return json({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}/node${node}`,
    enforceNodeAllocatable: ["pods"],
    failSwapOn: false,
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: "/etc/kubernetes/ca.crt" },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: "/etc/kubernetes/node.crt",
    tlsPrivateKeyFile: "/etc/kubernetes/node.key",
    staticPodPath: "/etc/kubernetes/manifests",
    resolvConf: "/etc/resolv.conf",
    clusterDomain: "cluster.local",
    clusterDNS: [SERVICE_DNS_IP],
    // The disk is the machine's: small thresholds, or a full one evicts the test's pods.
    evictionHard: {
      "memory.available": "100Mi",
      "nodefs.available": "1%",
      "imagefs.available": "1%",
      "nodefs.inodesFree": "1%",
    },
    imageGCHighThresholdPercent: 99,
    imageGCLowThresholdPercent: 98,
    nodeStatusUpdateFrequency: "5s",
    syncFrequency: "10s",
    makeIPTablesUtilChains: false,
    oomScoreAdj: 0,
  });
}

/** kube-proxy's configuration. */
export function proxyConfig(node: number, mode: ProxyMode = "nftables"): string {
  return json({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode,
    hostnameOverride: `node${node}`,
    clusterCIDR: POD_CIDR,
    clientConnection: { kubeconfig: "/etc/kubernetes/proxy.conf" },
    // nf_conntrack_max cannot be written in a network namespace: leave it.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    oomScoreAdj: 0,
    [mode]: { minSyncPeriod: "100ms", syncPeriod: "30s" },
  });
}

/** Pod Security as Talos sets it: baseline enforced, kube-system exempt. */
export function admissionConfig(): string {
  const latest = {
    "enforce-version": "latest",
    "audit-version": "latest",
    "warn-version": "latest",
  };
  const configuration = {
    apiVersion: "pod-security.admission.config.k8s.io/v1",
    kind: "PodSecurityConfiguration",
    defaults: { enforce: "baseline", audit: "restricted", warn: "restricted", ...latest },
    exemptions: { usernames: [], runtimeClasses: [], namespaces: ["kube-system"] },
  };
  return json({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AdmissionConfiguration",
    plugins: [{ name: "PodSecurity", configuration }],
  });
}

/** What the API server notes where it is asked to: who wrote what, without its content. */
export function auditPolicy(): string {
  return json({
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [{ level: "None", verbs: ["get", "list", "watch"] }, { level: "Metadata" }],
  });
}

/** JSON is YAML, so every reader of these files takes it. */
function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2) + "\n";
}
