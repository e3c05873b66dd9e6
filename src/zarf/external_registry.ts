import type { KubeClient } from "../kube/mod.ts";
import { ZarfError } from "./errors.ts";
import { RegistryClient } from "./registry_client.ts";
import { isLocalOrPrivate } from "./local_or_private.ts";
import {
  nodePortOf,
  type RegistryAddress,
  type RegistryService,
  registryServiceOf,
} from "./registry_service.ts";
import { serviceAt } from "./git_server.ts";
import { serviceUrl } from "./service_url.ts";
import type { ZarfState } from "./state.ts";

/** How long the registry may take over its first answer, in milliseconds. */
const PROBE_TIMEOUT = 10_000;

/**
 * Finds the registry that a state names and nobody has put into this cluster for Zarf, and signs in as
 * who pushes. It is asked by TLS; what is local or private may speak plain HTTP, if it answers a TLS
 * greeting with something else (Zarf 0.84, state.go ResolvePlainHTTP, src/pkg/ocischeme). Its
 * certificate must be one that the machine trusts.
 *
 * @throws {ZarfError} `RegistryUnavailable` or `RegistryRefused`, with what it answered.
 */
export async function externalRegistry(
  kube: KubeClient,
  state: ZarfState,
  signal?: AbortSignal,
): Promise<RegistryAddress> {
  const { address } = state.registryInfo;
  const [, named = "", path = ""] = /^(?:https?:\/\/)?([^/]+)(\/.*?)?\/*$/.exec(address) ?? [];
  const service = await serviceOf(kube, state);
  const host = service?.clusterAddress ??
    (serviceAt(address) === undefined ? named : new URL(await serviceUrl(kube, address)).host);
  const url = `${await schemeOf(host, state, signal)}://${host}${path}`;
  return { url, ...(service === undefined ? {} : { service }) };
}

async function serviceOf(
  kube: KubeClient,
  state: ZarfState,
): Promise<RegistryService | undefined> {
  if (nodePortOf(state.registryInfo.address) === undefined) return undefined;
  const { items } = await kube.list({ apiVersion: "v1", kind: "Service" });
  return registryServiceOf(state, items);
}

async function schemeOf(
  host: string,
  state: ZarfState,
  signal: AbortSignal | undefined,
): Promise<"http" | "https"> {
  try {
    await signIn(`https://${host}`, state, signal);
    return "https";
  } catch (error) {
    if (!isLocalOrPrivate(host) || !speaksNoTls(error)) throw error;
  }
  await signIn(`http://${host}`, state, signal);
  return "http";
}

async function signIn(
  url: string,
  { registryInfo: { address, pushUsername: username, pushPassword: password } }: ZarfState,
  signal: AbortSignal | undefined,
): Promise<void> {
  const client = new RegistryClient(url, { username, password }, PROBE_TIMEOUT);
  const { status } = await client.send({
    ...{ method: "GET", path: "/v2/" },
    ...(signal === undefined ? {} : { signal }),
  });
  if (status === 200) return;
  const isRefused = status === 401 || status === 403;
  throw new ZarfError({
    reason: isRefused ? "RegistryRefused" : "RegistryUnavailable",
    message: isRefused
      ? `the registry ${address} does not let ${
        username || "anybody without a name"
      } in (${status})`
      : `what answers at ${address} is no registry: the status is ${status}`,
    // Whoever runs it can put it right, and so can `zarf tools update-creds registry`.
    disposition: "retry",
  });
}

/** Whether what answered a TLS greeting spoke something else (rustls, "corrupt message"). */
function speaksNoTls(error: unknown): boolean {
  if (!(error instanceof ZarfError)) return false;
  const { cause } = error;
  return cause instanceof Error && /corrupt message/.test(cause.message);
}
