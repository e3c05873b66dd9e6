import {
  hostnamesMatch,
  isOciUrl,
  parseImageReference,
  RefError,
  transformGitUrl,
  transformImageWithoutChecksum,
} from "../../refs/mod.ts";
import { PULL_SECRET } from "../../zarf/mod.ts";
import type { Site, SiteGitServer, SiteRegistry } from "../site.ts";

/** The Secret with the certificate that a registry with mTLS asks for (Zarf 0.84, state.go). */
const REGISTRY_CLIENT_TLS = "zarf-registry-client-tls";

/** The scheme of a registry's URLs. */
export const OCI = "oci://";

/** Whether the site has what a URL asks for: a registry for `oci://`, else a git server. */
export function isServed(url: string, { registry, gitServer }: Site): boolean {
  return (isOciUrl(url) ? registry : gitServer) !== undefined;
}

/**
 * Where a URL leads at the site; as it is where the site does not serve it or where it leads there
 * already (Zarf 0.84, src/internal/agent/hooks/argocd-application.go, getPatchedRepoURL).
 *
 * @throws {RefError} when it cannot be read.
 */
export function moveUrl(url: string, { registry, gitServer }: Site): string {
  if (isOciUrl(url)) return registry === undefined ? url : moveOciUrl(url, registry);
  return gitServer === undefined ? url : moveGitUrl(url, gitServer);
}

/**
 * Where a git repository is found at the site.
 *
 * @throws {RefError} when the URL cannot be read.
 */
export function moveGitUrl(url: string, { address, pushUsername }: SiteGitServer): string {
  return hostnamesMatch(address, url) ? url : transformGitUrl(address, url, pushUsername);
}

/**
 * Where a repository of a registry is found at the site, without tag and digest.
 *
 * @throws {RefError} when the URL cannot be read.
 */
export function moveOciUrl(url: string, { serviceAddress }: SiteRegistry): string {
  if (hostnamesMatch(OCI + serviceAddress, url)) return url;
  return OCI + parseImageReference(transformImageWithoutChecksum(serviceAddress, url)).name;
}

/** What Flux is told to reach the registry with, as members of a source's `spec`. */
export function registryAccess({ isInternal, clientTls }: SiteRegistry): Record<string, unknown> {
  return {
    secretRef: { name: PULL_SECRET },
    ...(clientTls === undefined ? {} : { certSecretRef: { name: REGISTRY_CLIENT_TLS } }),
    ...(isInternal && clientTls === undefined ? { insecure: true } : {}),
  };
}

/** What `read` gives, or why the text that it reads cannot be read. */
export function readOr<T>(read: () => T): T | RefError {
  try {
    return read();
  } catch (error) {
    if (error instanceof RefError) return error;
    throw error;
  }
}

/** Tells who wrote an object that a URL in it was not understood. */
export function staysWarning(where: string, { message }: RefError): string {
  return `${where} stays as it is: ${message}`;
}
