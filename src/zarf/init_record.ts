import * as v from "valibot";
import type { KubeClient } from "../kube/mod.ts";
import { ZarfError } from "./errors.ts";
import { REGISTRY_SERVICE, ZARF_NAMESPACE } from "./names.ts";
import { CLI_VERSION, type DeployedPackage, listPackages, savePackage } from "./package_record.ts";

/** The name of the package that `zarf init` deploys. */
const INIT_PACKAGE = "init";
/** Its component that is the registry; Zarf looks for it by this name. */
const REGISTRY_COMPONENT = "zarf-registry";

const InitSchema = v.object({
  kind: v.literal("ZarfInitConfig"),
  components: v.array(v.object({
    name: v.string(),
    images: v.nullish(v.array(v.string()), []),
  })),
});

/**
 * Makes sure that the cluster has a record of an init package with a registry, as `zarf init` leaves
 * one. Zarf looks for it where it changes the registry's credentials, and where it decides which images
 * of the registry are still needed (Zarf 0.84, helm/zarf.go UpdateZarfRegistryValues, src/cmd/crane.go
 * prune). A record that came with an init package is never touched.
 *
 * A cluster in which a record cannot be read is left as it is: that may be the one.
 *
 * @param image of the registry, by its own name: `docker.io/library/registry:3.1.2`.
 */
export async function ensureInitRecord(kube: KubeClient, image: string): Promise<void> {
  const packages = await readablePackages(kube);
  if (packages === undefined) return;
  const existing = packages.find((one) => registryOf(one) !== undefined);
  if (existing !== undefined && !isOurs(existing)) return;
  if (existing !== undefined && registryOf(existing)?.images.includes(image)) return;
  await savePackage(kube, initRecord(image, (existing?.generation ?? 0) + 1));
}

async function readablePackages(kube: KubeClient): Promise<DeployedPackage[] | undefined> {
  try {
    return await listPackages(kube);
  } catch (error) {
    if (error instanceof ZarfError && error.reason === "PackageRecordInvalid") return undefined;
    throw error;
  }
}

function registryOf({ data }: DeployedPackage) {
  const parsed = v.safeParse(InitSchema, data);
  if (!parsed.success) return undefined;
  return parsed.output.components.find(({ name }) => name === REGISTRY_COMPONENT);
}

/** There is no package behind it, so nothing has a digest. */
function isOurs({ digest }: DeployedPackage): boolean {
  return digest === "";
}

function initRecord(image: string, generation: number): DeployedPackage {
  return {
    name: INIT_PACKAGE,
    digest: "",
    data: {
      apiVersion: "zarf.dev/v1alpha1",
      kind: "ZarfInitConfig",
      metadata: {
        name: INIT_PACKAGE,
        description: "The registry that Holdfast provides",
        version: CLI_VERSION,
        allowNamespaceOverride: false,
      },
      build: { version: CLI_VERSION },
      components: [{ name: REGISTRY_COMPONENT, required: true, images: [image] }],
    },
    cliVersion: CLI_VERSION,
    generation,
    deployedComponents: [{
      name: REGISTRY_COMPONENT,
      installedCharts: [{
        namespace: ZARF_NAMESPACE,
        chartName: REGISTRY_SERVICE,
        status: "Succeeded",
      }],
      status: "Succeeded",
      observedGeneration: generation,
    }],
    packageConnectivity: "airgap",
  };
}
