import { MANIFEST_TYPES } from "../registry/mod.ts";
import type { ImageRecord } from "../store/mod.ts";

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
  const authorization = `Basic ${btoa(`${registry.username}:${registry.password}`)}`;
  try {
    const response = await fetch(`${registry.url}/v2/${path}`, {
      method: "HEAD",
      headers: { authorization, accept: MANIFEST_TYPES },
      signal: AbortSignal.timeout(TIMEOUT),
    });
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined;
  }
}
