import type { Digest } from "../std/mod.ts";
import type { Context } from "./context.ts";
import { RequestError } from "./errors.ts";

/** Entries of one answer; a longer list comes in pages, whatever the client asks for. */
export const MAX_PAGE = 1_000;
const INDEX = "application/vnd.oci.image.index.v1+json";

/** Answers `tags/list`. */
export function serveTags(
  context: Context,
  request: Request,
  url: URL,
  name: string,
  hosts: readonly (string | undefined)[],
): Response {
  const { records } = context.store;
  const tags = hosts.map((host) => records.tags(name, host)).find((one) => one.length > 0) ?? [];
  if (tags.length === 0) throw new RequestError("NAME_UNKNOWN", "no such repository", { name });
  const page = pageOf(url, tags);
  return json(request, { name, tags: page.entries }, page.headers);
}

/** Answers `_catalog` (distribution's; the OCI spec has none). */
export function serveCatalog(context: Context, request: Request, url: URL): Response {
  const page = pageOf(url, context.store.records.repositories());
  return json(request, { repositories: page.entries }, page.headers);
}

/** Answers the referrers API; a subject that nothing refers to has an empty index. */
export function serveReferrers(
  context: Context,
  request: Request,
  url: URL,
  subject: Digest,
): Response {
  const artifactType = url.searchParams.get("artifactType");
  const all = context.store.records.referrers(subject)
    .filter((each) => artifactType === null || each.artifactType === artifactType);
  const page = pageOf(url, all.map((each) => each.digest));
  const shown = new Set<string>(page.entries);
  const manifests = all.filter((each) => shown.has(each.digest))
    .map(({ subject: _subject, ...descriptor }) => descriptor);
  return json(request, { schemaVersion: 2, mediaType: INDEX, manifests }, {
    ...page.headers,
    "content-type": INDEX,
    ...(artifactType === null ? {} : { "oci-filters-applied": "artifactType" }),
  });
}

interface Page {
  readonly entries: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
}

/** The part of a sorted list that `n` and `last` ask for, with the `Link` to the next one. */
function pageOf(url: URL, sorted: readonly string[]): Page {
  const last = url.searchParams.get("last");
  const rest = last === null ? sorted : sorted.filter((each) => each > last);
  const count = pageSize(url.searchParams.get("n"));
  const entries = rest.slice(0, count);
  const end = entries.at(-1);
  if (end === undefined || rest.length <= count) return { entries, headers: {} };
  const next = new URLSearchParams(url.searchParams);
  next.set("n", String(count));
  next.set("last", end);
  return { entries, headers: { link: `<${url.pathname}?${next}>; rel="next"` } };
}

function pageSize(n: string | null): number {
  if (n === null) return MAX_PAGE;
  if (!/^\d{1,9}$/.test(n)) {
    throw new RequestError("PAGINATION_NUMBER_INVALID", "n is not a number of results", { n });
  }
  return Math.min(Number(n), MAX_PAGE);
}

function json(
  request: Request,
  value: unknown,
  headers: Readonly<Record<string, string>>,
): Response {
  const body = new TextEncoder().encode(JSON.stringify(value));
  return new Response(request.method === "HEAD" ? null : body, {
    headers: {
      "content-type": "application/json",
      "content-length": String(body.length),
      ...headers,
    },
  });
}
