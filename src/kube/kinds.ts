import * as v from "valibot";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./errors.ts";
import type { CallOptions } from "./types.ts";

/** A kind that the API server has, in one version. */
export interface ServedKind {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Lower case: `deployments`. */
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
}

const text = v.optional(v.string(), "");

/** The fields of apidiscovery.k8s.io/v2 APIGroupDiscoveryList that are read. */
const DiscoverySchema = v.object({
  kind: v.literal("APIGroupDiscoveryList"),
  items: v.array(v.object({
    metadata: v.optional(v.object({ name: text }), {}),
    versions: v.optional(
      v.array(v.object({
        version: v.string(),
        resources: v.optional(
          v.array(v.object({
            resource: v.string(),
            responseKind: v.optional(v.object({ kind: text }), {}),
            scope: text,
            singularResource: text,
            shortNames: v.optional(v.nullable(v.array(v.string()))),
          })),
          [],
        ),
      })),
      [],
    ),
  })),
});

/** What a server answers that has aggregated discovery (Kubernetes 1.27 and newer). */
const ACCEPT = ["v2", "v2beta1"]
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(",");

/**
 * All kinds that the API server has, in its own order: the core group first, of each group the
 * preferred version first.
 *
 * @throws {KubeError} `BadResponse` from a server that is too old for it.
 */
export async function servedKinds(
  client: KubeClient,
  options: CallOptions = {},
): Promise<ServedKind[]> {
  const core = await discover(client, "/api", options);
  return [...core, ...await discover(client, "/apis", options)];
}

async function discover(
  client: KubeClient,
  path: string,
  options: CallOptions,
): Promise<ServedKind[]> {
  const response = await client.request("GET", path, { accept: ACCEPT, ...options });
  const parsed = v.safeParse(DiscoverySchema, await response.json().catch(() => undefined));
  if (!parsed.success) {
    throw new KubeError({
      reason: response.status >= 500 ? "ServerError" : "BadResponse",
      message: `GET ${path} (status ${response.status}): it is no list of kinds`,
      status: response.status,
    });
  }
  return parsed.output.items.flatMap(({ metadata, versions }) =>
    versions.flatMap(({ version, resources }) =>
      resources.map((one): ServedKind => ({
        group: metadata.name,
        version,
        kind: one.responseKind.kind,
        plural: one.resource,
        singular: one.singularResource || one.responseKind.kind.toLowerCase(),
        shortNames: one.shortNames ?? [],
        namespaced: one.scope === "Namespaced",
      }))
    )
  );
}

/**
 * The kind that a person means, as kubectl finds it (kubectl 1.36, cli-runtime resource/builder.go
 * mappingFor): `po`, `pod`, `pods`, `Pod`, `deployments.apps`, `deployments.v1.apps`; of several
 * groups the server's first one, and the preferred version where none is named.
 */
export function findKind(kinds: readonly ServedKind[], name: string): ServedKind | undefined {
  const [first = "", second = "", ...rest] = name.split(".");
  const versioned = rest.length === 0 ? undefined : pick(kinds, first, rest.join("."), second);
  return versioned ?? pick(kinds, first, [second, ...rest].filter(Boolean).join("."));
}

function pick(
  kinds: readonly ServedKind[],
  name: string,
  group: string,
  version?: string,
): ServedKind | undefined {
  const inVersion = kinds.filter((one) => version === undefined || one.version === version);
  const resource = name.toLowerCase();
  const named = [
    // A short name comes before a singular one (client-go, restmapper/shortcut.go).
    inVersion.filter((one) => one.plural === resource),
    inVersion.filter((one) => one.shortNames.includes(resource)),
    inVersion.filter((one) => one.singular === resource),
    inVersion.filter((one) => one.kind === name),
  ];
  for (const candidates of named) {
    // A group may be cut short: `deployments.app` (meta/v1 DefaultRESTMapper ResourcesFor).
    const found = candidates.find((one) => group === "" || one.group === group) ??
      candidates.find((one) => one.group.startsWith(group));
    if (found !== undefined) return found;
  }
  return undefined;
}
