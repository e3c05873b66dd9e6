import { loadAll, YAMLException } from "js-yaml";
import * as v from "valibot";
import { parseDeploySection, readSettingsText, type SiteSettings } from "../deploy/mod.ts";
import { describeError, dirname } from "../std/mod.ts";
import { type GivenSettings, type SettingName, SettingsError } from "./settings.ts";
import { settingNames, SETTINGS } from "./settings_help.ts";

/** A YAML file with settings. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
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

/**
 * What packages are deployed with, by name; as text, because a variable's value is one.
 *
 * @throws {SettingsError} `InvalidSetting`
 */
export function packagesIn(file: ConfigFile): Record<string, SiteSettings> {
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
