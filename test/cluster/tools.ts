import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { writeOciArchive } from "../../extension/build/oci_image.ts";
import { PAUSE_IMAGE } from "./layout.ts";

/** Paths of the programs that a cluster runs. */
export interface Tools {
  readonly kube: string;
  readonly etcd: string;
  readonly containerd: string;
  readonly shim: string;
  readonly ctr: string;
  /** Pid 1 of a node; by the name `pause` the process of a pod's sandbox. */
  readonly node: string;
}

/** Builds what is missing; the first time that takes about half an hour of processor time. */
export async function ensureClusterTools(
  say?: (line: string) => void,
): Promise<Tools> {
  return {
    node: await ensureTool(TOOLS.node, say),
    etcd: await ensureTool(TOOLS.etcd, say),
    containerd: await ensureTool(TOOLS.containerd, say),
    shim: await ensureTool(TOOLS.shim, say),
    ctr: await ensureTool(TOOLS.ctr, say),
    kube: await ensureTool(TOOLS.kube, say),
  };
}

/** Writes the pause image as an OCI archive that `ctr images import` takes. */
export async function writePauseImage(tools: Tools, file: string): Promise<void> {
  await writeOciArchive(file, [{
    references: [PAUSE_IMAGE],
    entries: [{ path: "pause", file: tools.node, mode: 0o755 }],
    config: { entrypoint: ["/pause"], user: "65535:65535" },
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    compression: "none",
  }]);
}
