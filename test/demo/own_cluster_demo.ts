import { REPOSITORY_ROOT } from "../../extension/build/go_tools.ts";
import { exec, HoldfastError } from "../../src/std/mod.ts";
import { startLocalAgent } from "./agent.ts";
import type { DemoArguments } from "./arguments.ts";
import { buildProgram } from "./program.ts";
import type { Screen } from "./screen.ts";
import { showPackage } from "./show_package.ts";
import { untilEnter } from "./stay.ts";

/** Why the demo cannot use somebody's cluster. */
export class OwnClusterError extends HoldfastError<"KubectlFailed" | "NotANode"> {}

const KUBECTL = `${REPOSITORY_ROOT}/dist/tools/kubectl`;
const KUBECTL_TIMEOUT = 60_000;
/** Milliseconds that the end of a namespace may take. */
const DELETE_TIMEOUT = 120_000;
/** What a deployment of the example makes beside what is in namespaces. */
const NAMESPACES = ["hello", "zarf"];
const WEBHOOK = "holdfast";

type Kubectl = (args: readonly string[]) => Promise<string>;

/**
 * Shows a package on its way in a cluster that exists. The agent runs on this machine.
 *
 * @throws when anything does not work; what the demo put into the cluster is removed all the same.
 */
export async function ownClusterDemo(
  args: DemoArguments,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  const { kubeconfig = "", nodeName = Deno.hostname().toLowerCase() } = args;
  screen.say(`Holdfast in the cluster of ${kubeconfig}, about a minute once it is built:
  - the agent runs on this machine, which must be a node of that cluster: ${nodeName};
  - the namespaces zarf and hello and the webhook "${WEBHOOK}" are made, and removed at the end;
  - what is there already is used and stays.`);
  screen.say();
  const { result: program } = await screen.stage("Build", buildProgram, ({ label }) => label);
  const kubectl = kubectlWith(kubeconfig);
  await checkNode(kubectl, nodeName);
  const found = await existing(kubectl);
  const directory = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "holdfast-demo-" });
  // The registry's pod runs as another user and keeps its storage below.
  await Deno.chmod(directory, 0o755);
  try {
    const started = await screen.stage("Agent", () => {
      return startLocalAgent({ program, directory, nodeName, kubeconfig, signal });
    }, ({ statusUrl }) => `answers at ${statusUrl}`);
    await using agent = started.result;
    await showPackage({ agents: [agent], kubectl, figures: args.figures, screen, signal });
    if (args.wait) {
      await untilEnter(screen, [
        `status page     ${agent.statusUrl}/`,
        `drop directory  ${agent.dropDir}`,
      ], signal);
    }
  } finally {
    await screen.stage("Clean up", () => cleanUp(kubectl, found));
    await Deno.remove(directory, { recursive: true });
  }
}

function kubectlWith(kubeconfig: string): Kubectl {
  return async (args) => {
    const result = await exec(KUBECTL, {
      args: ["--kubeconfig", kubeconfig, ...args],
      env: { PATH: "/usr/bin:/bin", HOME: Deno.env.get("HOME") ?? "/" },
      timeout: args.includes("delete") ? DELETE_TIMEOUT : KUBECTL_TIMEOUT,
    });
    if (result.code === 0) return result.stdout;
    throw new OwnClusterError({
      reason: "KubectlFailed",
      message: `kubectl ${args.slice(0, 2).join(" ")} failed: ${result.stderr.trim()}`,
      remedy: "check that the kubeconfig is an administrator's and that the cluster answers",
    });
  };
}

async function checkNode(kubectl: Kubectl, nodeName: string): Promise<void> {
  const nodes = (await kubectl(["get", "nodes", "-o", "name"])).split("\n");
  if (nodes.includes(`node/${nodeName}`)) return;
  const names = nodes.filter((node) => node !== "").map((node) => node.replace("node/", ""));
  throw new OwnClusterError({
    reason: "NotANode",
    message: `this machine, ${nodeName}, is not a node of the cluster (${names.join(", ")})`,
    kept: "nothing was changed",
    remedy: "run the demo on one of its nodes; if this is one, give --node-name its name",
  });
}

/** Which of the objects that a deployment makes are there, as `kind/name`. */
async function existing(kubectl: Kubectl): Promise<Set<string>> {
  const listed = await kubectl([
    ...["get", "namespaces,mutatingwebhookconfigurations", "-o", "name"],
  ]);
  return new Set(listed.split("\n").map((line) => line.replace(/^([^./]+)[^/]*\//, "$1/")));
}

async function cleanUp(kubectl: Kubectl, found: ReadonlySet<string>): Promise<void> {
  const mine = [
    `mutatingwebhookconfiguration/${WEBHOOK}`,
    ...NAMESPACES.map((name) => `namespace/${name}`),
  ].filter((object) => !found.has(object));
  if (mine.length > 0) await kubectl(["delete", "--ignore-not-found", "--wait", ...mine]);
}
