import { type Digest, digestOf, silentLogger } from "../std/mod.ts";
import { type DescriptorRecord, type ImageRecord, Store } from "../store/mod.ts";
import { createRegistry } from "./handler.ts";
import { createRegistryMetrics } from "./metrics.ts";
import { serveRegistry } from "./serve.ts";
import type { RegistryMetrics, TagBook, Upstream } from "./types.ts";

/** The media type of image manifests. */
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
/** Docker's media type of image manifests. */
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";

/** A registry that serves a real store over real HTTP. */
export interface TestRegistry {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  readonly store: Store;
  readonly metrics: RegistryMetrics;
  /** Fetches below `/v2/`. */
  get(path: string, init?: RequestInit): Promise<Response>;
}

/** Starts a registry on a free port with an empty store; removes both afterwards. */
export async function withRegistry(
  action: (registry: TestRegistry) => Promise<void>,
  upstreams: readonly Upstream[] = [],
  tags?: TagBook,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "holdfast-registry-" });
  const store = Store.open(dir);
  const metrics = createRegistryMetrics();
  const handler = createRegistry({
    ...{ store, upstreams, logger: silentLogger, metrics },
    ...(tags === undefined ? {} : { tags }),
  });
  const server = serveRegistry(handler, { hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${server.port}`;
  try {
    const get = (path: string, init?: RequestInit) => fetch(`${url}/v2/${path}`, init);
    await action({ url, port: server.port, store, metrics, get });
  } finally {
    await server.shutdown();
    store.close();
    await Deno.remove(dir, { recursive: true });
  }
}

/** Puts a blob into the store. */
export async function putBlob(store: Store, bytes: Uint8Array<ArrayBuffer>): Promise<Digest> {
  const digest = digestOf(bytes);
  await store.blobs.write(digest, bytes.length, new Blob([bytes]).stream());
  return digest;
}

/** A manifest that is in the store. */
export interface PutManifest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly descriptor: DescriptorRecord;
}

/** Puts a manifest's bytes into the store, not its record. */
export async function putManifest(
  store: Store,
  content: Readonly<Record<string, unknown>>,
  descriptor: Partial<DescriptorRecord> = {},
): Promise<PutManifest> {
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, ...content }));
  const digest = await putBlob(store, bytes);
  const plain = { mediaType: OCI_MANIFEST, digest, size: bytes.length };
  return { bytes, descriptor: { ...plain, ...descriptor } };
}

/** The record of an image with a plain and a Zarf name. */
export function imageOf(
  descriptor: DescriptorRecord,
  repository: string,
  tag: string,
  host = "docker.io",
): ImageRecord {
  return {
    reference: `${host}/${repository}:${tag}`,
    host,
    repository,
    tag,
    zarfTag: `${tag}-zarf-3892838293`,
    descriptor,
  };
}

/** Bytes that are not the same anywhere. */
export function patternBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = (index * 2_654_435_761) >>> 24;
  return bytes;
}

/** Waits until `condition` holds, at most half a minute: the machine may be busy. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
