import * as v from "valibot";
import { type Digest, Digester, digestOf, HoldfastError, isDigest } from "../../src/std/mod.ts";

/** Why a pull failed. */
export class PullError extends HoldfastError<"NotServed" | "WrongBytes"> {}

/** One image that was pulled: every byte was received and its digest checked. */
export interface PulledImage {
  readonly reference: string;
  readonly digest: Digest;
  readonly blobs: number;
  readonly bytes: number;
}

const catalogSchema = v.object({ repositories: v.array(v.string()) });
const tagsSchema = v.object({ tags: v.array(v.string()) });
const digestSchema = v.custom<Digest>((value) => typeof value === "string" && isDigest(value));
const descriptorSchema = v.object({ digest: digestSchema, size: v.number() });
const manifestSchema = v.object({
  manifests: v.optional(v.array(descriptorSchema), []),
  config: v.optional(descriptorSchema),
  layers: v.optional(v.array(descriptorSchema), []),
});

const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** The names of all images that a registry serves, one tag each: `library/hello:0.1.0`. */
export async function listImages(registry: string): Promise<string[]> {
  const { repositories } = v.parse(catalogSchema, await getJson(`${registry}/v2/_catalog`));
  const tagged = repositories.map(async (repository) => {
    const { tags } = v.parse(tagsSchema, await getJson(`${registry}/v2/${repository}/tags/list`));
    // The plain name: Zarf's has a checksum of the whole reference at its end.
    const plain = tags.find((tag) => !/-zarf-\d+$/.test(tag)) ?? tags[0];
    return plain === undefined ? [] : [`${repository}:${plain}`];
  });
  return (await Promise.all(tagged)).flat().sort();
}

/**
 * Pulls an image as a container runtime does, manifest first, then its config and layers, and checks
 * every digest. Nothing is kept.
 *
 * @param registry `http://127.0.0.1:31999`
 * @param reference `library/hello:0.1.0`
 * @throws {PullError}
 */
export async function pullImage(registry: string, reference: string): Promise<PulledImage> {
  const colon = reference.lastIndexOf(":");
  const base = `${registry}/v2/${reference.slice(0, colon)}`;
  const { digest, bytes } = await getManifest(`${base}/manifests/${reference.slice(colon + 1)}`);
  const blobs = await collectBlobs(base, bytes);
  for (const { digest, size } of blobs) await checkBlob(`${base}/blobs/${digest}`, digest, size);
  const total = blobs.reduce((sum, { size }) => sum + size, bytes.length);
  return { reference, digest, blobs: blobs.length, bytes: total };
}

type Descriptor = v.InferOutput<typeof descriptorSchema>;

async function collectBlobs(base: string, bytes: Uint8Array): Promise<Descriptor[]> {
  const manifest = v.parse(manifestSchema, JSON.parse(new TextDecoder().decode(bytes)));
  const blobs = [...manifest.config === undefined ? [] : [manifest.config], ...manifest.layers];
  for (const child of manifest.manifests) {
    const { bytes } = await getManifest(`${base}/manifests/${child.digest}`);
    blobs.push(...await collectBlobs(base, bytes));
  }
  return blobs;
}

async function getManifest(url: string) {
  const response = await get(url);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const digest = digestOf(bytes);
  if (response.headers.get("docker-content-digest") !== digest) throw wrong(url, digest);
  return { digest, bytes };
}

async function checkBlob(url: string, digest: Digest, size: number): Promise<void> {
  const { body } = await get(url);
  const digester = new Digester();
  let count = 0;
  for await (const chunk of body ?? []) {
    digester.update(chunk);
    count += chunk.length;
  }
  const found = digester.finish();
  if (found !== digest || count !== size) throw wrong(url, found);
}

async function getJson(url: string): Promise<unknown> {
  return await (await get(url)).json();
}

async function get(url: string): Promise<Response> {
  const response = await fetch(url, { headers: { accept: `${ACCEPT}, application/json, */*` } });
  if (response.ok) return response;
  await response.body?.cancel();
  throw new PullError({
    reason: "NotServed",
    message: `${url} answered ${response.status}`,
  });
}

function wrong(url: string, found: Digest): PullError {
  return new PullError({
    reason: "WrongBytes",
    message: `${url} sent other bytes than it names: they have the digest ${found}`,
  });
}
