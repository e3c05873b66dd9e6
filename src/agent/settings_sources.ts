import * as v from "valibot";
import {
  type GivenSettings,
  type SettingName,
  type Settings,
  SettingsError,
  settingsSchema,
} from "./settings.ts";
import { type ConfigFile, packagesIn, settingsIn } from "./settings_file.ts";
import { environmentName, settingNames, SETTINGS } from "./settings_help.ts";

/** Where a value came from; a flag beats the environment, which beats the file. */
export type SettingSource = "flag" | "environment" | "file" | "default";

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
