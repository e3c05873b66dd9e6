import type { KubeClient } from "../kube/mod.ts";
import {
  type Clock,
  Complaints,
  describeError,
  type Digest,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { acknowledgeSeed } from "./acknowledge.ts";
import { BootstrapError } from "./errors.ts";
import { assemblePayload } from "./follower.ts";
import { parseIndex, type Seed } from "./payload.ts";
import { CONFIG_MAPS, type ConfigMap, INDEX_KEY } from "./publisher.ts";
import { deployedImage, parseRegistryImage } from "./registry.ts";
import { knownSeed, manifestBlobs, rememberSeed } from "./seed.ts";
import { INDEX_NAME } from "./payload.ts";

/** Milliseconds until the next attempt after a failure. */
const RETRY_PAUSE = 2_000;
/** Milliseconds between two looks at whether this node lacks the image that the registry runs. */
const CHECK_INTERVAL = 30_000;

/** The in-cluster registry, as far as a node needs it to fetch the registry's own image. */
export interface SeedRegistry {
  manifest(repository: string, reference: string): Promise<
    | { readonly mediaType: string; readonly digest: Digest; readonly bytes: Uint8Array }
    | undefined
  >;
  blob(repository: string, digest: Digest): Promise<AsyncIterable<Uint8Array> | undefined>;
}

/** What {@linkcode SeedFollower} works with. */
export interface SeedFollowerOptions {
  readonly kube: KubeClient;
  /** Who may write to this node's Node object. @default kube */
  readonly nodeKube?: () => KubeClient;
  readonly store: Store;
  readonly nodeName: string;
  readonly logger: Logger;
  /** Undefined while the in-cluster registry is not known. */
  readonly registry: () => SeedRegistry | undefined;
  /** Names for an image `library/registry:3`, as the store keeps them. */
  readonly nameImage: (repository: string, tag: string) => Omit<Seed["image"], "descriptor">;
  readonly clock?: Clock;
}

/**
 * Keeps the registry's image on this node, so that the registry can start here with nothing else
 * running: from the payload while there is one, from the registry for a node that joined later and
 * when the registry runs another one. Says on the Node object that it is here.
 */
export class SeedFollower {
  readonly #options: SeedFollowerOptions;
  readonly #clock: Clock;
  #assembling: { readonly seed: Seed; readonly done: Promise<void> } | undefined;

  constructor(options: SeedFollowerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#followPayload(signal), this.#followRegistry(signal)]);
  }

  /** Resolves when an assembly of this image that runs now is over; at once when none runs. */
  async settled(repository: string, reference: string): Promise<void> {
    const current = this.#assembling;
    if (current === undefined) return;
    const { image } = current.seed;
    const names: string[] = [image.tag, image.zarfTag, image.descriptor.digest];
    if (image.repository === repository && names.includes(reference)) await current.done;
  }

  async #followPayload(signal: AbortSignal): Promise<void> {
    const { kube, logger } = this.#options;
    const only = { fieldSelector: `metadata.name=${INDEX_NAME}`, signal };
    const complaints = new Complaints((text) => logger.warn(text));
    while (!signal.aborted) {
      try {
        for await (const indexes of kube.reflect<ConfigMap>(CONFIG_MAPS, only)) {
          for (const index of indexes.values()) await this.#take(index, signal);
        }
      } catch (error) {
        if (signal.aborted) return;
        complaints.say(`the seed payload could not be taken: ${describeError(error)}`);
      }
      await this.#clock.sleep(RETRY_PAUSE, signal);
    }
  }

  async #take(configMap: ConfigMap, signal: AbortSignal): Promise<void> {
    const { kube, store, logger } = this.#options;
    const index = parseIndex(configMap.data?.[INDEX_KEY] ?? "");
    const seed: Seed = { image: index.image, blobs: index.blobs };
    const work = assemblePayload(kube, store.blobs, index, { logger, signal })
      .then(() => rememberSeed(store, seed));
    // Whoever waits for the assembly looks at the store afterwards; its failure is not theirs.
    this.#assembling = { seed, done: work.catch(() => {}) };
    try {
      await work;
    } finally {
      this.#assembling = undefined;
    }
    await this.#acknowledge(seed.image.descriptor.digest);
  }

  async #followRegistry(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(CHECK_INTERVAL, signal);
      if (signal.aborted) return;
      try {
        await this.#fetchIfMissing();
      } catch (error) {
        this.#options.logger.debug(`the registry's image is not here yet: ${describeError(error)}`);
      }
    }
  }

  async #fetchIfMissing(): Promise<void> {
    const { kube, store, nameImage } = this.#options;
    const registry = this.#options.registry();
    if (registry === undefined) return;
    const running = parseRegistryImage(await deployedImage(kube) ?? "");
    if (running === undefined) return;
    const known = knownSeed(store)?.image.descriptor.digest;
    if (known !== undefined && (running.digest ?? known) === known) return;
    const { repository, tag } = running;
    const manifest = await registry.manifest(repository, running.digest ?? tag);
    if (manifest === undefined) return;
    const { digest, mediaType, bytes } = manifest;
    const descriptor = { digest, mediaType, size: bytes.length };
    await store.blobs.write(digest, bytes.length, once(bytes));
    const blobs = manifestBlobs(store, descriptor);
    for (const blob of blobs) {
      if (store.blobs.stat(blob.digest) !== undefined) continue;
      const body = await registry.blob(repository, blob.digest);
      if (body === undefined) return;
      await store.blobs.write(blob.digest, blob.size, body);
    }
    rememberSeed(store, { image: { ...nameImage(repository, tag), descriptor }, blobs });
    await this.#acknowledge(digest);
  }

  /** @throws {BootstrapError} NodeUnknown on a first boot, where the API server comes first. */
  async #acknowledge(digest: Digest): Promise<void> {
    const { kube, nodeKube, nodeName } = this.#options;
    if (await acknowledgeSeed(nodeKube?.() ?? kube, nodeName, digest)) return;
    throw new BootstrapError({
      reason: "NodeUnknown",
      message: `the cluster has no node ${nodeName} yet`,
      kept: "the registry's image",
      disposition: "wait",
    });
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
