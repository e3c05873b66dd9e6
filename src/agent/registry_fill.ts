import {
  REGISTRY_GID,
  REGISTRY_UID,
  type RegistryAccess,
  registryIsHere,
} from "../bootstrap/mod.ts";
import { imagesToPush } from "../deploy/mod.ts";
import type { KubeClient } from "../kube/mod.ts";
import { MANIFEST_TYPES } from "../registry/mod.ts";
import { describeError, type Logger } from "../std/mod.ts";
import {
  blobSource,
  type ImageRecord,
  type PackageRecord,
  RegistryStorage,
  type Store,
} from "../store/mod.ts";
import { type Credentials, pushImages, type PushSource } from "../zarf/mod.ts";
import type { RegistryTagBook } from "./tag_book.ts";

/** What filling the in-cluster registry works with. */
export interface RegistryFillOptions {
  readonly kube: KubeClient;
  readonly store: Store;
  readonly access: RegistryAccess;
  readonly nodeName: string;
  /** What this node knows of tags. */
  readonly tags: Pick<RegistryTagBook, "forget">;
  readonly logger: Logger;
}

/** Where and as whom images are pushed, and from what. */
export interface PushTarget {
  readonly url: string;
  readonly credentials: Credentials;
  readonly source: PushSource;
  readonly onNamed: (name: string) => void;
}

/** The in-cluster registry as the target of a push out of the store. */
export function pushTarget({ store, access, tags }: RegistryFillOptions): PushTarget {
  const { pushUsername: username, pushPassword: password } = access.state.registryInfo;
  return {
    url: access.url,
    credentials: { username, password },
    source: blobSource(store.blobs),
    onNamed: (name) => tags.forget(name),
  };
}

/**
 * Where the registry runs on this node, hands it a package's blobs as hard links, so that a push finds
 * them there. It never fails: what cannot be linked is pushed.
 */
export async function linkImages(
  options: RegistryFillOptions,
  images: readonly ImageRecord[],
): Promise<void> {
  const { kube, store, nodeName, logger } = options;
  const directory = `${store.dir}/registry`;
  try {
    if (!await registryIsHere(kube, nodeName, directory)) return;
    const owning = { uid: REGISTRY_UID, gid: REGISTRY_GID };
    const storage = new RegistryStorage(directory, store.blobs, owning);
    const bytes = storage.link(imagesToPush(images));
    logger.info("images are linked into the registry's storage", { images: images.length, bytes });
  } catch (error) {
    logger.warn(
      `images cannot be linked into the registry and are pushed: ${describeError(error)}`,
    );
  }
}

/**
 * Gives the in-cluster registry's storage on this node the good copies of blobs that went bad: it had
 * the same file under another name. Whatever lies in quarantine is looked at, so it may be called at
 * any time; it never fails.
 */
export function mendRegistryStorage(store: Store, logger: Logger): void {
  const owning = { uid: REGISTRY_UID, gid: REGISTRY_GID };
  const storage = new RegistryStorage(`${store.dir}/registry`, store.blobs, owning);
  for (const digest of store.blobs.listQuarantined()) {
    try {
      if (!storage.replace(digest)) continue;
      logger.info("a bad blob of the registry's storage was replaced", { digest });
    } catch (error) {
      logger.warn(`a bad blob of the registry's storage stays: ${describeError(error)}`, {
        digest,
      });
    }
  }
}

/**
 * Puts back what the registry lacks of a package that was deployed before; what is there is not sent
 * again. A tag that has another meaning there was pushed later and keeps it, and one that a package
 * brought which was deployed later is left to that one.
 *
 * @param deployed The images of the package that were deployed.
 */
export async function fillRegistry(
  options: RegistryFillOptions,
  record: PackageRecord,
  deployed: readonly ImageRecord[],
  signal: AbortSignal,
): Promise<void> {
  await linkImages(options, deployed);
  const { url, ...target } = pushTarget(options);
  const taken = tagsOfLater(options.store, record);
  const images = imagesToPush(deployed).map((image) => ({
    ...image,
    tags: image.tags.filter((tag) => !taken.has(`${image.repository}:${tag}`)),
  }));
  await pushImages(images, { ...target, registryUrl: url, keepTagsOf: MANIFEST_TYPES, signal });
}

function tagsOfLater({ records }: Store, { sequence }: PackageRecord): Set<string> {
  const later = records.listPackages()
    .filter((other) => other.state === "ready" && other.sequence > sequence);
  const images = later.flatMap(({ digest }) => imagesToPush(records.images(digest)));
  return new Set(
    images.flatMap(({ repository, tags }) => tags.map((tag) => `${repository}:${tag}`)),
  );
}
