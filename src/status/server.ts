import { HoldfastError, type HttpListening, listenHttp, type ListenReason } from "../std/mod.ts";
import { type Metric, renderMetrics } from "./metrics.ts";
import { type NodeStatus, renderPage } from "./page.ts";
import { packageStatus } from "./verdict.ts";

/** Why the status page is not served. */
export type StatusReason = ListenReason;

/** The status listener could not be opened; the rest of the agent works without it. */
export class StatusError extends HoldfastError<StatusReason> {}

/** What the status page shows; asked anew for each request. */
export interface StatusSource {
  status(): NodeStatus;
  metrics(): readonly Metric[];
}

/** A listening status page. */
export type StatusServer = HttpListening;

/**
 * Serves `/`, `/api/v1/status`, `/api/v1/packages`, `/metrics`, `/livez` and `/readyz`, read-only.
 *
 * @throws {StatusError} when the address cannot be listened on.
 */
export function serveStatus(
  source: StatusSource,
  options: { readonly hostname: string; readonly port: number; readonly signal?: AbortSignal },
): StatusServer {
  return listenHttp(
    (request) => answer(source, request),
    { ...options, what: "the status page", setting: "status-address" },
    (parts) => new StatusError({ ...parts, kept: "packages are taken in all the same" }),
  );
}

/** The answer to one request; pure but for the source. */
export function answer(source: StatusSource, request: Request): Response {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("only GET and HEAD\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  const route = ROUTES[new URL(request.url).pathname];
  return route === undefined ? new Response("not found\n", { status: 404 }) : route(source);
}

const ROUTES: Readonly<Record<string, (source: StatusSource) => Response>> = {
  "/": (source) => text(renderPage(source.status()), "text/html; charset=utf-8"),
  "/api/v1/status": (source) => json(statusObject(source.status())),
  "/api/v1/packages": (source) => json(statusObject(source.status()).packages),
  "/metrics": (source) =>
    text(renderMetrics(source.metrics()), "text/plain; version=0.0.4; charset=utf-8"),
  "/livez": () => text("ok\n", "text/plain"),
  "/readyz": (source) => readiness(source.status()),
};

function statusObject(status: NodeStatus) {
  const now = new Date();
  return { ...status, packages: status.packages.map((one) => packageStatus(one, now)) };
}

function readiness(status: NodeStatus): Response {
  const bad = status.parts.filter((part) => !part.ok);
  const lines = bad.map((part) => `${part.name}: ${part.message}\n`).join("");
  return bad.length === 0
    ? text("ok\n", "text/plain")
    : new Response(lines, { status: 503, headers: { "content-type": "text/plain" } });
}

function text(body: string, type: string): Response {
  return new Response(body, { headers: { "content-type": type, "cache-control": "no-store" } });
}

function json(value: unknown): Response {
  return text(JSON.stringify(value, null, 2) + "\n", "application/json");
}
