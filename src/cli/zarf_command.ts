import { parseArgs } from "node:util";
import { parseGoDuration, waitForNetwork, waitForObject } from "../deploy/mod.ts";
import { KubeClient } from "../kube/mod.ts";
import { exec } from "../std/mod.ts";
import { CLI_VERSION, loadState, type ZarfState } from "../zarf/mod.ts";
import type { Terminal } from "./terminal.ts";
import { zarfInternal } from "./zarf_internal.ts";
import { ZarfUseError } from "./zarf_use_error.ts";

/**
 * What packages' actions call `zarf` for; `tools kubectl` and `tools helm` are answered before it
 * comes here (src/deploy/workspace.ts). Names, arguments and defaults are Zarf 0.84's.
 *
 * @param environment `KUBECONFIG` says which cluster.
 * @throws {ZarfUseError} for every other command, by name.
 */
export async function zarfCommand(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  terminal: Terminal,
): Promise<void> {
  const [group = "", command = "", ...rest] = argv;
  if (group === "version" || group === "v") return terminal.out(`${CLI_VERSION}\n`);
  if (group === "tools" || group === "t") {
    switch (command) {
      case "wait-for":
      case "wait":
      case "w":
        return await waitFor(rest, environment);
      case "get-creds":
      case "gc":
        return await getCredentials(rest, environment, terminal);
    }
  }
  if (group === "internal") {
    return await zarfInternal(argv.slice(1), environment, terminal, () => clientOf(environment));
  }
  const named = ["zarf", group, group === "tools" || group === "t" ? command : ""]
    .filter((word) => word !== "").join(" ");
  throw new ZarfUseError(`"${named}" is not served to actions`);
}

/** `wait-for [resource|network] KIND|PROTOCOL [NAME|SELECTOR|ADDRESS] [CONDITION|CODE]` */
async function waitFor(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const { positionals, values } = parsed(argv);
  const timeout = parseGoDuration(values.timeout);
  if (timeout === undefined || /^\d+$/.test(values.timeout)) {
    throw new ZarfUseError(`"${values.timeout}" is no duration such as 1s, 2m, 3h`);
  }
  const isNamed = positionals[0] === "resource" || positionals[0] === "network";
  const form = isNamed ? positionals[0] : undefined;
  const [kind, name = "", condition = ""] = positionals.slice(isNamed ? 1 : 0);
  if (kind === undefined) throw new ZarfUseError("wait-for is not told what to wait for");
  if (form === "network" || (form === undefined && /^(https?|tcp)$/.test(kind))) {
    const wait = { protocol: kind, address: name, code: codeOf(condition) };
    return await waitForNetwork(wait, { timeout });
  }
  const kube = clientOf(environment);
  try {
    await waitForObject(kube, { kind, name, condition, namespace: values.namespace }, {
      timeout,
      readyByDefault: form === "resource",
      kubectl: (args, limit) => exec("kubectl", { args, env: { ...environment }, timeout: limit }),
    });
  } finally {
    kube.close();
  }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        timeout: { type: "string", default: "5m" },
        namespace: { type: "string", short: "n", default: "" },
      },
    });
  } catch (error) {
    throw new ZarfUseError(error instanceof Error ? error.message : String(error));
  }
}

function codeOf(condition: string): number {
  if (condition === "" || condition.toLowerCase() === "success") return 0;
  if (/^\d{3}$/.test(condition)) return Number(condition);
  throw new ZarfUseError(`"${condition}" is no HTTP status`);
}

/** The passwords of a state by the keys of `zarf tools get-creds` (src/cmd/zarf_tools.go). */
const CREDENTIALS: Readonly<Record<string, (state: ZarfState) => string>> = {
  registry: ({ registryInfo }) => registryInfo.pushPassword,
  "registry-readonly": ({ registryInfo }) => registryInfo.pullPassword,
  git: ({ gitServer }) => gitServer.pushPassword,
  "git-readonly": ({ gitServer }) => gitServer.pullPassword,
  artifact: ({ artifactServer }) => artifactServer.pushPassword,
};

async function getCredentials(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  terminal: Terminal,
): Promise<void> {
  const [key = ""] = argv;
  const password = Object.hasOwn(CREDENTIALS, key) ? CREDENTIALS[key] : undefined;
  if (password === undefined || argv.length > 1) {
    throw new ZarfUseError(`get-creds needs one of ${Object.keys(CREDENTIALS).join(", ")}`);
  }
  const kube = clientOf(environment);
  try {
    const state = await loadState(kube);
    if (state === undefined) throw new ZarfUseError("the cluster has no Zarf state");
    terminal.out(`${password(state)}\n`);
  } finally {
    kube.close();
  }
}

function clientOf(environment: Readonly<Record<string, string>>): KubeClient {
  const [first = ""] = (environment["KUBECONFIG"] ?? "").split(":");
  const file = first === "" ? `${environment["HOME"] ?? ""}/.kube/config` : first;
  return KubeClient.fromKubeconfig(file);
}
