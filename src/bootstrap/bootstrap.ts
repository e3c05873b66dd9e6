import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { type Clock, describeError, failpoint, type Logger, systemClock } from "../std/mod.ts";
import { blobSource, type Store } from "../store/mod.ts";
import {
  ensureInitRecord,
  ensurePullSecrets,
  ensureState,
  ensureZarfNamespace,
  externalRegistry,
  isInternalRegistry,
  loadState,
  pushImages,
  type RegistryAddress,
  siteAccessOf,
  ZARF_NAMESPACE,
  ZarfError,
  type ZarfState,
} from "../zarf/mod.ts";
import { acknowledgedNodes, allAcknowledged } from "./acknowledge.ts";
import { BootstrapError } from "./errors.ts";
import { PUBLISH_FAILPOINTS, publishPayload, readIndex, removePayload } from "./publisher.ts";
import {
  deployedImage,
  ensureRegistryObjects,
  parseRegistryImage,
  registryAddress,
  registryAnswers,
  registryHolds,
  registryImage,
  registryOwner,
  registryTrouble,
} from "./registry.ts";
import { knownSeed } from "./seed.ts";
import { ensureRegistryRelease } from "./registry_release.ts";
import type { Seed } from "./payload.ts";

/** How long the registry may take to answer once it is asked for, in milliseconds. */
export const REGISTRY_TIMEOUT = 5 * 60_000;
/** Milliseconds between two looks at the registry. */
const REGISTRY_INTERVAL = 250;
/** Milliseconds between two looks at why it does not answer. */
const TROUBLE_INTERVAL = 5_000;
/** How long nodes may take to have the seed image before the payload goes away all the same. */
export const ACKNOWLEDGE_TIMEOUT = 60_000;

/** The stages of a bootstrap, in order. */
export type BootstrapStage = "State" | "Payload" | "Registry" | "SeedPush" | "CleanUp" | "Done";

/** The places in which a test may end the process during a bootstrap. */
export const BOOTSTRAP_FAILPOINTS = [
  "bootstrap.state",
  ...PUBLISH_FAILPOINTS,
  "bootstrap.service",
  "bootstrap.secret",
  "bootstrap.deployment",
  "bootstrap.registry-ready",
  "bootstrap.seed-pushed",
] as const;

/** What {@linkcode ensureRegistry} works with. */
export interface BootstrapOptions {
  readonly kube: KubeClient;
  readonly store: Store;
  readonly logger: Logger;
  /** Host and port of the node registry: `127.0.0.1:31999`. */
  readonly registryAddress: string;
  /** Whether images are renamed, so that pods need to sign in. @default true */
  readonly pullSecrets?: boolean;
  readonly onStage?: (stage: BootstrapStage, detail: string) => void;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/** How to reach the registry, and as whom. */
export interface RegistryAccess extends RegistryAddress {
  readonly state: ZarfState;
}

/**
 * Brings a cluster from whatever it has to a registry that answers and holds its own image:
 * namespace and state, payload, registry, seed image in it, payload gone. Every step looks at what
 * is there; running it again at any point, also after a kill, goes on from there, and where nothing
 * is missing it writes nothing.
 *
 * @throws {BootstrapError} when there is no seed image, or the registry does not answer in time;
 * what was done so far stays and is used by the next attempt.
 */
export async function ensureRegistry(options: BootstrapOptions): Promise<RegistryAccess> {
  const { kube, onStage } = options;
  onStage?.("State", "namespace, credentials and pull secrets");
  const state = await ensureState(kube, {
    registryAddress: options.registryAddress,
    port: Number(options.registryAddress.slice(options.registryAddress.lastIndexOf(":") + 1)),
    ipFamily: await ipFamily(kube),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  failpoint("bootstrap.state");
  if (!isInternalRegistry(state)) return await useOutside(options, state);
  const existing = await registryAddress(kube, state);
  const isMissing = existing === undefined || !await registryAnswers(existing.url, state);
  // Zarf's own is waited for and never replaced.
  if (isMissing && await registryOwner(kube) !== "Zarf") await startRegistry(options, state);
  const access = await waitForRegistry(options, state);
  failpoint("bootstrap.registry-ready");
  if (await registryOwner(kube) === "Holdfast") await finish(options, access);
  onStage?.("Done", "the registry answers");
  return access;
}

/** A registry that the site has itself is used as it is; whoever runs it looks after it. */
async function useOutside(options: BootstrapOptions, state: ZarfState): Promise<RegistryAccess> {
  const { kube, signal, onStage, pullSecrets = true } = options;
  onStage?.("Registry", `signing in to ${state.registryInfo.address}`);
  const registry = await externalRegistry(kube, state, signal).catch((error) => {
    throw error instanceof ZarfError ? outside(state, error) : error;
  });
  if (pullSecrets) {
    await ensurePullSecrets(kube, ZARF_NAMESPACE, siteAccessOf(state, registry.service));
  }
  onStage?.("Done", "the site's registry answers");
  return { ...registry, state };
}

/** The registry's storage is a directory of the node, which Pod Security's baseline forbids. */
const PRIVILEGED = { "pod-security.kubernetes.io/enforce": "privileged" };

async function startRegistry(options: BootstrapOptions, state: ZarfState): Promise<void> {
  const { kube, store, logger, onStage, signal } = options;
  const seed = knownSeed(store);
  if (seed === undefined) throw noSeed();
  await ensureZarfNamespace(kube, PRIVILEGED);
  const plan = {
    image: registryImage(options.registryAddress, seed.image),
    storageDir: `${store.dir}/registry`,
    state,
  };
  await publishPayload(kube, store.blobs, seed, {
    logger,
    onIndex: () => ensureRegistryObjects(kube, plan),
    onProgress: (done, total) => onStage?.("Payload", `${done} of ${total} ConfigMaps`),
    ...(signal === undefined ? {} : { signal }),
  });
}

async function waitForRegistry(
  options: BootstrapOptions,
  first: ZarfState,
): Promise<RegistryAccess> {
  const { kube, signal, onStage, pullSecrets = true, clock = systemClock } = options;
  const started = clock.monotonic();
  let lookAt = started + TROUBLE_INTERVAL;
  let trouble = "it was just started";
  let state = first;
  for (;;) {
    signal?.throwIfAborted();
    const address = await registryAddress(kube, state);
    if (address !== undefined && await registryAnswers(address.url, state)) {
      const access = siteAccessOf(state, address.service);
      if (pullSecrets) await ensurePullSecrets(kube, ZARF_NAMESPACE, access);
      return { ...address, state };
    }
    if (clock.monotonic() >= lookAt) {
      trouble = await registryTrouble(kube);
      // Somebody may be changing the credentials.
      state = await loadState(kube) ?? state;
      lookAt = clock.monotonic() + TROUBLE_INTERVAL;
    }
    onStage?.("Registry", `waiting for it: ${trouble}`);
    if (clock.monotonic() - started > REGISTRY_TIMEOUT) throw notReady(trouble);
    await clock.sleep(REGISTRY_INTERVAL, signal);
  }
}

/** Puts the seed image into the registry, and takes the payload away when every node has it. */
async function finish(options: BootstrapOptions, access: RegistryAccess): Promise<void> {
  const { kube, store, onStage, signal } = options;
  const seed = knownSeed(store);
  // This node may have an older one, or a newer one that the registry does not run yet.
  if (seed === undefined || await runsAnother(kube, seed)) return await removePayload(kube, signal);
  if (!await registryHolds(access.url, access.state, seed.image)) {
    onStage?.("SeedPush", "the registry's own image");
    await pushSeed(store, seed, access, signal);
  }
  await ensureRegistryRelease(kube, (options.clock ?? systemClock).now());
  await ensureInitRecord(kube, referenceOf(seed));
  failpoint("bootstrap.seed-pushed");
  // Without a payload there is nothing that a node could still take from it.
  if (await readIndex(kube) !== undefined) {
    onStage?.("CleanUp", "waiting until every node has the registry's image");
    await waitForNodes(options, seed);
  }
  await removePayload(kube, signal);
}

function referenceOf({ image: { host, repository, tag } }: Seed): string {
  return `${host}/${repository}:${tag}`;
}

async function runsAnother(kube: KubeClient, { image }: Seed): Promise<boolean> {
  const running = parseRegistryImage(await deployedImage(kube) ?? "")?.digest;
  return running !== undefined && running !== image.descriptor.digest;
}

async function pushSeed(
  store: Store,
  { image }: Seed,
  { url, state }: RegistryAccess,
  signal: AbortSignal | undefined,
): Promise<void> {
  await pushImages(
    [{
      repository: image.repository,
      tags: [image.zarfTag, image.tag],
      digest: image.descriptor.digest,
    }],
    {
      source: blobSource(store.blobs),
      registryUrl: url,
      credentials: {
        username: state.registryInfo.pushUsername,
        password: state.registryInfo.pushPassword,
      },
      ...(signal === undefined ? {} : { signal }),
    },
  );
}

async function waitForNodes(options: BootstrapOptions, seed: Seed): Promise<void> {
  const { kube, signal, logger, clock = systemClock } = options;
  const started = clock.monotonic();
  for (;;) {
    const nodes = await acknowledgedNodes(kube, seed.image.descriptor.digest);
    if (allAcknowledged(nodes)) return;
    signal?.throwIfAborted();
    if (clock.monotonic() - started > ACKNOWLEDGE_TIMEOUT) {
      const missing = nodes.filter((node) => !node.acknowledged).map((node) => node.name);
      logger.warn("some nodes have not taken the registry's image; they will get it from it", {
        nodes: missing.join(","),
      });
      return;
    }
    await clock.sleep(REGISTRY_INTERVAL, signal);
  }
}

interface ServiceFamilies extends KubeObject {
  spec?: { ipFamilies?: string[] };
}

/** The families of Service `kubernetes`: what the cluster was made with, without writing a probe. */
async function ipFamily(kube: KubeClient): Promise<"ipv4" | "ipv6" | "dual"> {
  const service = await kube.get<ServiceFamilies>({
    apiVersion: "v1",
    kind: "Service",
    namespace: "default",
    name: "kubernetes",
  });
  const families = service?.spec?.ipFamilies ?? [];
  if (families.length > 1) return "dual";
  return families[0] === "IPv6" ? "ipv6" : "ipv4";
}

function noSeed(): BootstrapError {
  return new BootstrapError({
    reason: "NoSeedImage",
    message: "there is no registry image to start the in-cluster registry from",
    kept: "packages are taken in and wait",
    remedy: "give --seed-dir, or drop a zarf-init package",
    disposition: "wait",
  });
}

function outside({ registryInfo }: ZarfState, cause: ZarfError): BootstrapError {
  return new BootstrapError({
    reason: "RegistryOutside",
    message: `the site's registry ${registryInfo.address} cannot be used: ${describeError(cause)}`,
    kept: "packages are taken in and wait; no other registry is started",
    remedy: "start it, have this machine trust its certificate, or correct the credentials with " +
      "zarf tools update-creds registry",
    disposition: "retry",
    cause,
  });
}

function notReady(trouble: string): BootstrapError {
  return new BootstrapError({
    reason: "RegistryNotReady",
    message: `the in-cluster registry does not answer after ${
      REGISTRY_TIMEOUT / 1000
    } s: ${trouble}`,
    kept: "everything done so far is kept",
    disposition: "retry",
  });
}
