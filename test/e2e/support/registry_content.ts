import assert from "node:assert/strict";
import { type Digest, digestOf } from "../../../src/std/mod.ts";
import type { PushImage } from "../../../src/zarf/mod.ts";
import type { RealRegistry } from "./real_registry.ts";

/** What one repository holds. */
export interface RepositoryContent {
  readonly tags: Readonly<Record<string, Digest>>;
  /** Manifests, indexes and the indexes' manifests, sorted. */
  readonly manifests: readonly Digest[];
  /** Sizes of configs and layers. */
  readonly blobs: Readonly<Record<Digest, number>>;
}

/** What a registry holds, by repository. */
export type RegistryContent = Readonly<Record<string, RepositoryContent>>;

interface Descriptor {
  readonly digest: Digest;
  readonly size: number;
}

interface Manifest {
  readonly mediaType?: string;
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
  readonly manifests?: readonly Descriptor[];
}

const MANIFEST_TYPES = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");

/** How many names a page of a listing has: few, so that there are several pages. */
const PAGE = 2;

/** What a registry has to hold when `images` are in it, by the manifests that `read` gives. */
export function contentOf(
  images: readonly PushImage[],
  read: (digest: Digest) => Uint8Array,
): RegistryContent {
  const content: Record<string, RepositoryContent> = {};
  for (const repository of new Set(images.map((image) => image.repository))) {
    const own = images.filter((image) => image.repository === repository);
    const tags = own.flatMap(({ tags, digest }) => tags.map((tag) => [tag, digest] as const));
    const roots = own.map((image) => image.digest);
    content[repository] = { tags: Object.fromEntries(tags), ...below(roots, read) };
  }
  return content;
}

function below(
  roots: readonly Digest[],
  read: (digest: Digest) => Uint8Array,
): Pick<RepositoryContent, "manifests" | "blobs"> {
  const manifests = new Set<Digest>();
  const blobs: Record<Digest, number> = {};
  const visit = (digest: Digest) => {
    manifests.add(digest);
    const manifest: Manifest = JSON.parse(new TextDecoder().decode(read(digest)));
    for (const blob of [...manifest.layers ?? [], ...manifest.config ? [manifest.config] : []]) {
      blobs[blob.digest] = blob.size;
    }
    for (const child of manifest.manifests ?? []) visit(child.digest);
  };
  for (const root of roots) visit(root);
  return { manifests: [...manifests].sort(), blobs };
}

/**
 * Everything that a registry serves of `images` and whatever else it has a tag of: listed page by
 * page, asked for with HEAD and GET, every byte against its digest.
 */
export async function servedContent(
  registry: RealRegistry,
  images: readonly PushImage[],
): Promise<RegistryContent> {
  const content: Record<string, RepositoryContent> = {};
  for (const repository of await listed(registry, "_catalog", "repositories")) {
    const tags: Record<string, Digest> = {};
    const manifests = new Map<Digest, Uint8Array>();
    for (const tag of await listed(registry, `${repository}/tags/list`, "tags")) {
      const bytes = await manifestBytes(registry, repository, tag);
      tags[tag] = digestOf(bytes);
      manifests.set(tags[tag], bytes);
    }
    const untagged = images.filter((image) => image.repository === repository);
    const roots = [...new Set([...untagged.map(({ digest }) => digest), ...manifests.keys()])];
    await fetchManifests(registry, repository, roots, manifests);
    const found = below(roots, (digest) => manifests.get(digest) ?? assert.fail(digest));
    for (const [digest, size] of Object.entries(found.blobs)) {
      await assertServes(registry, `${repository}/blobs/${digest}`, digest, size);
    }
    content[repository] = { tags, ...found };
  }
  return content;
}

/** The manifests of `digests` and, of indexes, theirs. */
async function fetchManifests(
  registry: RealRegistry,
  repository: string,
  digests: readonly Digest[],
  manifests: Map<Digest, Uint8Array>,
): Promise<void> {
  for (const digest of digests) {
    const bytes = await manifestBytes(registry, repository, digest);
    assert.equal(digestOf(bytes), digest);
    manifests.set(digest, bytes);
    const { manifests: children = [] }: Manifest = JSON.parse(new TextDecoder().decode(bytes));
    await fetchManifests(registry, repository, children.map((child) => child.digest), manifests);
  }
}

async function manifestBytes(
  registry: RealRegistry,
  repository: string,
  reference: string,
): Promise<Uint8Array> {
  const path = `${repository}/manifests/${reference}`;
  const reply = await registry.ask("GET", path, MANIFEST_TYPES);
  assert.equal(reply.status, 200, `${path}: ${new TextDecoder().decode(reply.bytes)}`);
  const digest = digestOf(reply.bytes);
  const { mediaType }: Manifest = JSON.parse(new TextDecoder().decode(reply.bytes));
  for (const { headers, status } of [reply, await registry.ask("HEAD", path, MANIFEST_TYPES)]) {
    assert.equal(status, 200, path);
    assert.equal(headers.get("docker-content-digest"), digest, path);
    assert.equal(headers.get("content-length"), String(reply.bytes.length), path);
    if (mediaType !== undefined) assert.equal(headers.get("content-type"), mediaType, path);
  }
  return reply.bytes;
}

async function assertServes(
  registry: RealRegistry,
  path: string,
  digest: string,
  size: number,
): Promise<void> {
  const head = await registry.ask("HEAD", path);
  assert.equal(head.status, 200, path);
  assert.equal(head.headers.get("content-length"), String(size), path);
  const { status, bytes } = await registry.ask("GET", path);
  assert.equal(status, 200, path);
  assert.equal(digestOf(bytes), digest, path);
}

/** A listing, page by page as its `Link` headers lead. */
async function listed(
  registry: RealRegistry,
  path: string,
  key: "repositories" | "tags",
): Promise<string[]> {
  const names: string[] = [];
  for (let next: string | undefined = `${path}?n=${PAGE}`; next !== undefined;) {
    const { status, headers, bytes } = await registry.ask("GET", next);
    const text = new TextDecoder().decode(bytes);
    // A repository without a tag has no list of them.
    if (status === 404 && key === "tags") return [];
    assert.equal(status, 200, `${next}: ${text}`);
    const page: string[] = JSON.parse(text)[key] ?? [];
    assert.ok(page.length <= PAGE, text);
    names.push(...page);
    next = /^<\/v2\/(.+)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1];
  }
  assert.equal(new Set(names).size, names.length, "no name is on two pages");
  return names;
}
