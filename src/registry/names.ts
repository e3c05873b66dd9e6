import { type Digest, isDigest } from "../std/mod.ts";
import { type OciErrorCode, RequestError } from "./errors.ts";

// The grammars are those of the OCI distribution-spec 1.1, "Pulling manifests".
const NAME_PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const NAME = new RegExp(`^${NAME_PART}(?:/${NAME_PART})*$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]{1,256}$/;
const SHA512 = /^sha512:[0-9a-f]{128}$/;
// A host is what image references have before the first slash (distribution/reference, regexp.go).
const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`);
/** The longest name that clients agree on (OCI distribution-spec). */
const MAX_NAME = 255;
/** The longest host with its port (RFC 1035, section 2.3.4: 253 characters of a name). */
const MAX_HOST = 259;
/** The other names of Docker Hub; its images are recorded under `docker.io`. */
const DOCKER_HUB = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** @throws {RequestError} `NAME_INVALID` unless `name` is a repository's. */
export function requireName(name: string): string {
  if (name.length <= MAX_NAME && NAME.test(name)) return name;
  throw new RequestError("NAME_INVALID", "invalid repository name");
}

/** Whether a manifest's reference is meant as a digest: no tag has a colon. */
export function looksLikeDigest(reference: string): boolean {
  return reference.includes(":");
}

/** @throws {RequestError} `TAG_INVALID` unless `tag` is one. */
export function requireTag(tag: string): string {
  if (TAG.test(tag)) return tag;
  throw new RequestError("TAG_INVALID", "invalid tag");
}

/**
 * A digest of the one algorithm that Holdfast stores.
 *
 * @param unknown the code for a well-formed digest of another algorithm, which cannot be here.
 * @throws {RequestError} `DIGEST_INVALID` when it is malformed, or `unknown`.
 */
export function requireDigest(text: string, unknown: OciErrorCode): Digest {
  if (isDigest(text)) return text;
  const foreign = DIGEST.test(text) && !text.startsWith("sha256:") &&
    (!text.startsWith("sha512:") || SHA512.test(text));
  if (foreign) throw new RequestError(unknown, "not found", { digest: text });
  throw new RequestError("DIGEST_INVALID", "invalid digest");
}

/**
 * The registry hosts under which an image of a mirror request (containerd's `?ns=`) may be recorded,
 * the likeliest first: as it is written, and, as registries are found by DNS, in lower case and
 * under the one name of Docker Hub. `undefined` stands for any host.
 *
 * @throws {RequestError} `NAME_INVALID` when it is no host.
 */
export function hostsOf(url: URL): readonly (string | undefined)[] {
  const ns = url.searchParams.get("ns");
  if (ns === null || ns === "") return [undefined];
  if (ns.length > MAX_HOST || !HOST.test(ns)) {
    throw new RequestError("NAME_INVALID", "invalid registry host in ns");
  }
  const lower = ns.toLowerCase();
  return [...new Set([ns, lower, DOCKER_HUB.has(lower) ? "docker.io" : lower])];
}
