/**
 * Init packages, made by the real zarf from a definition like Zarf's own, with no registry.
 *
 * @module
 */
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import { type ImageSpec, writeOciArchive } from "../../../extension/build/oci_image.ts";
import { seedImage } from "../../../extension/build/seed.ts";
import type { Digest } from "../../../src/std/mod.ts";
import { zarfCreate } from "./zarf.ts";
import { writeSource } from "./zarf_sources.ts";

/** The name of the registry's image in these packages, without its tag. */
export const REGISTRY = "docker.io/library/registry";

/** Another registry: the real one, or a program that ends at once. */
export async function registryImageSpec(
  tag: string,
  label: string,
  program: "registry" | "broken" = "registry",
): Promise<ImageSpec> {
  // Told to `serve` something it does not know, this one says how it is used and ends.
  const binary = await ensureTool(program === "registry" ? TOOLS.registry : TOOLS.gogit);
  const spec = seedImage(binary, tag);
  return { ...spec, config: { ...spec.config, labels: { label } } };
}

/** What an init package is made from. */
export interface InitSource {
  readonly version: string;
  readonly registry: ImageSpec;
  /** Images of other components; all are in one archive. */
  readonly images?: readonly ImageSpec[];
  readonly variables?: readonly Readonly<Record<string, unknown>>[];
  /** Beside those of every init package. */
  readonly components?: readonly Readonly<Record<string, unknown>>[];
  readonly files?: Readonly<Record<string, string>>;
}

/** A package that was made. */
export interface MadeInit {
  readonly file: string;
  /** Of the registry's image. */
  readonly digest: Digest;
}

/** An object that is there only if Zarf's own chart of this name was installed. */
const telltale = (name: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: zarfs-own-${name} }\n`;

const CONNECT = `apiVersion: v1
kind: Service
metadata:
  name: zarf-connect-registry
  labels: { zarf.dev/connect-name: registry }
  annotations: { zarf.dev/connect-description: "Internal Zarf Registry" }
spec:
  ports: [{ port: 5000 }]
`;

/**
 * Makes an init package with the components that Zarf's has (Zarf 0.84, zarf.yaml): the charts are
 * small ones of the same names.
 *
 * @param directory is new, and the package lies below it.
 */
export async function initPackage(directory: string, source: InitSource): Promise<MadeInit> {
  const { version, registry, images = [] } = source;
  await Deno.mkdir(directory, { recursive: true });
  const agent: ImageSpec = { ...registry, references: ["ghcr.io/zarf-dev/zarf/agent:v0.84.0"] };
  const [written] = await writeOciArchive(`${directory}/images.tar`, [registry, agent, ...images]);
  const [reference = ""] = registry.references;
  const archive = (...names: string[]) => [{ path: "../images.tar", images: names }];
  const chart = (name: string, releaseName: string) => ({
    ...{ name, releaseName, localPath: name, version: "1.0.0", namespace: "zarf" },
  });
  const definition = {
    kind: "ZarfInitConfig",
    metadata: { name: "init", version, allowNamespaceOverride: false },
    variables: [
      { name: "REGISTRY_PVC_SIZE", default: "20Gi" },
      { name: "REGISTRY_MEM_LIMIT", default: "2Gi" },
      { name: "REGISTRY_MEM_REQ", default: "256Mi" },
      { name: "AGENT_NODE_SELECTOR", default: "", autoIndent: true },
      ...source.variables ?? [],
    ],
    constants: [
      { name: "REGISTRY_IMAGE", value: "library/registry" },
      { name: "REGISTRY_IMAGE_TAG", value: reference.slice(reference.lastIndexOf(":") + 1) },
      { name: "AGENT_IMAGE", value: "zarf-dev/zarf/agent" },
    ],
    components: [
      {
        name: "k3s",
        only: { localOS: "linux" },
        files: [{ source: "injector", target: "/usr/sbin/k3s", executable: true }],
      },
      {
        name: "zarf-injector",
        required: true,
        files: [{
          source: "injector",
          target: "###ZARF_TEMP###/zarf-injector",
          executable: true,
        }],
      },
      {
        name: "zarf-seed-registry",
        required: true,
        charts: [chart("docker-registry", "zarf-docker-registry")],
        imageArchives: archive(reference),
      },
      {
        name: "zarf-registry",
        required: true,
        charts: [chart("docker-registry", "zarf-docker-registry")],
        manifests: [{ name: "registry-connect", namespace: "zarf", files: ["connect.yaml"] }],
        imageArchives: archive(reference),
      },
      {
        name: "zarf-agent",
        required: true,
        charts: [chart("zarf-agent", "zarf-d2db14ef40305397791454e883b26fc94ad9615d")],
        imageArchives: archive("ghcr.io/zarf-dev/zarf/agent:v0.84.0"),
      },
      ...source.components ?? [],
    ],
  };
  const files = {
    injector: "no program\n",
    "connect.yaml": CONNECT,
    ...chartFiles("docker-registry"),
    ...chartFiles("zarf-agent"),
    ...source.files,
  };
  await writeSource(`${directory}/source`, definition, files);
  const flags = ["--skip-sbom", "--architecture=amd64"];
  const file = await zarfCreate(`${directory}/source`, `${directory}/out`, flags);
  return { file, digest: written?.manifest.digest ?? "sha256:" };
}

function chartFiles(name: string): Record<string, string> {
  return {
    [`${name}/Chart.yaml`]: `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`,
    [`${name}/templates/it.yaml`]: telltale(name),
  };
}
