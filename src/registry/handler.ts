import { describeError, type Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { serveBlob } from "./blobs.ts";
import type { Context } from "./context.ts";
import { RequestError } from "./errors.ts";
import { serveCatalog, serveReferrers, serveTags } from "./listing.ts";
import { serveManifest } from "./manifests.ts";
import { countRequest, createRegistryMetrics } from "./metrics.ts";
import { hostsOf, requireDigest } from "./names.ts";
import { type Route, routeOf } from "./route.ts";
import type { RegistryMetrics, TagBook, Upstream } from "./types.ts";

/** What a registry is made of. */
export interface RegistryOptions {
  readonly store: Pick<Store, "blobs" | "records">;
  /** Asked in this order for what the store does not have. */
  readonly upstreams: readonly Upstream[];
  /** Asked first what a tag means. @default nobody: the store knows best */
  readonly tags?: TagBook;
  readonly logger: Logger;
  /** Counted into; @default counters that nobody sees. */
  readonly metrics?: RegistryMetrics;
}

/** Answers a request of the distribution API. */
export type RegistryHandler = (request: Request) => Promise<Response>;

const ALLOW = "GET, HEAD";

/** The node registry: a handler that never throws and changes nothing. */
export function createRegistry(options: RegistryOptions): RegistryHandler {
  const { store, upstreams, tags, logger, metrics = createRegistryMetrics() } = options;
  const context: Context = { store, upstreams, tags, logger, metrics };
  return async (request) => {
    const { route, response } = await answer(context, request);
    // Set on every answer: old Docker clients look for it (distribution-spec, "Legacy").
    response.headers.set("docker-distribution-api-version", "registry/2.0");
    response.headers.set("x-content-type-options", "nosniff");
    countRequest(metrics, route, response.status);
    return response;
  };
}

async function answer(
  context: Context,
  request: Request,
): Promise<{ readonly route: string; readonly response: Response }> {
  let route = "unknown";
  try {
    const url = new URL(request.url);
    const parsed = routeOf(url);
    route = parsed.kind;
    requireReading(request, parsed);
    return { route, response: await dispatch(context, request, url, parsed) };
  } catch (error) {
    if (error instanceof RequestError) return { route, response: error.response(request.method) };
    context.logger.error("a registry request failed", { route, error: describeError(error) });
    const failure = new RequestError("UNKNOWN", "the node registry cannot read its store");
    return { route, response: failure.response(request.method) };
  }
}

function requireReading(request: Request, route: Route): void {
  const reading = request.method === "GET" || request.method === "HEAD";
  if (reading && route.kind !== "uploads") return;
  throw new RequestError("UNSUPPORTED", "this registry only serves", null, { allow: ALLOW });
}

async function dispatch(
  context: Context,
  request: Request,
  url: URL,
  route: Route,
): Promise<Response> {
  const hosts = hostsOf(url);
  switch (route.kind) {
    case "base":
    case "uploads":
      return baseResponse(request);
    case "catalog":
      return serveCatalog(context, request, url);
    case "tags":
      return serveTags(context, request, url, route.name, hosts);
    case "manifests":
      return await serveManifest(context, request, { ...route, hosts });
    case "blobs": {
      const digest = requireDigest(route.reference, "BLOB_UNKNOWN");
      return await serveBlob(context, request, route.name, digest);
    }
    case "referrers": {
      const subject = requireDigest(route.reference, "MANIFEST_UNKNOWN");
      return serveReferrers(context, request, url, subject);
    }
  }
}

function baseResponse(request: Request): Response {
  return new Response(request.method === "HEAD" ? null : "{}", {
    headers: { "content-type": "application/json", "content-length": "2" },
  });
}
