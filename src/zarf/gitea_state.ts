import type { KubeClient } from "../kube/mod.ts";
import { isOwnGitServer } from "./git_server.ts";
import { ZARF_NAMESPACE } from "./names.ts";
import { PASSWORD_LENGTH, type RandomBytes, randomPassword, systemRandom } from "./random.ts";
import { loadState, noState, saveState, type ZarfState } from "./state.ts";

/** The Service of the Gitea that an init package brings (Zarf 0.84, packages/gitea). */
export const GITEA_SERVICE = "zarf-gitea-http";
/** The address that the state has while repositories are in that Gitea (src/pkg/state/state.go). */
export const GITEA_ADDRESS = `http://${GITEA_SERVICE}.${ZARF_NAMESPACE}.svc.cluster.local:3000`;

/** Whether an address (`gitServer.address`) is that Gitea's. */
export function isGitea(address: string): boolean {
  return address === GITEA_ADDRESS;
}

const PUSH_USER = "zarf-git-user";
const READ_USER = "zarf-git-read-user";

/**
 * Gives the state what a Gitea is installed with: names and passwords of its users, and where its
 * package registry will be (Zarf 0.84, src/pkg/state/state.go FillInEmptyValues). What is there stays,
 * so that readers keep their password; the address stays too, until there is a Gitea that answers
 * there. A git server of somebody else's is not touched.
 *
 * @throws {ZarfError} `StateInvalid`, also where there is no state.
 */
export async function prepareGitea(
  kube: KubeClient,
  random: RandomBytes = systemRandom,
): Promise<void> {
  const state = await loadState(kube) ?? noState();
  if (isElsewhere(state)) return;
  const { gitServer, artifactServer } = state;
  const fresh = () => randomPassword(PASSWORD_LENGTH, random);
  const changed: ZarfState = {
    ...state,
    gitServer: {
      ...gitServer,
      pushUsername: gitServer.pushUsername || PUSH_USER,
      pushPassword: gitServer.pushPassword || fresh(),
      pullUsername: gitServer.pullUsername || READ_USER,
      pullPassword: gitServer.pullPassword || fresh(),
    },
    artifactServer: {
      ...artifactServer,
      address: artifactServer.address || `${GITEA_ADDRESS}/api/packages/${PUSH_USER}`,
      pushUsername: artifactServer.pushUsername || PUSH_USER,
    },
  };
  if (JSON.stringify(changed) !== JSON.stringify(state)) await saveState(kube, changed);
}

/**
 * Makes the state name the Gitea as its git server, in place of none or the agents' own. Says whether
 * it is: a git server of somebody else's stays.
 *
 * @throws {ZarfError} `StateInvalid`, also where there is no state.
 */
export async function useGitea(kube: KubeClient): Promise<boolean> {
  const state = await loadState(kube) ?? noState();
  if (isElsewhere(state)) return false;
  if (isGitea(state.gitServer.address)) return true;
  await saveState(kube, { ...state, gitServer: { ...state.gitServer, address: GITEA_ADDRESS } });
  return true;
}

/** Keeps the token with which Gitea's package registry is written to. */
export async function keepArtifactToken(kube: KubeClient, token: string): Promise<void> {
  const state = await loadState(kube) ?? noState();
  const artifactServer = { ...state.artifactServer, pushPassword: token };
  await saveState(kube, { ...state, artifactServer });
}

/** Whether the state's package registry is Gitea's (state.go IsInternal). */
export function hasGiteaArtifacts({ artifactServer }: ZarfState): boolean {
  return artifactServer.address === `${GITEA_ADDRESS}/api/packages/${PUSH_USER}`;
}

function isElsewhere({ gitServer: { address } }: ZarfState): boolean {
  return address !== "" && !isGitea(address) && !isOwnGitServer(address);
}
