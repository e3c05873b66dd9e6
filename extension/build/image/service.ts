/**
 * What Talos reads of the extension: who it is, and how its service is run. The reason of each mount
 * and setting is in docs/talos.md; the format in Talos 1.13, pkg/machinery/extensions.
 *
 * @module
 */
import { dump } from "js-yaml";

/** The service's name; Talos calls the service `ext-holdfast`. */
export const SERVICE_NAME = "holdfast";
/** The oldest Talos that the agent works with: ImageService and LifecycleService are of 1.13. */
export const TALOS_CONSTRAINT = ">= v1.13.0";
/** Where the agent lies in its container, with `tools` and `seed` beside it. */
export const HOME = "opt/holdfast";
/** Where everything durable is, on the node as in the container: pods mount from it by this path. */
const DATA_DIR = "/var/lib/holdfast";
/** Where Talos mounts user volumes and found ones. */
const VOLUMES_DIR = "/var/mnt";
const MACHINED_DIR = "/system/run/machined";

/** `manifest.yaml` of the image. */
export function manifestYaml(version: string): string {
  return dump({
    version: "v1alpha1",
    metadata: {
      name: SERVICE_NAME,
      version,
      author: "Holdfast",
      description: "Takes Zarf packages dropped on a node, serves and deploys them",
      compatibility: { talos: { version: TALOS_CONSTRAINT } },
    },
  });
}

/** A mount as Talos hands it to the runtime (OCI runtime-spec, config.md). */
interface Mount {
  readonly source: string;
  readonly destination: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** The same path on both sides, so that what the agent says of a path holds on the node. */
function bind(path: string, ...options: readonly string[]): Mount {
  return { source: path, destination: path, type: "bind", options: ["rbind", ...options] };
}

const NOT_RUN = ["nosuid", "nodev", "noexec"];

/** The mounts of the service. */
export const MOUNTS: readonly Mount[] = [
  bind(DATA_DIR, "rslave", "rw", ...NOT_RUN),
  // Volumes that are mounted later, a stick for one, appear below it.
  bind(VOLUMES_DIR, "rslave", "rw", ...NOT_RUN),
  // The directory: a socket that is not there yet would be created as a directory. Whoever connects
  // does not write to the file system.
  bind(MACHINED_DIR, "rslave", "ro", ...NOT_RUN),
  // What an etcd leaves that lost its power before it began keeps it from ever beginning.
  bind("/var/lib/etcd", "rslave", "rw", ...NOT_RUN),
  bind("/etc/kubernetes", "rslave", "ro", ...NOT_RUN),
  bind("/var/lib/kubelet/pki", "rslave", "ro", ...NOT_RUN),
  bind("/etc/ssl/certs", "ro", ...NOT_RUN),
  // Talos wants every source to exist on the node, also this one, which means nothing.
  {
    source: "/tmp",
    destination: "/tmp",
    type: "tmpfs",
    options: [...NOT_RUN, "mode=0700", "size=64m"],
  },
];

/** `usr/local/etc/containers/holdfast.yaml`: how Talos runs the agent. */
export function serviceYaml(): string {
  return dump({
    name: SERVICE_NAME,
    container: {
      entrypoint: `/${HOME}/holdfast`,
      args: ["agent"],
      environment: ENVIRONMENT,
      mounts: MOUNTS,
    },
    // /var is there, and the agent has ended before it goes. Anything more could keep the node from
    // booting: Talos waits for every service to have run once.
    depends: [{ service: "cri" }],
    restart: "always",
  }, { flowLevel: 4, lineWidth: -1 });
}

/** The environment of the service. Talos adds its own before, and that of the machine config after. */
export const ENVIRONMENT: readonly string[] = [
  "PATH=/usr/bin:/bin",
  "HOME=/tmp",
  "TMPDIR=/tmp",
  "DENO_DIR=/tmp/deno",
  "DENO_NO_UPDATE_CHECK=1",
  "DENO_TLS_CA_STORE=system,mozilla",
  "NO_COLOR=1",
];

/** Settings of the image, which those of the machine config take the place of. */
export function agentYaml(): string {
  return dump({
    "drop-dir": [`${VOLUMES_DIR}/holdfast`, `${VOLUMES_DIR}/holdfast-media`],
    "data-dir": DATA_DIR,
    "talos-socket": `${MACHINED_DIR}/machine.sock`,
  });
}
