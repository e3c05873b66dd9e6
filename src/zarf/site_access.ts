import * as v from "valibot";
import type { RegistryService } from "./registry_service.ts";
import { hasGitServer, isInternalRegistry, type ZarfState } from "./state.ts";

/** What is mutated: all that does not say no, or what says yes (`agentMutationPolicy`). */
export type MutationPolicy = "all" | "labeled";

/** {@linkcode SiteAccess} as it may be kept: it is read back by the same version only. */
export const SiteAccessSchema = v.object({
  registryAddress: v.string(),
  registry: v.object({
    serviceAddress: v.string(),
    clusterAddress: v.optional(v.string()),
    isInternal: v.boolean(),
    usesMtls: v.boolean(),
    pullUsername: v.string(),
    pullPassword: v.string(),
  }),
  gitServer: v.optional(v.object({
    address: v.string(),
    pushUsername: v.string(),
    pullUsername: v.string(),
    pullPassword: v.string(),
  })),
  mutationPolicy: v.picklist(["all", "labeled"]),
});

/**
 * Where this cluster's things come from, and who may read them there: what everybody but a deployer
 * needs of the state. Holds the passwords of readers, never those of writers.
 */
export type SiteAccess = Readonly<v.InferOutput<typeof SiteAccessSchema>>;

/**
 * What the state says, and the Service that its registry is, if it is one: then
 * `registry.serviceAddress` is the Service's, else the address itself (Zarf 0.84,
 * src/pkg/cluster/secrets.go GetServiceInfoFromRegistryAddress).
 */
export function siteAccessOf(state: ZarfState, service?: RegistryService): SiteAccess {
  const { registryInfo, gitServer } = state;
  return {
    registryAddress: registryInfo.address,
    registry: {
      serviceAddress: service?.address ?? registryInfo.address,
      ...(service === undefined ? {} : { clusterAddress: service.clusterAddress }),
      isInternal: isInternalRegistry(state),
      usesMtls: usesMtls(state),
      pullUsername: registryInfo.pullUsername,
      pullPassword: registryInfo.pullPassword,
    },
    ...(hasGitServer(state)
      ? {
        gitServer: {
          address: gitServer.address,
          pushUsername: gitServer.pushUsername,
          pullUsername: gitServer.pullUsername,
          pullPassword: gitServer.pullPassword,
        },
      }
      : {}),
    // Anything but `labeled` is `all` (src/internal/agent/operations/mutate.go, PolicyFromEnv).
    mutationPolicy: state.agentMutationPolicy === "labeled" ? "labeled" : "all",
  };
}

/** state.go ShouldUseMTLS */
function usesMtls({ registryInfo }: ZarfState): boolean {
  return ![undefined, "", "none"].includes(registryInfo.mtlsStrategy);
}
