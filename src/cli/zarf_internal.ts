import { KubeClient, KubeError, type KubeObject } from "../kube/mod.ts";
import { describeError } from "../std/mod.ts";
import {
  Gitea,
  GITEA_ADDRESS,
  hasGiteaArtifacts,
  keepArtifactToken,
  loadState,
  serviceUrl,
  ZARF_NAMESPACE,
  type ZarfState,
} from "../zarf/mod.ts";
import type { Terminal } from "./terminal.ts";
import { ZarfUseError } from "./zarf_use_error.ts";

/** The release that owns Gitea's volume claim (Zarf 0.84, packages/gitea). */
const RELEASE = "zarf-gitea";
const MANAGED_BY = "app.kubernetes.io/managed-by";
const RELEASE_NAME = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE = "meta.helm.sh/release-namespace";

/**
 * `zarf internal …`, as far as the actions of Zarf's component `git-server` call it (Zarf 0.84,
 * src/cmd/internal.go, src/pkg/cluster/pvc.go).
 *
 * @param environment `ZARF_VAR_GIT_SERVER_EXISTING_PVC` names the claim.
 * @throws {ZarfUseError} for every other command; {@linkcode ZarfError} when Gitea refuses.
 */
export async function zarfInternal(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  terminal: Terminal,
  connect: () => KubeClient,
): Promise<void> {
  const [command = "", ...flags] = argv;
  if (!COMMANDS.has(command)) {
    throw new ZarfUseError(`"zarf internal ${command}" is not served to actions`);
  }
  const isRollback = flags.some((flag) => flag === "--rollback" || flag === "-r");
  const unknown = flags.find((flag) => flag !== "--rollback" && flag !== "-r");
  if (unknown !== undefined || (isRollback && command !== "update-gitea-pvc")) {
    throw new ZarfUseError(`"zarf internal ${command}" does not take "${unknown ?? "--rollback"}"`);
  }
  const kube = connect();
  try {
    if (command === "update-gitea-pvc") {
      const name = environment["ZARF_VAR_GIT_SERVER_EXISTING_PVC"] ?? "";
      terminal.out(String(await updateClaim(kube, name, isRollback, terminal)));
    } else await setUpGitea(kube, command);
  } finally {
    kube.close();
  }
}

const COMMANDS: ReadonlySet<string> = new Set([
  "update-gitea-pvc",
  "create-read-only-gitea-user",
  "create-artifact-registry-token",
]);

async function setUpGitea(kube: KubeClient, command: string): Promise<void> {
  const state = await loadState(kube);
  if (state === undefined) throw new ZarfUseError("the cluster has no Zarf state");
  if (command === "create-read-only-gitea-user") {
    const { pullUsername, pullPassword } = state.gitServer;
    await (await giteaOf(kube, state)).createReader(pullUsername ?? "", pullPassword ?? "");
  } else if (hasGiteaArtifacts(state)) {
    await keepArtifactToken(kube, await (await giteaOf(kube, state)).createArtifactToken());
  }
}

async function giteaOf(kube: KubeClient, { gitServer }: ZarfState): Promise<Gitea> {
  return new Gitea({
    url: await serviceUrl(kube, GITEA_ADDRESS),
    username: gitServer.pushUsername,
    password: gitServer.pushPassword,
  });
}

/**
 * Gives a claim that is there to the release, or takes it away from it again, and says whether Helm is
 * to make one. What fails is said and no failure, as with Zarf.
 */
async function updateClaim(
  kube: KubeClient,
  name: string,
  isRollback: boolean,
  terminal: Terminal,
): Promise<boolean> {
  const ref = {
    ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", namespace: ZARF_NAMESPACE, name },
  };
  try {
    const claim: KubeObject | undefined = name === "" ? undefined : await kube.get(ref);
    if (claim === undefined) {
      if (isRollback) terminal.err(`there is no claim ${name} to roll back\n`);
      return !isRollback;
    }
    const owned = <T>(value: T) => isRollback ? null : value;
    await kube.patch(ref, {
      type: "merge",
      body: {
        metadata: {
          labels: { [MANAGED_BY]: owned("Helm") },
          annotations: {
            [RELEASE_NAME]: owned(RELEASE),
            [RELEASE_NAMESPACE]: owned(ZARF_NAMESPACE),
          },
        },
      },
    });
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    terminal.err(`the claim ${name} cannot be changed: ${describeError(error)}\n`);
  }
  return false;
}
