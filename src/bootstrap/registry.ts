import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { type Digest, failpoint, isDigest } from "../std/mod.ts";
import {
  askRegistry,
  REGISTRY_PORT,
  REGISTRY_SERVICE,
  type RegistryAddress,
  registryServiceAt,
  siteAccessOf,
  ZARF_NAMESPACE,
  type ZarfState,
} from "../zarf/mod.ts";
import type { Seed } from "./payload.ts";
import {
  CREDENTIALS_ANNOTATION,
  credentialsMark,
  REGISTRY_SECRET,
  registryDeployment,
  type RegistryPlan,
  registrySecret,
  registryService,
} from "./registry_objects.ts";

/** How long one probe of the registry may take, in milliseconds. */
const PROBE_TIMEOUT = 2_000;

interface ServiceObject extends KubeObject {
  spec?: { clusterIP?: string };
}

/** A Deployment, as far as the registry's matters. */
export interface DeploymentObject extends KubeObject {
  spec?: { template?: { spec?: PodObject["spec"] & { containers?: { image?: string }[] } } };
}

/** `http://<cluster IP>:5000` of the registry, or undefined when it has no Service yet. */
export async function registryUrl(kube: KubeClient): Promise<string | undefined> {
  const service = await kube.get<ServiceObject>({
    apiVersion: "v1",
    kind: "Service",
    namespace: ZARF_NAMESPACE,
    name: REGISTRY_SERVICE,
  });
  const ip = service?.spec?.clusterIP;
  if (ip === undefined || ip === "" || ip === "None") return undefined;
  return `http://${ip.includes(":") ? `[${ip}]` : ip}:${REGISTRY_PORT}`;
}

/**
 * The way to the registry, or undefined when it has no Service yet. One that asks clients for a
 * certificate is reached at its address on every node, where Zarf's proxy shows it (Zarf 0.84,
 * packages/zarf-registry, DaemonSet `zarf-registry-proxy`).
 */
export async function registryAddress(
  kube: KubeClient,
  state: ZarfState,
): Promise<RegistryAddress | undefined> {
  const url = await registryUrl(kube);
  if (url === undefined) return undefined;
  const { registryAddress, registry } = siteAccessOf(state);
  return {
    url: registry.usesMtls ? `http://${registryAddress}` : url,
    service: registryServiceAt(new URL(url).hostname),
  };
}

/** Whether the registry answers there and lets the state's reader in. */
export async function registryAnswers(url: string, state: ZarfState): Promise<boolean> {
  return (await ask("GET", `${url}/v2/`, state))?.status === 200;
}

/** Whether the registry there has `image` under all its names. */
export async function registryHolds(
  url: string,
  state: ZarfState,
  { repository, tag, zarfTag, descriptor }: Seed["image"],
): Promise<boolean> {
  for (const name of [zarfTag, tag]) {
    const path = `${url}/v2/${repository}/manifests/${name}`;
    const response = await ask("HEAD", path, state, descriptor.mediaType);
    if (response?.headers.get("docker-content-digest") !== descriptor.digest) return false;
  }
  return true;
}

function ask(
  method: "GET" | "HEAD",
  url: string,
  { registryInfo }: ZarfState,
  accept = "*/*",
): Promise<Response | undefined> {
  const credentials = {
    username: registryInfo.pullUsername,
    password: registryInfo.pullPassword,
  };
  return askRegistry({ method, url, credentials, accept, timeout: PROBE_TIMEOUT });
}

/**
 * Makes Service, Secret and Deployment of the registry be there, with this state's credentials.
 * Writes only what is missing or different, so that it may run at any time.
 */
export async function ensureRegistryObjects(kube: KubeClient, plan: RegistryPlan): Promise<void> {
  if (await registryUrl(kube) === undefined) await kube.apply(registryService(), { force: true });
  failpoint("bootstrap.service");
  const secret = await kube.get({
    apiVersion: "v1",
    kind: "Secret",
    namespace: ZARF_NAMESPACE,
    name: REGISTRY_SECRET,
  });
  if (secret?.metadata.annotations?.[CREDENTIALS_ANNOTATION] !== credentialsMark(plan.state)) {
    await kube.apply(registrySecret(plan.state), { force: true });
  }
  failpoint("bootstrap.secret");
  if (await deployedImage(kube) === undefined) {
    await kube.apply(registryDeployment(plan), { force: true });
  }
  failpoint("bootstrap.deployment");
}

/** The image that the registry's Deployment runs, or undefined when there is none. */
export async function deployedImage(kube: KubeClient): Promise<string | undefined> {
  const deployment = await deployedRegistry(kube);
  return deployment?.spec?.template?.spec?.containers?.[0]?.image;
}

/**
 * Whose the registry of the cluster is, or undefined when there is none. Holdfast's has a directory of
 * its node for storage, which Zarf's never has (Zarf 0.84, packages/zarf-registry).
 */
export async function registryOwner(kube: KubeClient): Promise<"Holdfast" | "Zarf" | undefined> {
  const deployment = await deployedRegistry(kube);
  if (deployment === undefined) return undefined;
  const volumes = deployment.spec?.template?.spec?.volumes ?? [];
  return volumes.some(({ hostPath }) => hostPath !== undefined) ? "Holdfast" : "Zarf";
}

/** The registry's Deployment. */
export function deployedRegistry(kube: KubeClient): Promise<DeploymentObject | undefined> {
  return kube.get<DeploymentObject>({
    apiVersion: "apps/v1",
    kind: "Deployment",
    namespace: ZARF_NAMESPACE,
    name: REGISTRY_SERVICE,
  });
}

/** The names in an image as {@linkcode registryImage} makes them. */
export interface RegistryImage {
  readonly repository: string;
  readonly tag: string;
  /** Absent where an earlier version has deployed it. */
  readonly digest?: Digest;
}

/** The image of a seed as the kubelet pulls it: `127.0.0.1:31999/library/registry:3@sha256:…`. */
export function registryImage(address: string, { repository, tag, descriptor }: Seed["image"]) {
  return `${address}/${repository}:${tag}@${descriptor.digest}`;
}

/** Reads {@linkcode registryImage}; undefined for anything else. */
export function parseRegistryImage(image: string): RegistryImage | undefined {
  const [, repository, tag, digest = ""] =
    /^[^/]+\/([^@]+):([^:/@]+)(?:@(sha256:[0-9a-f]{64}))?$/.exec(image) ?? [];
  if (repository === undefined || tag === undefined) return undefined;
  return { repository, tag, ...(isDigest(digest) ? { digest } : {}) };
}

/**
 * Whether the registry runs on this node with `directory` as its storage, so that blobs may be put
 * there without sending them.
 */
export async function registryIsHere(
  kube: KubeClient,
  nodeName: string,
  directory: string,
): Promise<boolean> {
  const pods = await registryPods(kube);
  const living = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  return living.length === 1 &&
    living.every(({ spec, status }) =>
      spec?.nodeName === nodeName && status?.phase === "Running" &&
      spec.volumes?.some((volume) => volume.hostPath?.path === directory) === true
    );
}

/** All of the registry's pods. */
export async function registryPods(kube: KubeClient): Promise<PodObject[]> {
  const { items } = await kube.list<PodObject>(
    { apiVersion: "v1", kind: "Pod", namespace: ZARF_NAMESPACE },
    { labelSelector: `release=${REGISTRY_SERVICE}` },
  );
  return items;
}

/** A Pod, as far as the registry's matters. */
export interface PodObject extends KubeObject {
  spec?: { nodeName?: string; volumes?: { hostPath?: { path?: string } }[] };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string; message?: string }[];
    containerStatuses?: {
      restartCount?: number;
      state?: { waiting?: { reason?: string; message?: string } };
      lastState?: { terminated?: { reason?: string; message?: string; exitCode?: number } };
    }[];
  };
}

/** Whether a pod is there to stay and serves. */
export function isServing({ metadata, status }: PodObject): boolean {
  return metadata.deletionTimestamp === undefined &&
    status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
}

/** Why the registry's pod does not run yet, as far as the cluster says. */
export async function registryTrouble(kube: KubeClient): Promise<string> {
  return podTrouble((await registryPods(kube))[0]);
}

/** Why a pod does not run yet, as far as the cluster says. */
export function podTrouble(pod: PodObject | undefined): string {
  const status = pod?.status;
  if (status === undefined) return "its pod was not created";
  const waiting = status.containerStatuses?.[0]?.state?.waiting;
  if (waiting?.reason !== undefined) {
    return [waiting.reason, waiting.message].filter(Boolean).join(": ");
  }
  const scheduled = status.conditions?.find((one) => one.type === "PodScheduled");
  if (scheduled?.status === "False") return `its pod has no node: ${scheduled.message ?? ""}`;
  return `its pod is ${status.phase ?? "unknown"}`;
}
