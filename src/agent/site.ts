import type { Site } from "../admission/mod.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import type { Settings } from "./settings.ts";

/** What the admission rules are told of the cluster, from what this node knows of it now. */
export function siteOf(settings: Settings, _facts: ClusterFacts): Site {
  return {
    registryAddress: settings["registry-address"],
    configMediaType: () => Promise.resolve(undefined),
  };
}
