import { MANIFEST_TYPES } from "../registry/mod.ts";
import type { ImageRecord } from "../store/mod.ts";
import { askRegistry } from "../zarf/mod.ts";

/** How long one question may take, in milliseconds. */
const TIMEOUT = 5_000;

/** How to read from the in-cluster registry. */
export interface RegistryReader {
  /** `http://<cluster IP>:5000` */
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

/**
 * Whether the in-cluster registry says that it lacks one of these images. A registry that does not
 * answer lacks nothing: it is asked again later.
 */
export async function lacksImages(
  registry: RegistryReader,
  images: readonly ImageRecord[],
): Promise<boolean> {
  for (const { repository, tag, zarfTag, descriptor } of images) {
    for (const reference of new Set([zarfTag ?? descriptor.digest, tag ?? descriptor.digest])) {
      const status = await ask(registry, `${repository}/manifests/${reference}`);
      if (status === undefined) return false;
      if (status === 404) return true;
    }
  }
  return false;
}

async function ask(registry: RegistryReader, path: string): Promise<number | undefined> {
  const answer = await askRegistry({
    method: "HEAD",
    url: `${registry.url}/v2/${path}`,
    credentials: registry,
    accept: MANIFEST_TYPES,
    timeout: TIMEOUT,
  });
  return answer?.status;
}
