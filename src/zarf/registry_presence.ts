import type { Digest } from "../std/mod.ts";
import { ZarfError } from "./errors.ts";
import {
  type PlannedBlob,
  type PlannedManifest,
  planPush,
  type PushImage,
  type PushSource,
} from "./push_plan.ts";
import { type Credentials, type RegistryAnswer, RegistryClient } from "./registry_client.ts";

/**
 * Whether a registry has a blob in its repository.
 *
 * @throws {ZarfError} `RegistryRefused` or `RegistryUnavailable`.
 */
export async function hasBlob(
  client: RegistryClient,
  { repository, digest }: Pick<PlannedBlob, "repository" | "digest">,
  signal?: AbortSignal,
): Promise<boolean> {
  const path = client.path(repository, `blobs/${digest}`);
  const found = await client.send({ method: "HEAD", path, ...(signal ? { signal } : {}) });
  if (found.status === 200) return true;
  if (found.status === 404) return false;
  throw refusal(`blob ${digest}`, repository, found);
}

/**
 * Whether a registry's name means this manifest already.
 *
 * @throws {ZarfError} `RegistryUnavailable`.
 */
export async function hasManifest(
  client: RegistryClient,
  { repository, reference, digest, mediaType }: PlannedManifest,
  signal?: AbortSignal,
): Promise<boolean> {
  const path = client.path(repository, `manifests/${reference}`);
  const headers = { accept: mediaType };
  const found = await client.send({
    ...{ method: "HEAD", path, headers },
    ...(signal ? { signal } : {}),
  });
  return found.status === 200 && found.headers["docker-content-digest"] === digest;
}

/** 401, 403, 404, 405 cannot change by trying again; anything else may. */
export function refusal(what: string, repository: string, answer: RegistryAnswer): ZarfError {
  const terminal = [401, 403, 404, 405].includes(answer.status);
  const detail = answer.text.trim();
  return new ZarfError({
    reason: terminal ? "RegistryRefused" : "RegistryUnavailable",
    message: `the registry answered ${answer.status} to ${what} in ${repository}` +
      (detail === "" ? "" : `: ${detail}`),
    kept: "what was pushed before is kept and is not sent again",
    disposition: terminal ? "terminal" : "retry",
  });
}

/** An image that a push would bring. */
export interface AbsentImage {
  readonly image: PushImage;
  /** Of the blobs that would be sent for it, those of images before it left out. */
  readonly bytes: number;
}

/** What {@linkcode RegistryView} asks. */
export interface RegistryViewOptions {
  /** `http://host:port`, `https://host/prefix` */
  readonly registryUrl: string;
  readonly credentials: Credentials;
  /** Milliseconds without a byte. @default the client's */
  readonly stallTimeout?: number;
  readonly signal?: AbortSignal;
}

/** Kinds of manifests that an image can have. */
const ANY_MANIFEST = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** What a registry has; nothing is sent to it. */
export class RegistryView {
  readonly #client: RegistryClient;
  readonly #signal: AbortSignal | undefined;

  constructor({ registryUrl, credentials, stallTimeout, signal }: RegistryViewOptions) {
    this.#client = new RegistryClient(registryUrl, credentials, stallTimeout);
    this.#signal = signal;
  }

  /** See {@linkcode hasBlob}. */
  hasBlob(blob: PlannedBlob): Promise<boolean> {
    return hasBlob(this.#client, blob, this.#signal);
  }

  /** See {@linkcode hasManifest}. */
  hasManifest(manifest: PlannedManifest): Promise<boolean> {
    return hasManifest(this.#client, manifest, this.#signal);
  }

  /**
   * Whether there is an image by this tag or digest.
   *
   * @throws {ZarfError} `RegistryUnavailable`.
   */
  async has(repository: string, reference: string | Digest): Promise<boolean> {
    const path = this.#client.path(repository, `manifests/${reference}`);
    const signal = this.#signal === undefined ? {} : { signal: this.#signal };
    const headers = { accept: ANY_MANIFEST };
    return (await this.#client.send({ method: "HEAD", path, headers, ...signal })).status === 200;
  }
}

/**
 * The images that a push would bring, as {@linkcode pushImages} looks for them.
 *
 * @param registry absent, nothing is there yet.
 * @throws {ZarfError} `RegistryRefused` or `RegistryUnavailable`.
 */
export async function absentImages(
  images: readonly PushImage[],
  source: PushSource,
  registry: RegistryView | undefined,
): Promise<AbsentImage[]> {
  const counted = new Set<string>();
  const absent: AbsentImage[] = [];
  for (const image of images) {
    const { blobs, manifests } = await planPush([image], source);
    let [bytes, isAbsent] = [0, registry === undefined];
    for (const blob of blobs) {
      if (await registry?.hasBlob(blob)) continue;
      isAbsent = true;
      const key = `${blob.repository}@${blob.digest}`;
      if (!counted.has(key)) bytes += blob.size;
      counted.add(key);
    }
    for (const manifest of manifests) isAbsent ||= !await registry?.hasManifest(manifest);
    if (isAbsent) absent.push({ image, bytes });
  }
  return absent;
}
