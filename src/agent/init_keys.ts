import { DeployError, invalidSettings, type SiteSettings } from "../deploy/mod.ts";
import type { KubeClient } from "../kube/mod.ts";
import { isOwnGitServer, loadState, noState, saveState, type ZarfState } from "../zarf/mod.ts";
import type { DeploySettings } from "./site_settings_reader.ts";

type Init = SiteSettings["init"];

/**
 * What is done about each key under `init` (Zarf 0.84, src/cmd/viper.go) when an init package is
 * deployed: `read`; `same`, it must say what Zarf's state says, which it does not change any more, as in
 * Zarf; `unused`, the verdict says that nothing is done with it; else why it is refused.
 */
export const INIT_KEYS: Readonly<Record<string, string>> = {
  components: "read",
  storage_class: "read",
  "agent.mutation_policy": "read",
  ...keys("git", "url push_username push_password pull_username pull_password", "read"),
  ...keys("artifact", "url push_username push_token", "read"),
  ...keys("registry", "url push_username push_password pull_username pull_password", "same"),
  ...keys("registry", "secret port nodeport", "same"),
  ...keys("registry", "injector_port injector_image", "unused"),
  ...keys("agent", "tls_ca tls_cert tls_key", "the webhook's certificates are made by the agents"),
};

function keys(section: string, names: string, use: string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [`${section}.${name}`, use]));
}

const FILE = "the init package's config file";
/** Zarf's default for a port that is not given. */
const NOT_GIVEN: ReadonlySet<string> = new Set(["", "0"]);

/**
 * The settings of an init package: components may be chosen under `init`, as for `zarf init`.
 *
 * @throws {DeployError} `SettingsInvalid`, naming a key under `init` and never its value.
 */
export function forInit(settings: DeploySettings): DeploySettings {
  checkInitKeys(settings.init);
  return { ...settings, components: settings.components || settings.init["components"] || "" };
}

/** Finds keys that mean something which is not done. */
function checkInitKeys(init: Init): void {
  for (const [key, text] of Object.entries(init)) {
    if (NOT_GIVEN.has(text)) continue;
    const use = Object.hasOwn(INIT_KEYS, key) ? INIT_KEYS[key] : undefined;
    if (use === undefined) throw invalidSettings(FILE, `there is no setting init.${key}`);
    if (use === "read" || use === "same" || use === "unused") continue;
    throw invalidSettings(FILE, `init.${key} is not done here: ${use}`);
  }
  const policy = init["agent.mutation_policy"] || "all";
  if (policy !== "all" && policy !== "labeled") {
    throw invalidSettings(FILE, "init.agent.mutation_policy must be all or labeled");
  }
}

/** Keys that somebody has set and that are not used, in alphabetical order: `init.registry.…`. */
export function unusedInitKeys(init: Init): string[] {
  return Object.entries(init)
    .filter(([key, text]) => INIT_KEYS[key] === "unused" && !NOT_GIVEN.has(text))
    .map(([key]) => `init.${key}`).sort();
}

/**
 * Puts into Zarf's state what `zarf init` would put there of these keys (Zarf 0.84, cluster.go
 * InitState; cmd/initialize.go validateExistingStateMatchesInput). A git server and an artifact server
 * that the state has already are not changed, nor is the registry.
 *
 * @throws {DeployError} `SettingsInvalid`, naming the key that says something else than the state.
 */
export async function applyInitKeys(kube: KubeClient, init: Init): Promise<void> {
  if (Object.keys(init).length === 0) return;
  const state = await loadState(kube) ?? noState();
  const text = (key: string) => init[key] ?? "";
  checkSame("registry", init, {
    url: state.registryInfo.address,
    ...usersOf(state.registryInfo),
    secret: state.registryInfo.secret,
    port: String(state.registryInfo.port),
    nodeport: String(state.registryInfo.port),
  });
  const changed: ZarfState = {
    ...state,
    storageClass: text("storage_class") || state.storageClass,
    agentMutationPolicy: text("agent.mutation_policy") || state.agentMutationPolicy,
    gitServer: gitServerOf(state, init),
    artifactServer: artifactServerOf(state, init),
  };
  if (JSON.stringify(changed) !== JSON.stringify(state)) await saveState(kube, changed);
}

function gitServerOf({ gitServer }: ZarfState, init: Init): ZarfState["gitServer"] {
  const url = init["git.url"] ?? "";
  const isFree = gitServer.address === "" || isOwnGitServer(gitServer.address);
  const text = (key: string) => init[`git.${key}`] ?? "";
  if (url === "" || !isFree) {
    checkSame("git", init, { url: gitServer.address, ...knownOf(usersOf(gitServer)) });
    // Those of a Gitea that is to come.
    return {
      ...gitServer,
      pushUsername: gitServer.pushUsername || text("push_username"),
      pushPassword: gitServer.pushPassword || text("push_password"),
      pullUsername: gitServer.pullUsername || text("pull_username"),
      pullPassword: gitServer.pullPassword || text("pull_password"),
    };
  }
  return {
    ...gitServer,
    address: url,
    pushUsername: text("push_username"),
    pushPassword: text("push_password"),
    // state.go GitServerInfo.FillInEmptyValues
    pullUsername: text("pull_username") || text("push_username"),
    pullPassword: text("pull_password") || text("push_password"),
  };
}

function artifactServerOf(
  { artifactServer }: ZarfState,
  init: Init,
): ZarfState["artifactServer"] {
  const { address, pushUsername: push_username, pushPassword: push_token } = artifactServer;
  const url = init["artifact.url"] ?? "";
  if (url === "" || address !== "") {
    checkSame("artifact", init, { url: address, push_username, push_token });
    return artifactServer;
  }
  return {
    ...artifactServer,
    address: url,
    pushUsername: init["artifact.push_username"] ?? "",
    pushPassword: init["artifact.push_token"] ?? "",
  };
}

/** Those that there are. */
function knownOf(users: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(users).filter(([, value]) => value !== ""));
}

/** Of a registry or a git server. */
function usersOf(
  { pushUsername, pushPassword, pullUsername, pullPassword }:
    | ZarfState["registryInfo"]
    | ZarfState["gitServer"],
): Record<string, string> {
  return {
    push_username: pushUsername,
    push_password: pushPassword,
    pull_username: pullUsername,
    pull_password: pullPassword,
  };
}

function checkSame(
  section: string,
  init: Init,
  known: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(known)) {
    const given = init[`${section}.${name}`] ?? "";
    if (NOT_GIVEN.has(given) || given === value) continue;
    throw new DeployError({
      reason: "SettingsInvalid",
      message: `init.${section}.${name} says something else than Zarf's state in the cluster`,
      kept: "the state was not changed",
      remedy: `leave it away, or change the state with zarf tools update-creds ${section}`,
    });
  }
}
