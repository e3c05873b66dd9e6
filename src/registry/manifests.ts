import { type Digest, digestOf } from "../std/mod.ts";
import { askUpstreams, type Context } from "./context.ts";
import { RegistryError } from "./errors.ts";
import { add } from "./metrics.ts";
import { looksLikeDigest, requireDigest, requireTag } from "./names.ts";
import type { FetchedManifest } from "./types.ts";

/** The largest manifest that is served or fetched (OCI distribution-spec, "Pushing manifests"). */
export const MAX_MANIFEST = 4 << 20;

/** What a manifest request names. */
export interface ManifestRequest {
  readonly name: string;
  readonly reference: string;
  readonly ns: string | undefined;
}

/** Answers GET and HEAD of a manifest: from the store, then from the upstreams. */
export async function serveManifest(
  context: Context,
  request: Request,
  wanted: ManifestRequest,
): Promise<Response> {
  const byDigest = looksLikeDigest(wanted.reference);
  const digest = byDigest ? requireDigest(wanted.reference, "MANIFEST_UNKNOWN") : undefined;
  if (!byDigest) requireTag(wanted.reference);
  const stored = manifestInStore(context, wanted, digest);
  const { upstream, found } = stored === undefined
    ? await manifestUpstream(context, request, wanted, digest)
    : { upstream: "store", found: stored };
  return respond(context, request, found, upstream);
}

function manifestInStore(
  { store }: Context,
  wanted: ManifestRequest,
  digest: Digest | undefined,
): FetchedManifest | undefined {
  const named = digest === undefined
    ? store.records.resolveTag(wanted.name, wanted.reference, wanted.ns)
    : store.records.manifest(digest);
  if (named === undefined) return undefined;
  const bytes = store.blobs.read(named.digest, MAX_MANIFEST);
  return bytes && { mediaType: named.mediaType, digest: named.digest, bytes };
}

async function manifestUpstream(
  context: Context,
  request: Request,
  wanted: ManifestRequest,
  digest: Digest | undefined,
): Promise<{ readonly upstream: string; readonly found: FetchedManifest }> {
  const { name, reference, ns } = wanted;
  // What the store knows but no longer holds (a bad blob moved aside) has a digest to ask for.
  const known = digest ?? context.store.records.resolveTag(name, reference, ns)?.digest;
  const what = `${name}${digest === undefined ? ":" : "@"}${reference}`;
  return await askUpstreams(context, "MANIFEST_UNKNOWN", what, async (upstream) => {
    const found = await upstream.manifest(name, known ?? reference, ns, request.signal);
    const actual = found && digestOf(found.bytes);
    if (found === undefined || actual === (known ?? found.digest)) return found;
    throw new RegistryError({
      reason: "UpstreamInvalid",
      message: `the manifest of ${what} has the digest ${actual}`,
      disposition: "retry",
    });
  });
}

function respond(
  { metrics }: Context,
  request: Request,
  { mediaType, digest, bytes }: FetchedManifest,
  source: string,
): Response {
  const headers = {
    "content-type": mediaType,
    "content-length": String(bytes.length),
    "docker-content-digest": digest,
    "etag": `"${digest}"`,
  };
  if (matchesEtag(request, digest)) {
    return new Response(null, { status: 304, headers: { etag: headers.etag } });
  }
  if (request.method === "HEAD") return new Response(null, { headers });
  add(metrics.bytes, source, bytes.length);
  return new Response(bytes as BodyInit, { headers });
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
