import type { RegistryAccess } from "../bootstrap/mod.ts";
import { deployPackage, imagesToPush, preflight } from "../deploy/mod.ts";
import type { KubeClient } from "../kube/mod.ts";
import { parseDefinition, type ZarfPackage } from "../package/mod.ts";
import { blobSource, type PackageRecord, type Store } from "../store/mod.ts";
import { pushImages } from "../zarf/mod.ts";
import { ComponentTracker } from "./component_tracker.ts";
import { postRendererCommand, type Tools } from "./tools.ts";

/** What deploying one package works with. */
export interface DeployerOptions {
  readonly kube: KubeClient;
  readonly kubeconfig: string;
  readonly store: Store;
  readonly tools: Tools;
  readonly access: RegistryAccess;
  /** Told after the record of the package has changed. */
  readonly onChange: () => void;
}

/** Deploys the package of a record and keeps the record's components up to date while it does. */
export async function deployRecord(
  options: DeployerOptions,
  record: PackageRecord,
  signal: AbortSignal,
): Promise<void> {
  const { store, kube, access } = options;
  // The registry and the webhook, which the caller has brought up, are what an init package is for.
  if (record.kind === "ZarfInitConfig") return;
  const definition = await readDefinition(store, record);
  const tracker = new ComponentTracker({
    store,
    digest: record.digest,
    onChange: options.onChange,
  });
  tracker.begin(preflight(definition).components.map((component) => component.name));
  await deployPackage(
    { definition, digest: record.digest, images: store.records.images(record.digest) },
    {
      kube,
      dataDir: store.dir,
      kubeconfig: options.kubeconfig,
      tools: { helm: options.tools.helm, postRenderer: postRendererCommand() },
      registry: pushTarget(store, access),
      kubeVersion: await kube.version({ signal }),
      clusterIP: new URL(access.url).hostname,
      signal,
      onProgress: (progress) => tracker.progress(progress),
      journal: (step, state) =>
        store.records.appendJournal({
          owner: record.digest,
          step,
          state: state === "begin" ? "started" : "done",
          detail: null,
          at: new Date().toISOString(),
        }),
    },
  );
}

/** Puts every image of a package into the registry; what is there is not sent again. */
export async function refillRegistry(
  store: Store,
  access: RegistryAccess,
  record: PackageRecord,
  signal: AbortSignal,
): Promise<void> {
  const { url, ...target } = pushTarget(store, access);
  const images = imagesToPush(store.records.images(record.digest));
  await pushImages(images, { ...target, registryUrl: url, signal });
}

function pushTarget(store: Store, { url, state }: RegistryAccess) {
  const { pushUsername: username, pushPassword: password } = state.registryInfo;
  return { url, credentials: { username, password }, source: blobSource(store.blobs) };
}

async function readDefinition(store: Store, record: PackageRecord): Promise<ZarfPackage> {
  return parseDefinition(await Deno.readFile(`${store.packagePath(record.digest)}/zarf.yaml`));
}
