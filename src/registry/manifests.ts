import { type Digest, digestOf } from "../std/mod.ts";
import { askUpstreams, type Context } from "./context.ts";
import { RegistryError } from "./errors.ts";
import { add } from "./metrics.ts";
import { looksLikeDigest, requireDigest, requireTag } from "./names.ts";
import type { FetchedManifest, KnownTag } from "./types.ts";

/** The largest manifest that is served or fetched (OCI distribution-spec, "Pushing manifests"). */
export const MAX_MANIFEST = 4 << 20;

/** What a manifest request names. */
export interface ManifestRequest {
  readonly name: string;
  readonly reference: string;
  /** Where it may come from, the likeliest first. */
  readonly hosts: readonly (string | undefined)[];
}

/**
 * Answers GET and HEAD of a manifest: from the store, then from the upstreams. What a tag means is
 * asked of the {@linkcode TagBook} first; a digest means the same everywhere.
 */
export async function serveManifest(
  context: Context,
  request: Request,
  wanted: ManifestRequest,
): Promise<Response> {
  const named = looksLikeDigest(wanted.reference)
    ? { digest: requireDigest(wanted.reference, "MANIFEST_UNKNOWN") }
    : await meaningOf(context, wanted, requireTag(wanted.reference));
  const stored = named && manifestInStore(context, named);
  if (stored !== undefined) return respond(context, request, stored, "store");
  if (request.method === "HEAD" && isWhole(named)) return respondHead(request, named);
  const { upstream, found } = await manifestUpstream(context, request, wanted, named?.digest);
  return respond(context, request, found, upstream);
}

/** What a reference names, as far as it is known. */
type Named = Pick<KnownTag, "digest"> & Partial<KnownTag>;

/** What a tag means by the book, else by the store; undefined when neither knows it. */
async function meaningOf(
  { tags, store }: Context,
  { name, hosts }: ManifestRequest,
  tag: string,
): Promise<Named | undefined> {
  const stored = firstOf(hosts, (host) => {
    const found = store.records.resolveTag(name, tag, host);
    return found && { ...found, host };
  });
  for (const host of stored === undefined ? hosts : [stored.host]) {
    const known = await tags?.current(name, tag, host, stored?.digest);
    if (known !== undefined && known.digest !== stored?.digest) return known;
    if (known !== undefined) break;
  }
  return stored;
}

function isWhole(named: Named | undefined): named is KnownTag {
  return named?.mediaType !== undefined && named.size !== undefined;
}

function manifestInStore({ store }: Context, named: Named): FetchedManifest | undefined {
  const { digest } = named;
  const mediaType = named.mediaType ?? store.records.manifest(digest)?.mediaType;
  const bytes = mediaType === undefined ? undefined : store.blobs.read(digest, MAX_MANIFEST);
  return mediaType === undefined || bytes === undefined ? undefined : { mediaType, digest, bytes };
}

function firstOf<H, T>(hosts: readonly H[], look: (host: H) => T | undefined): T | undefined {
  for (const host of hosts) {
    const found = look(host);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** @param known the digest to ask for; what a tag means there when undefined. */
async function manifestUpstream(
  context: Context,
  request: Request,
  { name, reference, hosts }: ManifestRequest,
  known: Digest | undefined,
): Promise<{ readonly upstream: string; readonly found: FetchedManifest }> {
  const what = `${name}${looksLikeDigest(reference) ? "@" : ":"}${reference}`;
  // A digest is the same under every host.
  const asked = known === undefined ? hosts : hosts.slice(0, 1);
  return await askUpstreams(context, "MANIFEST_UNKNOWN", what, async (upstream) => {
    const found = await firstAnswer(
      asked,
      (host) => upstream.manifest(name, known ?? reference, host, request.signal),
    );
    const actual = found && digestOf(found.bytes);
    if (found === undefined || actual === (known ?? found.digest)) return found;
    throw new RegistryError({
      reason: "UpstreamInvalid",
      message: `the manifest of ${what} has the digest ${actual}`,
      disposition: "retry",
    });
  });
}

async function firstAnswer<H, T>(
  hosts: readonly H[],
  ask: (host: H) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const host of hosts) {
    const found = await ask(host);
    if (found !== undefined) return found;
  }
  return undefined;
}

function respond(
  { metrics }: Context,
  request: Request,
  { mediaType, digest, bytes }: FetchedManifest,
  source: string,
): Response {
  const head = respondHead(request, { mediaType, digest, size: bytes.length });
  if (request.method === "HEAD" || head.status !== 200) return head;
  add(metrics.bytes, source, bytes.length);
  return new Response(bytes as BodyInit, { headers: head.headers });
}

function respondHead(request: Request, { mediaType, digest, size }: KnownTag): Response {
  const headers = {
    "content-type": mediaType,
    "content-length": String(size),
    "docker-content-digest": digest,
    "etag": `"${digest}"`,
  };
  if (!matchesEtag(request, digest)) return new Response(null, { headers });
  return new Response(null, { status: 304, headers: { etag: headers.etag } });
}

/** Whether the client has it already (RFC 9110, section 13.1.2). */
export function matchesEtag(request: Request, digest: Digest): boolean {
  const header = request.headers.get("if-none-match");
  if (header === null) return false;
  return header.split(",").some((each) => {
    const tag = each.trim().replace(/^W\//, "");
    return tag === "*" || tag === `"${digest}"`;
  });
}
