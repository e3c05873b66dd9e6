/**
 * Wires the rooms into one agent: its settings, its loops, what they tell each other, and how it
 * starts and stops. No rule of the product is decided here.
 *
 * @module
 */
export { runAgent } from "./agent.ts";
export { ETCD_FAILPOINTS } from "./etcd_bootstrap.ts";
export { PEER_PORT } from "./peer_listener.ts";
export { ETCD_VOID_FAILPOINTS, isVoid, removeVoid } from "./etcd_void.ts";
export { forInit } from "./init_keys.ts";
export { imagesOf, isProvided, withoutProvided } from "./init_package.ts";
export { hostOf } from "./node_address.ts";
export {
  actionPolicyOf,
  type GivenSettings,
  type SettingName,
  type Settings,
  SettingsError,
  type SettingsReason,
} from "./settings.ts";
export { type ConfigFile, settingsIn } from "./settings_file.ts";
export { type SettingHelp, settingNames, SETTINGS } from "./settings_help.ts";
export {
  type ResolvedSettings,
  resolveSettings,
  type SettingsInput,
  type SettingSource,
} from "./settings_sources.ts";
export { SiteSettingsBook } from "./site_settings.ts";
export { type DeploySettings, SiteSettingsReader } from "./site_settings_reader.ts";
export { besideExecutable, findTools, postRendererCommand } from "./tools.ts";
export { readTrustedKeys } from "./trust_keys.ts";
export { VERSION } from "./version.ts";
