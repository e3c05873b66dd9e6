import type { Upstream } from "../registry/mod.ts";
import { describeError, type Digest, type Logger } from "../std/mod.ts";
import type { BlobReference, ImageRecord, Store } from "../store/mod.ts";

/** Repositories that are asked for one blob; a package with more is read from its file again. */
const MAX_REPOSITORIES = 64;

/** What repairing blobs works with. */
export interface BlobRepairOptions {
  readonly store: Store;
  /** Other places that may have the blobs, in the order in which they are asked. */
  readonly upstreams: readonly Upstream[];
  readonly logger: Logger;
  /** Told of each blob that is whole again, with where it came from. */
  readonly onRepaired: (digest: Digest, source: string) => void;
}

/**
 * Fetches blobs that the records name and the store does not have from other registries. What comes
 * is verified like anything that is written into the store. It never fails: what cannot be fetched
 * is tried again in the next round.
 */
export async function repairBlobs(
  options: BlobRepairOptions,
  missing: readonly BlobReference[],
  signal: AbortSignal,
): Promise<void> {
  for (const blob of missing) {
    if (signal.aborted) return;
    const source = await repairBlob(options, blob, signal);
    if (source === undefined) continue;
    options.logger.info("a missing blob was fetched again", { digest: blob.digest, source });
    options.onRepaired(blob.digest, source);
  }
}

/** Gives the name of the upstream that had it. */
async function repairBlob(
  options: BlobRepairOptions,
  { digest, size }: BlobReference,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { store, upstreams, logger } = options;
  for (const repository of repositoriesOf(store, digest)) {
    for (const upstream of upstreams) {
      try {
        const bytes = await fetchBlob(options, upstream, repository, digest, signal);
        if (bytes === undefined) continue;
        await store.blobs.write(digest, size, bytes);
        return upstream.name;
      } catch (error) {
        logger.debug(`a missing blob cannot be fetched: ${describeError(error)}`, {
          digest,
          upstream: upstream.name,
        });
      }
    }
  }
  return undefined;
}

async function fetchBlob(
  { store }: BlobRepairOptions,
  upstream: Upstream,
  repository: string,
  digest: Digest,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  // Registries serve a manifest as a manifest only.
  if (store.records.manifest(digest) === undefined) {
    return (await upstream.blob(repository, digest, signal))?.body;
  }
  const manifest = await upstream.manifest(repository, digest, undefined, signal);
  return manifest && new Blob([manifest.bytes as BlobPart]).stream();
}

/** Where the blob may be: a registry gives it by the repositories of the images that have it. */
function repositoriesOf({ records }: Store, digest: Digest): string[] {
  const images = records.blobOwners(digest).flatMap((owner): ImageRecord[] =>
    records.images(owner)
  );
  return [...new Set(images.map(({ repository }) => repository))].slice(0, MAX_REPOSITORIES);
}
