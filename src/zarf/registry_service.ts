import * as v from "valibot";
import { REGISTRY_PORT, REGISTRY_SERVICE, ZARF_NAMESPACE } from "./names.ts";
import { isInternalRegistry, type ZarfState } from "./state.ts";

/** The ports that Kubernetes gives to node port Services, unless it is told other ones. */
const FIRST_NODE_PORT = 30_000;
const LAST_NODE_PORT = 32_767;

/** The Service behind the registry's address, for what runs inside the cluster. */
export interface RegistryService {
  /** `zarf-docker-registry.zarf.svc.cluster.local:5000` */
  readonly address: string;
  /** `10.96.0.12:5000`, an IPv6 host in brackets. */
  readonly clusterAddress: string;
}

/** Where a registry is reached from any node, with what is below its path: `https://host/team`. */
export interface RegistryAddress {
  readonly url: string;
  /** The Service that it is behind; absent where it is none of this cluster. */
  readonly service?: RegistryService;
}

const ServiceSchema = v.object({
  metadata: v.object({ name: v.string(), namespace: v.string() }),
  spec: v.object({
    type: v.optional(v.string(), "ClusterIP"),
    clusterIP: v.pipe(v.string(), v.minLength(1), v.notValue("None")),
    ports: v.array(v.object({ port: v.number(), nodePort: v.optional(v.number()) })),
  }),
});

/** Service `zarf-docker-registry` by its cluster IP, which may have brackets. */
export function registryServiceAt(clusterIP: string): RegistryService {
  return serviceOf({ name: REGISTRY_SERVICE, namespace: ZARF_NAMESPACE }, clusterIP, REGISTRY_PORT);
}

/**
 * The Service that `registryInfo.address` means, or undefined when it means none (Zarf 0.84,
 * src/pkg/cluster/secrets.go GetServiceInfoFromRegistryAddress). A registry of this cluster is behind
 * Service `zarf-docker-registry` in every mode; Zarf looks in mode `nodeport` for whichever has the
 * node port, which is that one, and Holdfast's has no node port to be found by. Any other registry is
 * a Service only when {@linkcode nodePortOf} its address is a Service's.
 *
 * @param services as the API server gives them; what is no Service is passed over.
 */
export function registryServiceOf(
  state: ZarfState,
  services: Iterable<unknown>,
): RegistryService | undefined {
  const internal = isInternalRegistry(state);
  const wanted = internal ? undefined : nodePortOf(state.registryInfo.address);
  if (!internal && wanted === undefined) return undefined;
  for (const service of services) {
    const parsed = v.safeParse(ServiceSchema, service);
    if (!parsed.success) continue;
    const { metadata, spec } = parsed.output;
    if (internal) {
      if (metadata.name !== REGISTRY_SERVICE || metadata.namespace !== ZARF_NAMESPACE) continue;
    } else if (spec.type !== "NodePort") continue;
    const port = spec.ports.find(({ nodePort }) => internal || nodePort === wanted);
    if (port !== undefined) return serviceOf(metadata, spec.clusterIP, port.port);
  }
  return undefined;
}

/**
 * The node port that an address means: a port of Kubernetes' range on this machine itself (Zarf 0.84,
 * src/pkg/cluster/tunnel.go ServiceInfoFromNodePortURL); else undefined.
 */
export function nodePortOf(address: string): number | undefined {
  const [, host = "", port = ""] =
    /^(?:[a-z]+:\/\/)?(localhost|127(?:\.\d{1,3}){3}|\[::1\]):(\d+)(?:\/.*)?$/.exec(address) ?? [];
  const number = Number(port);
  return host !== "" && number >= FIRST_NODE_PORT && number <= LAST_NODE_PORT ? number : undefined;
}

function serviceOf(
  { name, namespace }: { readonly name: string; readonly namespace: string },
  clusterIP: string,
  port: number,
): RegistryService {
  const bare = clusterIP.replace(/^\[(.*)\]$/, "$1");
  const host = bare.includes(":") ? `[${bare}]` : bare;
  return {
    address: `${name}.${namespace}.svc.cluster.local:${port}`,
    clusterAddress: `${host}:${port}`,
  };
}
