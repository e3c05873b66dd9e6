import type { Digest } from "../std/mod.ts";
import type { OpenBlob } from "../store/mod.ts";
import { blobBody, type BodyObserver } from "./body.ts";
import { askUpstreams, type Context } from "./context.ts";
import { RequestError } from "./errors.ts";
import { matchesEtag } from "./manifests.ts";
import { add } from "./metrics.ts";
import { type ByteRange, rangeOf } from "./range.ts";
import type { FetchedBlob } from "./types.ts";
import { verifiedBody } from "./verified.ts";

/** Blob bodies that are sent at once, from all sources; each takes a file or a connection. */
export const MAX_STREAMS = 256;
/** Digest-named content never changes: a year, the longest that caches heed. */
const CACHE_CONTROL = "public, max-age=31536000, immutable";

/** Answers GET and HEAD of a blob: from the store, then from the upstreams. */
export async function serveBlob(
  context: Context,
  request: Request,
  name: string,
  digest: Digest,
): Promise<Response> {
  if (request.method === "HEAD") return await headBlob(context, request, name, digest);
  if (context.metrics.activeStreams >= MAX_STREAMS) {
    throw new RequestError("TOOMANYREQUESTS", "too many blobs are sent now", null, {
      "retry-after": "1",
    });
  }
  const opened = context.store.blobs.open(digest);
  return opened === undefined
    ? await proxyBlob(context, request, name, digest)
    : sendBlob(context, request, digest, opened);
}

async function headBlob(
  context: Context,
  request: Request,
  name: string,
  digest: Digest,
): Promise<Response> {
  const size = context.store.blobs.stat(digest)?.size ??
    await sizeUpstream(context, request, name, digest);
  if (matchesEtag(request, digest)) return notModified(digest);
  return new Response(null, {
    headers: { ...blobHeaders(digest), "content-length": String(size) },
  });
}

function sendBlob(
  context: Context,
  request: Request,
  digest: Digest,
  blob: OpenBlob,
): Response {
  const { size } = blob;
  const range = requestedRange(request, digest, size);
  if (matchesEtag(request, digest) || range === "unsatisfiable") {
    blob.file.close();
    return range === "unsatisfiable" ? rangeNotSatisfiable(size) : notModified(digest);
  }
  const part = range ?? { start: 0, end: size };
  const observer = observe(context, "store");
  return new Response(blobBody(blob, part, observer), {
    status: range === undefined ? 200 : 206,
    headers: {
      ...blobHeaders(digest),
      "accept-ranges": "bytes",
      "content-length": String(part.end - part.start),
      ...(range === undefined
        ? {}
        : { "content-range": `bytes ${part.start}-${part.end - 1}/${size}` }),
    },
  });
}

async function proxyBlob(
  context: Context,
  request: Request,
  name: string,
  digest: Digest,
): Promise<Response> {
  const { upstream, found } = await blobUpstream(context, request, name, digest);
  const observer = observe(context, upstream);
  return new Response(verifiedBody(found, digest, observer), {
    headers: { ...blobHeaders(digest), "content-length": String(found.size) },
  });
}

async function sizeUpstream(
  context: Context,
  request: Request,
  name: string,
  digest: Digest,
): Promise<number> {
  const { found } = await blobUpstream(context, request, name, digest);
  await found.body.cancel().catch(() => {});
  return found.size;
}

function blobUpstream(
  context: Context,
  request: Request,
  name: string,
  digest: Digest,
): Promise<{ readonly upstream: string; readonly found: FetchedBlob }> {
  return askUpstreams(
    context,
    "BLOB_UNKNOWN",
    `${name}@${digest}`,
    (upstream) => upstream.blob(name, digest, request.signal),
  );
}

function observe({ metrics }: Context, source: string): BodyObserver {
  metrics.activeStreams++;
  return {
    onEnd: () => void metrics.activeStreams--,
    onBytes: (count) => add(metrics.bytes, source, count),
  };
}

function requestedRange(
  request: Request,
  digest: Digest,
  size: number,
): ByteRange | "unsatisfiable" | undefined {
  const condition = request.headers.get("if-range");
  if (condition !== null && condition !== `"${digest}"`) return undefined;
  return rangeOf(request.headers.get("range"), size);
}

function blobHeaders(digest: Digest): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    "etag": `"${digest}"`,
    "cache-control": CACHE_CONTROL,
  };
}

function notModified(digest: Digest): Response {
  const { etag, "cache-control": cacheControl } = blobHeaders(digest);
  return new Response(null, {
    status: 304,
    headers: { etag: etag ?? "", "cache-control": cacheControl ?? "" },
  });
}

function rangeNotSatisfiable(size: number): Response {
  return new Response(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
}
