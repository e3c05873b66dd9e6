import { RequestError } from "./errors.ts";
import { requireName } from "./names.ts";

/** What a path asks for. */
export type Route =
  | { readonly kind: "base" }
  | { readonly kind: "catalog" }
  | { readonly kind: "tags"; readonly name: string }
  | { readonly kind: "manifests"; readonly name: string; readonly reference: string }
  | { readonly kind: "blobs"; readonly name: string; readonly reference: string }
  | { readonly kind: "referrers"; readonly name: string; readonly reference: string }
  | { readonly kind: "uploads"; readonly name: string };

/** The longest path that is looked at, in characters: name, reference and the words between. */
const MAX_PATH = 1024;

/**
 * Reads a path of the distribution API. Names may hold its words (`library/tags`), so they are
 * looked for from the end.
 *
 * @throws {RequestError} `NAME_INVALID` for a bad name, `UNSUPPORTED` is left to the methods;
 * anything that is no path of the API is `NAME_UNKNOWN`.
 */
export function routeOf(url: URL): Route {
  const path = decoded(url.pathname);
  if (path === "/v2/" || path === "/v2") return { kind: "base" };
  if (path === "/v2/_catalog") return { kind: "catalog" };
  const upload = /^\/v2\/(.+)\/blobs\/uploads(?:\/.*)?$/.exec(path);
  if (upload !== null) return { kind: "uploads", name: requireName(upload[1] ?? "") };
  const tags = /^\/v2\/(.+)\/tags\/list$/.exec(path);
  if (tags !== null) return { kind: "tags", name: requireName(tags[1] ?? "") };
  const content = /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(path);
  const kind = content?.[2];
  if (kind !== "manifests" && kind !== "blobs" && kind !== "referrers") {
    throw new RequestError("NAME_UNKNOWN", "no such path in the distribution API");
  }
  return { kind, name: requireName(content?.[1] ?? ""), reference: content?.[3] ?? "" };
}

function decoded(path: string): string {
  if (path.length > MAX_PATH) throw new RequestError("NAME_INVALID", "the path is too long");
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RequestError("NAME_INVALID", "the path is not well-formed");
  }
}
