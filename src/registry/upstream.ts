import { type Digest, digestOf, isDigest } from "../std/mod.ts";
import { RegistryError } from "./errors.ts";
import { MAX_MANIFEST } from "./manifests.ts";
import { looksLikeDigest } from "./names.ts";
import {
  guardedRequest,
  readAll,
  type Send,
  stallGuarded,
  type TransferLimits,
} from "./transfer.ts";
import type { FetchedBlob, FetchedManifest, Upstream } from "./types.ts";

/** How to sign in at another registry. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Another registry to look in. */
export interface HttpUpstreamOptions {
  readonly name: string;
  /** Its address without a path (`http://10.96.0.5:5000`); `undefined` while there is none. */
  readonly baseUrl: () => string | undefined;
  readonly credentials?: () => Credentials | undefined;
  /**
   * The tag under which that registry has an image of the host `ns`, where it tells hosts apart by
   * tag as Zarf's does. @default the tag itself
   */
  readonly tagFor?: (repository: string, tag: string, ns: string) => string;
  /** How connections are made. @default Deno's own */
  readonly client?: Deno.HttpClient;
  /** How requests are made, where more than credentials is needed. @default `fetch` */
  readonly send?: Send;
  /** @default 10 s for the first byte, 20 s for a pause */
  readonly limits?: TransferLimits;
}

/** What a client accepts that takes manifests and indexes of both kinds. */
export const MANIFEST_TYPES: string = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");

/** Looks in another registry over HTTP. What comes from it is checked before it is believed. */
export function httpUpstream(options: HttpUpstreamOptions): Upstream {
  return {
    name: options.name,
    async manifest(repository, reference, ns, signal) {
      const asked = ns === undefined || looksLikeDigest(reference)
        ? reference
        : options.tagFor?.(repository, reference, ns) ?? reference;
      const query = ns === undefined ? "" : `?ns=${encodeURIComponent(ns)}`;
      const path = `${repository}/manifests/${asked}${query}`;
      const response = await get(options, path, signal, MANIFEST_TYPES);
      return response && await manifestOf(options, response, reference, signal);
    },
    async blob(repository, digest, signal) {
      const response = await get(options, `${repository}/blobs/${digest}`, signal, "*/*");
      return response && blobOf(options, response, digest, signal);
    },
  };
}

async function get(
  options: HttpUpstreamOptions,
  path: string,
  signal: AbortSignal,
  accept: string,
): Promise<Response | undefined> {
  const base = options.baseUrl();
  if (base === undefined) return undefined;
  const headers = new Headers({ accept });
  const credentials = options.credentials?.();
  if (credentials !== undefined) headers.set("authorization", basic(credentials));
  const response = await guardedRequest(
    options.name,
    `${base.replace(/\/$/, "")}/v2/${path}`,
    // Followed to another host, the credentials and the address check would be lost.
    {
      headers,
      redirect: "manual",
      ...(options.client === undefined ? {} : { client: options.client }),
    },
    signal,
    options.limits,
    options.send,
  );
  if (response.status === 200) return response;
  await response.body?.cancel().catch(() => {});
  if (response.status === 404) return undefined;
  throw new RegistryError({
    reason: "UpstreamFailed",
    message: `the registry ${options.name} answered ${response.status}`,
    disposition: "retry",
  });
}

async function manifestOf(
  { name, limits }: HttpUpstreamOptions,
  response: Response,
  reference: string,
  signal: AbortSignal,
): Promise<FetchedManifest> {
  const bytes = await readAll(name, response, MAX_MANIFEST, signal, limits);
  const actual = digestOf(bytes);
  const told = response.headers.get("docker-content-digest");
  const expected = isDigest(reference) ? reference : told;
  if (expected !== null && expected !== actual) {
    throw invalid(name, `its manifest ${reference} has the digest ${actual}`);
  }
  const mediaType = response.headers.get("content-type");
  if (mediaType === null) throw invalid(name, `its manifest ${reference} has no media type`);
  return { mediaType, digest: actual, bytes };
}

function blobOf(
  { name, limits }: HttpUpstreamOptions,
  response: Response,
  digest: Digest,
  signal: AbortSignal,
): FetchedBlob {
  const length = response.headers.get("content-length");
  if (length === null || !/^\d{1,15}$/.test(length)) {
    response.body?.cancel().catch(() => {});
    throw invalid(name, `it does not say how long blob ${digest} is`);
  }
  const body = response.body ?? new Blob([]).stream();
  return { size: Number(length), body: stallGuarded(name, body, signal, limits) };
}

function basic({ username, password }: Credentials): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function invalid(name: string, what: string): RegistryError {
  return new RegistryError({
    reason: "UpstreamInvalid",
    message: `the registry ${name} cannot be used: ${what}`,
    disposition: "retry",
  });
}
