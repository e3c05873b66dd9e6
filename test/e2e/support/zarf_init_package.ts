/**
 * An init package of Zarf's own parts, made by the real zarf without a network, and what the real
 * `zarf init` needs of a cluster.
 *
 * Charts, values and manifests are Zarf's, out of its Go module. The registry's image is the one that
 * Holdfast ships, the agent's holds the real zarf, and the injector is a program of this repository:
 * Zarf's is only to be had as a download.
 *
 * @module
 */
import assert from "node:assert/strict";
import { moduleDirectory } from "../../../extension/build/go_module.ts";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import { writeOciArchive } from "../../../extension/build/oci_image.ts";
import type { KubeClient } from "../../../src/kube/mod.ts";
import type { ClusterNode } from "../../cluster/mod.ts";
import { ROOT } from "./agent.ts";
import type { ZarfClient } from "./zarf_client.ts";
import { zarfCreate } from "./zarf.ts";
import { writeSource } from "./zarf_sources.ts";

const ZARF = "github.com/zarf-dev/zarf";
const AGENT_IMAGE = "zarf-dev/zarf/agent";
const AGENT_TAG = "v0.84.0";
const PAUSE = "registry.k8s.io/pause:3.10.1";
const INJECTOR_IMAGE = "docker.io/library/injector:1";
/** What lies on the cluster as Zarf's injector: the kernel starts the program of the image for it. */
const INJECTOR_SCRIPT = "#!/injector\n";

/** Makes the package in `directory`, which must be new, and gives the path of its file. */
export async function zarfInitPackage(directory: string): Promise<string> {
  const seed = `${ROOT}/dist/seed`;
  const { manifests: [{ annotations }] } = JSON.parse(
    await Deno.readTextFile(`${seed}/index.json`),
  );
  const registry: string = annotations["org.opencontainers.image.ref.name"];
  const [, repository = "", tag = ""] = /^docker\.io\/(.+):(.+)$/.exec(registry) ?? [];
  const agent = `ghcr.io/${AGENT_IMAGE}:${AGENT_TAG}`;
  await Deno.mkdir(directory);
  await pack(seed, `${directory}/registry.tar`);
  await writeOciArchive(`${directory}/agent.tar`, [{
    references: [agent],
    entries: [{ path: "zarf", file: await ensureTool(TOOLS.zarf), mode: 0o755 }],
    config: {
      cmd: ["/zarf", "internal", "agent", "--log-format=console", "--no-color"],
      user: "65532:65532",
    },
  }]);
  const source = await writeSource(`${directory}/source`, {
    kind: "ZarfInitConfig",
    metadata: { name: "init", allowNamespaceOverride: false },
    components: [
      {
        name: "zarf-injector",
        required: true,
        files: [{ source: "injector", target: "###ZARF_TEMP###/zarf-injector", executable: true }],
      },
      ...["zarf-seed-registry", "zarf-registry"].map((name) => imported(name, "zarf-registry")),
      imported("zarf-agent", "zarf-agent"),
    ],
  }, { injector: INJECTOR_SCRIPT });
  await copyParts(`${source}/packages`, { "zarf-registry": registry, "zarf-agent": agent });
  const set = {
    ...{ REGISTRY_IMAGE_DOMAIN: "docker.io/", REGISTRY_IMAGE: repository, REGISTRY_IMAGE_TAG: tag },
    ...{ PROXY_IMAGE_DOMAIN: "", PROXY_IMAGE: "none", PROXY_IMAGE_TAG: "none" },
    ...{ AGENT_IMAGE_DOMAIN: "ghcr.io/", AGENT_IMAGE, AGENT_IMAGE_TAG: AGENT_TAG },
  };
  const values = Object.entries(set).map(([name, value]) => `--set=${name}=${value}`);
  const flags = ["--skip-sbom", "--architecture=amd64", ...values];
  return await zarfCreate(source, `${directory}/out`, flags);
}

function imported(name: string, path: string) {
  return { name, required: true, import: { path: `packages/${path}` } };
}

/** Zarf's packages, with archives in place of images that would have to be pulled. */
async function copyParts(target: string, images: Readonly<Record<string, string>>): Promise<void> {
  const module = await moduleDirectory("test/cluster/tools/zarf", ZARF);
  await Deno.mkdir(target);
  for (const [part, image] of Object.entries(images)) {
    await run("cp", ["--recursive", "--no-preserve=mode", `${module}/packages/${part}`, target]);
    const path = `${target}/${part}/zarf.yaml`;
    const archive = part === "zarf-agent" ? "agent.tar" : "registry.tar";
    const archives = `imageArchives: [{path: ../../../${archive}, images: ["${image}"]}]`;
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.replace(/\bimages:\n(?: +(?:#|-).*\n)+/g, `${archives}\n`));
  }
}

async function pack(directory: string, file: string): Promise<void> {
  await run("tar", ["--create", "--file", file, "--directory", directory, "."]);
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  assert(success, new TextDecoder().decode(stderr));
}

/** The directory in the node that Zarf's registry stores images in. */
const STORAGE = "/var/zarf-registry";

/**
 * Has the real `zarf init` prepare a cluster of one node, whose kube-proxy is in iptables mode. First it
 * gets what Zarf expects of any cluster: a pod that runs, and storage.
 */
export async function zarfInit(
  client: ZarfClient,
  kube: KubeClient,
  node: ClusterNode,
  file: string,
): Promise<void> {
  const archive = `${client.home}/injector.tar`;
  await writeOciArchive(archive, [{
    references: [INJECTOR_IMAGE],
    entries: [{ path: "injector", file: await ensureTool(TOOLS.injector), mode: 0o755 }],
    config: { entrypoint: ["/injector"] },
  }]);
  await node.importImages(archive);
  await Deno.mkdir(node.hostPath(STORAGE));
  await Deno.chmod(node.hostPath(STORAGE), 0o777);
  await podBefore(kube);
  await kube.create({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "registry" },
    spec: {
      capacity: { storage: "20Gi" },
      accessModes: ["ReadWriteOnce"],
      hostPath: { path: STORAGE },
    },
  });
  const image = `--injector-image=${INJECTOR_IMAGE}`;
  await client.run("init", file, "--confirm", "--timeout=180s", image);
}

/** Makes a pod that runs: without one Zarf takes no cluster for healthy. */
export async function podBefore(kube: KubeClient): Promise<void> {
  const metadata = { name: "before", namespace: "kube-system" };
  const containers = [{ name: "pause", image: PAUSE, imagePullPolicy: "Never" }];
  await kube.create({ apiVersion: "v1", kind: "Pod", metadata, spec: { containers } });
}
