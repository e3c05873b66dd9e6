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
  /** Where it may come from, the likeliest first. */
  readonly hosts: readonly (string | undefined)[];
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
    ? resolveTag(store.records, wanted)
    : store.records.manifest(digest);
  if (named === undefined) return undefined;
  const bytes = store.blobs.read(named.digest, MAX_MANIFEST);
  return bytes && { mediaType: named.mediaType, digest: named.digest, bytes };
}

function resolveTag(
  records: Context["store"]["records"],
  { name, reference, hosts }: ManifestRequest,
): ReturnType<typeof records.resolveTag> {
  for (const host of hosts) {
    const found = records.resolveTag(name, reference, host);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function manifestUpstream(
  context: Context,
  request: Request,
  wanted: ManifestRequest,
  digest: Digest | undefined,
): Promise<{ readonly upstream: string; readonly found: FetchedManifest }> {
  const { name, reference, hosts } = wanted;
  // What the store knows but no longer holds (a bad blob moved aside) has a digest to ask for.
  const known = digest ?? resolveTag(context.store.records, wanted)?.digest;
  const what = `${name}${digest === undefined ? ":" : "@"}${reference}`;
  return await askUpstreams(context, "MANIFEST_UNKNOWN", what, async (upstream) => {
    const found = await firstOf(
      // A digest is the same under every host.
      known === undefined ? hosts : hosts.slice(0, 1),
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

async function firstOf<H, T>(
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
