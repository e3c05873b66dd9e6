import * as v from "valibot";
import { MUTATION_EXCLUSIONS } from "../admission/mod.ts";
import {
  type ActionPolicy,
  type DeployLimits,
  parseGoDuration,
  type SiteSettings,
} from "../deploy/mod.ts";
import { WORKER_RIGHTS, type WorkerRights } from "../rights/mod.ts";
import { HoldfastError, LOG_LEVELS } from "../std/mod.ts";
import { canonicalAddress, isEverywhere } from "./node_address.ts";

/** Why the settings cannot be used. */
export type SettingsReason =
  | "UnknownSetting"
  | "InvalidSetting"
  | "ConfigUnreadable"
  | "TrustKeyUnusable";

/** A mistake in flags, environment or configuration file; the agent does not start with it. */
export class SettingsError extends HoldfastError<SettingsReason> {}

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

/** Every value that flag, environment or file may give. */
export const settingsSchema = v.object({
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

/** Values by setting, as written by whoever gave them. */
export type GivenSettings = Partial<Record<SettingName, string | readonly string[]>>;

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

/** Splits `host:port`; brackets around an IPv6 host are taken off. */
export function splitAddress(
  address: string,
): { readonly hostname: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { hostname, port: Number(address.slice(colon + 1)) };
}
