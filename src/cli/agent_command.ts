import { dump } from "js-yaml";
import {
  besideExecutable,
  type ConfigFile,
  type GivenSettings,
  type ResolvedSettings,
  resolveSettings,
  runAgent,
  settingNames,
  SettingsError,
  settingsIn,
} from "../agent/mod.ts";
import { createLogger, describeError } from "../std/mod.ts";
import type { Terminal } from "./terminal.ts";

/** What `holdfast agent` was called with. */
export interface AgentArguments {
  readonly flags: GivenSettings;
  /** Path of the YAML file. */
  readonly config?: string;
  readonly printConfig: boolean;
}

/** Why the agent ended, which its log has said. */
export class AgentFailed extends Error {
  constructor(cause: unknown) {
    super("the agent has ended", { cause });
  }
}

/**
 * Runs the agent until SIGINT or SIGTERM, or prints its settings.
 *
 * @throws {AgentFailed} of what has ended it.
 */
export async function agentCommand(args: AgentArguments, terminal: Terminal): Promise<void> {
  const file = configOf(args.config);
  const resolved = resolveSettings({
    flags: args.flags,
    environment: Deno.env.toObject(),
    defaults: { ...defaultSettings(), ...shippedSettings(besideExecutable("agent.yaml", "file")) },
    ...(file === undefined ? {} : { file }),
  });
  if (args.printConfig) return terminal.out(printedSettings(resolved));
  const { settings } = resolved;
  const logger = createLogger({
    level: settings["log-level"],
    format: settings["log-format"],
    write: (line) => terminal.err(line),
  });
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  try {
    await runAgent(settings, logger, stop.signal);
  } catch (error) {
    // In the form of every other line: whoever takes those apart must find the one that matters most.
    logger.error(describeError(error));
    throw new AgentFailed(error);
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** The settings of somebody who gives none but a drop directory. */
export function defaultSettings(): GivenSettings {
  const seed = besideExecutable("seed");
  const tools = besideExecutable("tools");
  return {
    "data-dir": "/var/lib/holdfast",
    "node-name": Deno.hostname().toLowerCase(),
    "registry-address": "127.0.0.1:31999",
    "admission-address": "127.0.0.1:7471",
    "status-address": "127.0.0.1:7472",
    "git-address": "0.0.0.0:7474",
    "image-mode": "rewrite",
    "log-format": "json",
    "log-level": "info",
    ...(seed === undefined ? {} : { "seed-dir": seed }),
    ...(tools === undefined ? {} : { "tools-dir": tools }),
  };
}

/**
 * Every setting that has a value, as YAML, each with where it came from. Of packages only the names
 * are told: their variables may be secret.
 */
export function printedSettings({ settings, sources }: ResolvedSettings): string {
  const packages = Object.keys(settings.packages ?? {});
  return [
    ...settingNames().filter((name) => settings[name] !== undefined).map((name) =>
      `${dump({ [name]: settings[name] }, { flowLevel: 1 }).trimEnd()} # ${sources[name]}\n`
    ),
    ...(packages.length === 0 ? [] : [`# packages: ${JSON.stringify(packages)} # file\n`]),
  ].join("");
}

/** The settings that the program came with, in a file beside it. */
export function shippedSettings(path: string | undefined): GivenSettings {
  return path === undefined ? {} : settingsIn(readConfig(path));
}

/** Where Talos puts the file of an ExtensionServiceConfig; see docs/talos.md. */
export const SITE_CONFIG = "/usr/local/etc/holdfast/agent.yaml";

/**
 * The configuration file that was named, or else the site's where there is one: a node must come up
 * without it, too.
 */
export function configOf(named: string | undefined, site = SITE_CONFIG): ConfigFile | undefined {
  if (named !== undefined) return readConfig(named);
  try {
    if (!Deno.statSync(site).isFile) return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return readConfig(site);
}

/** The agent's configuration file. @throws {SettingsError} `ConfigUnreadable`. */
export function readConfig(path: string): ConfigFile {
  try {
    return { path, text: Deno.readTextFileSync(path) };
  } catch (cause) {
    throw new SettingsError({
      reason: "ConfigUnreadable",
      message: `the configuration file ${path} cannot be read`,
      cause,
    });
  }
}
