import { type Layout, nodeIp, SERVICE_CIDR, type Subnet } from "./layout.ts";
import { pkiDir } from "./pki.ts";
import type { Tools } from "./tools.ts";

/** The daemons of a node, by the names that tests use. */
export const CONTROL_PLANE = ["etcd", "apiserver", "controller-manager", "scheduler"] as const;
export const WORKER = ["containerd", "kubelet", "proxy"] as const;
/** A daemon's name. */
export type DaemonName = typeof CONTROL_PLANE[number] | typeof WORKER[number];

/** What a daemon's command line depends on. */
export interface DaemonContext {
  readonly layout: Layout;
  readonly subnet: Subnet;
  readonly tools: Tools;
  /** From 1. */
  readonly node: number;
  readonly controlPlanes: number;
  /** Whether etcd flushes every write. */
  readonly fsync: boolean;
  /** Whether the API server notes writing requests. */
  readonly audit: boolean;
}

/** Where it does: a line of JSON for each, an Event of `audit.k8s.io/v1`; a path in the node. */
export const AUDIT_LOG = "/var/log/audit.log";

/** How a daemon is started. */
export interface DaemonCommand {
  readonly argv: readonly string[];
  /** Started again when it ends by itself. */
  readonly restart: boolean;
}

/** The command line of one daemon of one node. */
export function daemonCommand(name: DaemonName, context: DaemonContext): DaemonCommand {
  // These two end by themselves when they lose their lease.
  const restart = name === "controller-manager" || name === "scheduler";
  return { argv: ARGUMENTS[name](context), restart };
}

const ARGUMENTS: Readonly<Record<DaemonName, (context: DaemonContext) => string[]>> = {
  etcd: (c) => {
    const ip = nodeIp(c.subnet, c.node);
    return [
      c.tools.etcd,
      `--name=node${c.node}`,
      "--data-dir=/var/lib/etcd",
      `--listen-client-urls=http://127.0.0.1:2379,http://${ip}:2379`,
      `--advertise-client-urls=http://${ip}:2379`,
      `--listen-peer-urls=http://${ip}:2380`,
      `--initial-advertise-peer-urls=http://${ip}:2380`,
      `--initial-cluster=${members(c, (name, address) => `${name}=http://${address}:2380`)}`,
      "--initial-cluster-state=new",
      "--log-level=warn",
      ...(c.fsync ? [] : ["--unsafe-no-fsync"]),
    ];
  },
  apiserver: (c) => [c.tools.kube, "kube-apiserver", ...apiserverFlags(c)],
  "controller-manager": (c) => [
    c.tools.kube,
    "kube-controller-manager",
    ...controllerFlags(c, "controller-manager"),
    `--root-ca-file=${pkiDir(c.layout)}/ca.crt`,
    `--service-account-private-key-file=${pkiDir(c.layout)}/sa.key`,
    `--cluster-signing-cert-file=${pkiDir(c.layout)}/ca.crt`,
    `--cluster-signing-key-file=${pkiDir(c.layout)}/ca.key`,
    "--use-service-account-credentials=true",
    "--allocate-node-cidrs=false",
    // The default rate makes the first start three seconds longer.
    "--kube-api-qps=300",
    "--kube-api-burst=500",
    "--node-monitor-grace-period=20s",
  ],
  scheduler: (c) => [c.tools.kube, "kube-scheduler", ...controllerFlags(c, "scheduler")],
  containerd: (c) => [
    c.tools.containerd,
    "--config=/etc/containerd/config.toml",
    "--log-level=info",
  ],
  kubelet: (c) => [
    c.tools.kube,
    "kubelet",
    "--config=/etc/kubernetes/kubelet.yaml",
    "--kubeconfig=/etc/kubernetes/kubelet.conf",
    `--hostname-override=node${c.node}`,
    `--node-ip=${nodeIp(c.subnet, c.node)}`,
    "--root-dir=/var/lib/kubelet",
    "--v=2",
  ],
  proxy: (c) => [c.tools.kube, "kube-proxy", "--config=/etc/kubernetes/proxy.yaml", "--v=2"],
};

function members(c: DaemonContext, format: (name: string, ip: string) => string): string {
  return Array.from({ length: c.controlPlanes }, (_, at) => at + 1)
    .map((node) => format(`node${node}`, nodeIp(c.subnet, node)))
    .join(",");
}

function apiserverFlags(c: DaemonContext): string[] {
  const pki = pkiDir(c.layout);
  return [
    `--etcd-servers=${members(c, (_, ip) => `http://${ip}:2379`)}`,
    `--advertise-address=${nodeIp(c.subnet, c.node)}`,
    "--bind-address=0.0.0.0",
    "--secure-port=6443",
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    "--allow-privileged=true",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--admission-control-config-file=/etc/kubernetes/admission.yaml",
    `--client-ca-file=${pki}/ca.crt`,
    `--tls-cert-file=${pki}/apiserver.crt`,
    `--tls-private-key-file=${pki}/apiserver.key`,
    `--kubelet-client-certificate=${pki}/kubelet-client.crt`,
    `--kubelet-client-key=${pki}/kubelet-client.key`,
    `--kubelet-certificate-authority=${pki}/ca.crt`,
    "--kubelet-preferred-address-types=InternalIP",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--service-account-key-file=${pki}/sa.pub`,
    `--service-account-signing-key-file=${pki}/sa.key`,
    `--requestheader-client-ca-file=${pki}/front-proxy-ca.crt`,
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    `--proxy-client-cert-file=${pki}/front-proxy-client.crt`,
    `--proxy-client-key-file=${pki}/front-proxy-client.key`,
    "--enable-aggregator-routing=true",
    ...(c.audit
      ? [`--audit-log-path=${AUDIT_LOG}`, "--audit-policy-file=/etc/kubernetes/audit.yaml"]
      : []),
    "--profiling=false",
    "--v=1",
  ];
}

function controllerFlags(c: DaemonContext, name: string): string[] {
  const config = `/etc/kubernetes/${name}.conf`;
  return [
    `--kubeconfig=${config}`,
    `--authentication-kubeconfig=${config}`,
    `--authorization-kubeconfig=${config}`,
    "--bind-address=127.0.0.1",
    // With one control plane a lease only costs up to 15 s after a kill.
    `--leader-elect=${c.controlPlanes > 1}`,
    // Its own certificate would be RSA and take a second to make.
    "--tls-cert-file=/etc/kubernetes/node.crt",
    "--tls-private-key-file=/etc/kubernetes/node.key",
    "--profiling=false",
    "--v=1",
  ];
}
