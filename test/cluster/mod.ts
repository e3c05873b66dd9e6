/**
 * A real Kubernetes cluster for tests: etcd, the Kubernetes components, containerd and runc, built
 * from pinned Go modules, each node a process tree in network, mount, process, host name and IPC
 * namespaces of its own. The nodes reach one another and nothing else; what they try to send
 * elsewhere is counted. `down` leaves nothing, whatever happened before.
 *
 * @module
 */
export * from "./cluster.ts";
export { AUDIT_LOG, CONTROL_PLANE, type DaemonName, WORKER } from "./daemons.ts";
export { ClusterError, type ClusterReason } from "./errors.ts";
export type { Forward } from "./forward.ts";
export { layoutOf } from "./layout.ts";
export { ClusterNode } from "./node.ts";
export type { ExitStatus, NodeExecOptions, NodeProcess, SpawnOptions } from "./node_process.ts";
export {
  BUSYBOX_PREREQUISITES,
  checkPrerequisites,
  CLOCK_PREREQUISITES,
  CLUSTER_PREREQUISITES,
  DISK_PREREQUISITES,
  EXTENSION_PREREQUISITES,
  IMAGER_PREREQUISITES,
  installSystemPackages,
  missingPackages,
  obstacle,
  SYSTEMD_PREREQUISITES,
} from "./prerequisites.ts";
export type { RegistryMode } from "./settings.ts";
export type { SupervisedProcess } from "./supervisor.ts";
export { leftovers } from "./teardown.ts";
export { ensureClusterTools, type Tools } from "./tools.ts";
