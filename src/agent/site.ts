import type { Site } from "../admission/mod.ts";
import type { Store } from "../store/mod.ts";
import type { ClusterFacts, Facts } from "./cluster_facts.ts";
import { ConfigMediaTypes } from "./config_media_types.ts";
import type { Settings } from "./settings.ts";

/** Gives what the admission rules are told of the cluster, from what this node knows of it now. */
export function siteSource(settings: Settings, facts: ClusterFacts, store: Store): () => Site {
  const types = new ConfigMediaTypes(store, facts);
  return () => siteOf(settings, facts.current, (image) => types.of(image));
}

/** The cluster as the rules see it. Before there is a state, images are named as it will say. */
export function siteOf(
  settings: Pick<Settings, "registry-address">,
  { access, clientTls }: Facts,
  configMediaType: Site["configMediaType"],
): Site {
  const registryAddress = access?.registryAddress || settings["registry-address"];
  if (access === undefined) return { registryAddress, configMediaType };
  const { usesMtls: _, clusterAddress, ...registry } = access.registry;
  const { gitServer } = access;
  return {
    registryAddress,
    configMediaType,
    ...(access.registryAddress === "" ? {} : {
      registry: {
        ...registry,
        ...(clusterAddress === undefined ? {} : { clusterAddress }),
        ...(clientTls && { clientTls: { cert: clientTls.cert, key: clientTls.key } }),
      },
    }),
    ...(gitServer && { gitServer }),
  };
}
