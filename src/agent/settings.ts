import { loadAll, YAMLException } from "js-yaml";
import * as v from "valibot";
import { WORKER_RIGHTS, type WorkerRights } from "../rights/mod.ts";
import { MUTATION_EXCLUSIONS } from "../admission/mod.ts";
import {
  type ActionPolicy,
  type DeployLimits,
  parseDeploySection,
  parseGoDuration,
  readSettingsText,
  type SiteSettings,
} from "../deploy/mod.ts";
import { describeError, dirname, HoldfastError, LOG_LEVELS } from "../std/mod.ts";
import { canonicalAddress, isEverywhere } from "./node_address.ts";

/** Why the settings cannot be used. */
export type SettingsReason =
  | "UnknownSetting"
  | "InvalidSetting"
  | "ConfigUnreadable"
  | "TrustKeyUnusable";

/** A mistake in flags, environment or configuration file; the agent does not start with it. */
export class SettingsError extends HoldfastError<SettingsReason> {}

/** Where a value came from; a flag beats the environment, which beats the file. */
export type SettingSource = "flag" | "environment" | "file" | "default";

/** `host:port`, with brackets around an IPv6 host. */
const addressSchema = v.pipe(
  v.string(),
  v.regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, "is not HOST:PORT"),
  v.check((text) => Number(text.slice(text.lastIndexOf(":") + 1)) < 65_536, "has no such port"),
);
const pathSchema = v.pipe(v.string(), v.minLength(1, "is empty"));
/** The longest limit, in milliseconds: thirty days. */
const MAX_TIME = 30 * 24 * 3_600_000;
/** A time as Go writes it. */
const timeSchema = v.pipe(
  v.string(),
  v.check((text) => {
    const ms = parseGoDuration(text);
    return ms !== undefined && ms >= 1_000 && ms <= MAX_TIME;
  }, "must be a time between 1s and 720h, such as 90m"),
);
/** A node's name, as Kubernetes writes them. */
export const NODE_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const imageModes = ["rewrite", "mirror"] as const;
/** What the agent does for the first control plane's etcd; nothing without it. */
const etcdBootstraps = ["first-control-plane"] as const;
/** A site's control planes; etcd takes no more members than that with sense. */
const MAX_CONTROL_PLANES = 9;
/** Addresses, also several in one text with commas between, in one form. */
const controlPlanesSchema = v.pipe(
  v.array(v.string()),
  v.transform((texts) => texts.flatMap((text) => text.split(",")).map((text) => text.trim())),
  v.array(v.pipe(
    v.string(),
    v.transform((text) => canonicalAddress(text) ?? ""),
    v.check((address) => address !== "", "is no IP address"),
    v.check((address) => !isEverywhere(address), "is an address that every machine has"),
  )),
  v.maxLength(MAX_CONTROL_PLANES, `has more than ${MAX_CONTROL_PLANES} addresses`),
  v.check((list) => new Set(list).size === list.length, "has an address twice"),
);
const actionPolicies = ["trusted", "always", "never"] as const satisfies readonly ActionPolicy[];
const logFormats = ["json", "text"] as const;

const settingsSchema = v.object({
  "drop-dir": v.pipe(v.array(pathSchema), v.minLength(1, "is missing")),
  "data-dir": pathSchema,
  kubeconfig: v.optional(pathSchema),
  "node-name": v.optional(v.pipe(v.string(), v.regex(NODE_NAME, "is no node name"))),
  "registry-address": addressSchema,
  "admission-address": addressSchema,
  "status-address": addressSchema,
  "peer-address": v.optional(addressSchema),
  "git-address": v.optional(addressSchema),
  "image-mode": v.picklist(imageModes),
  "mutation-exclusion": v.array(v.picklist(MUTATION_EXCLUSIONS)),
  "trust-key": v.array(pathSchema),
  actions: v.optional(v.picklist(actionPolicies)),
  "files-root": v.array(v.pipe(pathSchema, v.startsWith("/", "is not absolute"))),
  "package-timeout": v.optional(timeSchema, "24h"),
  "component-timeout": v.optional(timeSchema, "8h"),
  "seed-dir": v.optional(pathSchema),
  "tools-dir": v.optional(pathSchema),
  "talos-socket": v.optional(pathSchema),
  "bootstrap-etcd": v.optional(v.picklist(etcdBootstraps)),
  "bootstrap-control-planes": controlPlanesSchema,
  "kubelet-kubeconfig": v.optional(pathSchema),
  "worker-rights": v.optional(v.picklist(WORKER_RIGHTS)),
  "log-format": v.picklist(logFormats),
  "log-level": v.picklist(LOG_LEVELS),
});

type FlagSettings = v.InferOutput<typeof settingsSchema>;
/** What the agent runs with; the keys are the flags of design.md §5. */
export interface Settings extends FlagSettings {
  /** Of the file only: what packages are deployed with, by name; values files are absolute. */
  readonly packages?: Readonly<Record<string, SiteSettings>>;
}
/** The name of a setting, as flag and as key of the file. */
export type SettingName = keyof FlagSettings;

/** What a setting is for, in one line of help. */
export interface SettingHelp {
  readonly value: string;
  readonly text: string;
  readonly repeatable?: boolean;
  /** Between several in one variable of the environment. @default ":" */
  readonly separator?: string;
}

/** Every setting with its help; the order is the order of `--help`. */
export const SETTINGS: Readonly<Record<SettingName, SettingHelp>> = {
  "drop-dir": { value: "DIR", text: "directory where packages are dropped", repeatable: true },
  "data-dir": { value: "DIR", text: "where everything durable is kept" },
  kubeconfig: { value: "FILE", text: "how to reach the cluster; without it the agent waits" },
  "node-name": { value: "NAME", text: "this node's name in the cluster; on Talos it says it" },
  "registry-address": { value: "HOST:PORT", text: "listener of the node registry" },
  "admission-address": { value: "HOST:PORT", text: "listener of the admission webhook" },
  "status-address": { value: "HOST:PORT", text: "listener of status page and metrics" },
  "peer-address": { value: "HOST:PORT", text: "listener for peer agents" },
  "git-address": { value: "HOST:PORT", text: "listener for git, which pods must reach" },
  "image-mode": { value: "MODE", text: "rewrite image names, or mirror (rewrite nothing)" },
  "mutation-exclusion": {
    value: "NAME",
    text: "what is not rewritten: flux, argocd",
    repeatable: true,
  },
  "trust-key": {
    value: "FILE",
    text: "public keys, one of which must have signed a package; PEM",
    repeatable: true,
  },
  actions: {
    value: "POLICY",
    text: "whose commands run: trusted (the default with keys), always (without), never",
  },
  "files-root": {
    value: "DIR",
    text: "directory of this node below which packages may put files",
    repeatable: true,
  },
  "package-timeout": {
    value: "TIME",
    text: "how long a package's deployment may take, all attempts together",
  },
  "component-timeout": { value: "TIME", text: "how long a component may take in one attempt" },
  "seed-dir": { value: "DIR", text: "OCI layout of the registry image" },
  "tools-dir": { value: "DIR", text: "where helm and kubectl are" },
  "talos-socket": { value: "FILE", text: "Talos' machine API socket" },
  "bootstrap-etcd": {
    value: "WHO",
    text: "first-control-plane: Talos is asked to make etcd there when the site first comes up",
  },
  "bootstrap-control-planes": {
    value: "ADDRESS",
    text: "of a site with several: all control planes, the first of them first",
    repeatable: true,
    separator: ",",
  },
  "kubelet-kubeconfig": {
    value: "FILE",
    text: "the kubelet's, to get rights of its own by where there is no kubeconfig",
  },
  "worker-rights": {
    value: "RIGHTS",
    text: "given to such agents: deploy (the default without keys) or serve (with)",
  },
  "log-format": { value: "FORMAT", text: "json or text" },
  "log-level": { value: "LEVEL", text: "debug, info, warn or error" },
};

/** Values by setting, as written by whoever gave them. */
export type GivenSettings = Partial<Record<SettingName, string | readonly string[]>>;

/** Settings and where each came from. */
export interface ResolvedSettings {
  readonly settings: Settings;
  readonly sources: Readonly<Record<SettingName, SettingSource>>;
}

/** What {@linkcode resolveSettings} puts together. */
export interface SettingsInput {
  readonly flags: GivenSettings;
  readonly environment: Readonly<Record<string, string>>;
  readonly file?: ConfigFile;
  readonly defaults: GivenSettings;
}

/**
 * Puts flags, environment, file and defaults together and checks the result.
 *
 * @throws {SettingsError} that names the setting, its source and what is wrong with it.
 */
export function resolveSettings(input: SettingsInput): ResolvedSettings {
  const layers: readonly (readonly [SettingSource, GivenSettings])[] = [
    ["flag", input.flags],
    ["environment", fromEnvironment(input.environment)],
    ["file", input.file === undefined ? {} : settingsIn(input.file)],
    ["default", input.defaults],
  ];
  const merged: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  for (const name of settingNames()) {
    const found = layers.find(([, values]) => values[name] !== undefined);
    sources[name] = found?.[0] ?? "default";
    const value = found?.[1][name];
    if (SETTINGS[name].repeatable) merged[name] = value === undefined ? [] : [value].flat();
    else if (value !== undefined) merged[name] = value;
  }
  // The host name that an extension sees there is that of its start, and may be none.
  if (merged["talos-socket"] !== undefined && sources["node-name"] === "default") {
    delete merged["node-name"];
  }
  const parsed = v.safeParse(settingsSchema, merged);
  if (!parsed.success) throw invalidSetting(parsed.issues[0], sources);
  const packages = input.file === undefined ? {} : packagesIn(input.file);
  return {
    settings: { ...parsed.output, ...(Object.keys(packages).length === 0 ? {} : { packages }) },
    sources: sources as Record<SettingName, SettingSource>,
  };
}

/** Whose commands run: where nothing is said, those of trusted packages if there are trusted keys. */
export function actionPolicyOf(settings: Pick<Settings, "actions" | "trust-key">): ActionPolicy {
  return settings.actions ?? (settings["trust-key"].length > 0 ? "trusted" : "always");
}

/** What agents on workers are given: what nobody has to sign, any node may deploy. */
export function workerRightsOf(
  settings: Pick<Settings, "worker-rights" | "trust-key">,
): WorkerRights {
  return settings["worker-rights"] ?? (settings["trust-key"].length > 0 ? "serve" : "deploy");
}

/** How long deployments may take. */
export function limitsOf(
  settings: Pick<Settings, "package-timeout" | "component-timeout">,
): DeployLimits {
  const ms = (text: string) => parseGoDuration(text) ?? 0;
  return {
    package: ms(settings["package-timeout"]),
    component: ms(settings["component-timeout"]),
  };
}

/** All names in the order of the help. */
export function settingNames(): SettingName[] {
  return Object.keys(SETTINGS) as SettingName[];
}

/** The environment variable of a setting: `HOLDFAST_DROP_DIR`. */
export function environmentName(name: SettingName): string {
  return `HOLDFAST_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** Splits `host:port`; brackets around an IPv6 host are taken off. */
export function splitAddress(
  address: string,
): { readonly hostname: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { hostname, port: Number(address.slice(colon + 1)) };
}

function fromEnvironment(environment: Readonly<Record<string, string>>): GivenSettings {
  const given: GivenSettings = {};
  for (const name of settingNames()) {
    const value = environment[environmentName(name)];
    if (value === undefined || value === "") continue;
    const { repeatable, separator = ":" } = SETTINGS[name];
    given[name] = repeatable ? value.split(separator) : value;
  }
  return given;
}

const packageSections = v.record(
  v.string(),
  v.unknown(),
  "packages must hold settings by the package's name",
);

const bootstrapKeys = ["etcd", "control-planes"] as const;
const bootstrapSection = v.strictObject({
  etcd: v.exactOptional(v.string()),
  "control-planes": v.exactOptional(v.array(v.string())),
});

const fileSchema = v.pipe(
  v.custom<object>((value) => !Array.isArray(value), "it is a list"),
  v.objectWithRest(
    {
      packages: v.exactOptional(v.nullable(packageSections)),
      bootstrap: v.exactOptional(v.nullable(bootstrapSection)),
    },
    v.union([v.string(), v.number(), v.boolean(), v.array(v.string())]),
  ),
);

/** A YAML file with settings. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/**
 * The settings in a file; their values are not checked yet.
 *
 * @throws {SettingsError} `ConfigUnreadable` or `UnknownSetting`
 */
export function settingsIn(file: ConfigFile): GivenSettings {
  const parsed = v.safeParse(fileSchema, parseYaml(file) ?? {});
  if (!parsed.success) {
    throw new SettingsError({
      reason: "ConfigUnreadable",
      message: `${file.path} does not hold settings: ${v.summarize(parsed.issues)}`,
      remedy: "write one `name: value` a line, as in examples/agent.yaml",
    });
  }
  const given: GivenSettings = {};
  const { packages: _, bootstrap, ...flags } = parsed.output;
  for (const key of bootstrapKeys) {
    const value = bootstrap?.[key];
    if (value !== undefined) given[`bootstrap-${key}`] = value;
  }
  for (const [key, value] of Object.entries(flags)) {
    if (!(key in SETTINGS)) {
      throw new SettingsError({
        reason: "UnknownSetting",
        message: `${file.path} has an unknown setting ${JSON.stringify(key)}`,
        remedy: `the settings are ${settingNames().join(", ")}`,
      });
    }
    given[key as SettingName] = Array.isArray(value) ? value : String(value);
  }
  return given;
}

const packagesSchema = v.object({
  packages: v.optional(v.nullable(packageSections)),
});

/** What packages are deployed with; as text, because a variable's value is one. */
function packagesIn(file: ConfigFile): Record<string, SiteSettings> {
  const packages: Record<string, SiteSettings> = {};
  try {
    const document = v.parse(packagesSchema, readSettingsText(file.text, file.path) ?? {});
    for (const [name, section] of Object.entries(document.packages ?? {})) {
      const parsed = parseDeploySection(section, file.path, `packages.${name}`);
      const valuesFiles = parsed.valuesFiles.map((each) => absolute(each, dirname(file.path)));
      packages[name] = { ...parsed, valuesFiles };
    }
  } catch (error) {
    throw new SettingsError({ reason: "InvalidSetting", message: describeError(error) });
  }
  return packages;
}

function absolute(path: string, directory: string): string {
  return path.startsWith("/") ? path : `${directory}/${path}`;
}

function parseYaml(file: ConfigFile): unknown {
  try {
    // Not load(): it refuses a file that holds nothing but comments.
    return loadAll(file.text)[0];
  } catch (error) {
    // The parser's message quotes the file, and a package's variable may be secret.
    const line = error instanceof YAMLException ? error.mark?.line : undefined;
    throw new SettingsError({
      reason: "ConfigUnreadable",
      message: `${file.path} is not YAML` + (line === undefined ? "" : ` in line ${line + 1}`),
    });
  }
}

function invalidSetting(
  issue: v.InferIssue<typeof settingsSchema>,
  sources: Record<string, SettingSource>,
): SettingsError {
  const name = String(issue.path?.[0]?.key ?? "settings");
  const given = typeof issue.input === "string" ? ` ${JSON.stringify(issue.input)}` : "";
  return new SettingsError({
    reason: "InvalidSetting",
    message: `the setting ${name}${given} (from ${sources[name] ?? "default"}): ${issue.message}`,
    remedy: `give --${name}, ${
      environmentName(name as SettingName)
    } or a line in the --config file`,
  });
}
