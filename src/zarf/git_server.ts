import type { KubeClient } from "../kube/mod.ts";
import { ZARF_NAMESPACE } from "./names.ts";
import { PASSWORD_LENGTH, type RandomBytes, randomPassword, systemRandom } from "./random.ts";
import { hasGitServer, loadState, noState, saveState, type ZarfState } from "./state.ts";

/** The Service of the agents that serve git repositories; Zarf's Gitea has `zarf-gitea-http`. */
export const GIT_SERVICE = "holdfast-git";
/** The port of that Service, as Gitea's. */
export const GIT_PORT = 3000;
/** The address that the state has while the agents serve git repositories. */
export const OWN_GIT_ADDRESS =
  `http://${GIT_SERVICE}.${ZARF_NAMESPACE}.svc.cluster.local:${GIT_PORT}`;

/** Whether an address (`gitServer.address`) is the agents' own. */
export function isOwnGitServer(address: string): boolean {
  return address === OWN_GIT_ADDRESS;
}

/**
 * The state with a git server: the one that it has, or else the agents' own with fresh credentials
 * under the names that Zarf uses (Zarf 0.84, src/pkg/state/state.go). Credentials that exist never
 * change.
 *
 * @throws {ZarfError} `StateInvalid`, also where there is no state yet.
 */
export async function ensureGitServer(
  kube: KubeClient,
  random: RandomBytes = systemRandom,
): Promise<ZarfState> {
  const state = await loadState(kube) ?? noState();
  if (hasGitServer(state)) return state;
  // A Gitea that is being installed has been given them already.
  const { pushUsername, pushPassword, pullUsername, pullPassword } = state.gitServer;
  const changed = {
    ...state,
    gitServer: {
      ...state.gitServer,
      address: OWN_GIT_ADDRESS,
      pushUsername: pushUsername || "zarf-git-user",
      pushPassword: pushPassword || randomPassword(PASSWORD_LENGTH, random),
      pullUsername: pullUsername || "zarf-git-read-user",
      pullPassword: pullPassword || randomPassword(PASSWORD_LENGTH, random),
    },
  };
  await saveState(kube, changed);
  return changed;
}

/** A Service of the cluster, as an address names it. */
export interface NamedService {
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
}

/**
 * The Service that an address means, `http://name.namespace.svc.cluster.local:port`, or undefined
 * (Zarf 0.84, src/internal/dns/dns.go ParseServiceURL).
 */
export function serviceAt(address: string): NamedService | undefined {
  const [, name = "", namespace = "", port = ""] =
    /^https?:\/\/([^./:@]+)\.([^./:@]+)\.svc\.cluster\.local:(\d+)(?:\/.*)?$/.exec(address) ?? [];
  return name === "" ? undefined : { name, namespace, port: Number(port) };
}
