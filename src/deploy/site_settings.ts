import { FAILSAFE_SCHEMA, loadAll, mergeTag, nullCoreTag } from "js-yaml";
import * as v from "valibot";
import { DeployError } from "./errors.ts";
import { parseGoDuration } from "./go_duration.ts";

/** The longest settings or values file, in bytes. */
export const MAX_SETTINGS_FILE = 1 << 20;
/** How many `*alias` one file may have. */
const MAX_ALIASES = 1_000;
/** Scalars stay text, but nothing stays nothing. */
const SCHEMA = FAILSAFE_SCHEMA.withTags(nullCoreTag, mergeTag);
/** The most variables, values or values files that one file may give. */
const MAX_GIVEN = 1_000;

/** What the site decides about one package. */
export interface SiteSettings {
  /** Which components, as Zarf's `--components`; empty: nobody chooses. */
  readonly components: string;
  /** Values of variables by upper-case name. May be secret. */
  readonly variables: Readonly<Record<string, string>>;
  /** Names of files with package values; a later one wins. */
  readonly valuesFiles: readonly string[];
  /** Package values by path (`.a.b`), as somebody writes them on a command line. May be secret. */
  readonly setValues: Readonly<Record<string, string>>;
  /** Milliseconds for each release; absent: the default. */
  readonly timeout?: number;
  /** Whether the values are taken without a look at the package's schema. */
  readonly skipValuesSchema: boolean;
  /**
   * What stands under `init` in a Zarf config file, by path (`registry.url`), for an init package. May
   * be secret.
   */
  readonly init: Readonly<Record<string, string>>;
}

/** Nobody has decided anything. */
export const NO_SETTINGS: SiteSettings = {
  components: "",
  variables: {},
  valuesFiles: [],
  setValues: {},
  skipValuesSchema: false,
  init: {},
};

/**
 * Reads a YAML or JSON document of settings. Scalars stay what was written, so that `0755` and `1.10`
 * reach a variable unchanged.
 *
 * @param file for messages.
 * @throws {DeployError} `SettingsInvalid`.
 */
export function readSettingsText(text: string, file: string): unknown {
  try {
    return loadAll(text, { schema: SCHEMA, maxAliases: MAX_ALIASES })[0];
  } catch {
    // The parser's message quotes the text, which may be secret.
    throw invalidSettings(file, "it is not YAML");
  }
}

/**
 * The settings in a whole Zarf config file: what stands under `package.deploy`. Keys are taken in any
 * case and with `-` for `_`. What means nothing here is passed over, what would mean something that is
 * not done is refused by name.
 *
 * @param document as parsed; empty files are undefined.
 * @param file for messages.
 * @throws {DeployError} `SettingsInvalid`; values are never in the message.
 */
export function parseZarfConfig(document: unknown, file: string): SiteSettings {
  const top = sectionAt(document, file, "", TOP_KEYS);
  const pkg = sectionAt(top["package"], file, "package", PACKAGE_KEYS);
  const init = Object.fromEntries(textsBelow(top["init"], ""));
  return { ...parseDeploySection(pkg["deploy"], file, "package.deploy"), init };
}

/** Every value below a section by its path, in the normal form of keys; a list with `,` between. */
function textsBelow(value: unknown, path: string): [path: string, text: string][] {
  if (typeof value !== "object" || value === null) {
    return path === "" || value === undefined ? [] : [[path, String(value ?? "")]];
  }
  if (Array.isArray(value)) return [[path, value.map(String).join(",")]];
  return Object.entries(value).flatMap(([name, each]) => {
    const key = name.toLowerCase().replaceAll("-", "_");
    return textsBelow(each, path === "" ? key : `${path}.${key}`);
  });
}

/**
 * The settings in a section with the keys of Zarf's `package.deploy`.
 *
 * @param file for messages.
 * @param path of the section.
 * @throws {DeployError} `SettingsInvalid`; values are never in the message.
 */
export function parseDeploySection(section: unknown, file: string, path: string): SiteSettings {
  const parsed = v.safeParse(deploySchema, sectionAt(section, file, path, DEPLOY_KEYS));
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw invalidSettings(file, `${path}.${v.getDotPath(issue) ?? ""} ${issue.message}`);
  }
  const { set, components, values, set_values, timeout, skip_values_schema_validation } =
    parsed.output;
  return {
    components,
    variables: mapKeys(set, (name) => name.toUpperCase()),
    valuesFiles: values,
    setValues: mapKeys(set_values, (key) => key.startsWith(".") ? key : `.${key}`),
    ...(timeout === 0 ? {} : { timeout }),
    skipValuesSchema: skip_values_schema_validation,
    init: {},
  };
}

/** Lays one over the other: single variables and values, everything else as a whole. */
export function mergeSiteSettings(below: SiteSettings, above: SiteSettings): SiteSettings {
  const timeout = above.timeout ?? below.timeout;
  return {
    components: above.components || below.components,
    variables: { ...below.variables, ...above.variables },
    valuesFiles: above.valuesFiles.length > 0 ? above.valuesFiles : below.valuesFiles,
    setValues: { ...below.setValues, ...above.setValues },
    ...(timeout === undefined ? {} : { timeout }),
    skipValuesSchema: above.skipValuesSchema || below.skipValuesSchema,
    init: { ...below.init, ...above.init },
  };
}

/** An error that names the file and what is wrong with it. */
export function invalidSettings(file: string, why: string): DeployError {
  return new DeployError({
    reason: "SettingsInvalid",
    message: `the settings in ${file} cannot be used: ${why}`,
    kept: "the cluster was not touched",
    remedy: "mend the file; the package is then deployed by itself",
  });
}

const scalar = v.pipe(
  v.union([v.string(), v.number(), v.boolean(), v.null()], "must be one value"),
  v.transform((value) => String(value ?? "")),
);
const entries = v.optional(
  v.pipe(
    v.record(v.string(), scalar, "must be keys with values"),
    v.maxEntries(MAX_GIVEN, `has more than ${MAX_GIVEN} entries`),
  ),
  {},
);
const names = v.pipe(
  v.union([
    v.array(scalar),
    v.pipe(
      scalar,
      v.transform((text) => text === "" ? [] : text.split(",").map((name) => name.trim())),
    ),
  ], "must be a list"),
  v.maxLength(MAX_GIVEN, `has more than ${MAX_GIVEN} entries`),
);
const flag = v.pipe(
  scalar,
  v.check((text) => /^(true|false|)$/i.test(text), "must be true or false"),
  v.transform((text) => text.toLowerCase() === "true"),
);

const deploySchema = v.object({
  set: entries,
  components: v.optional(v.pipe(names, v.transform((list) => list.join(","))), ""),
  values: v.optional(names, []),
  set_values: entries,
  timeout: v.optional(
    v.pipe(
      scalar,
      v.transform((text) => text === "" ? 0 : parseGoDuration(text)),
      v.number("must be a time such as 15m"),
      v.check((ms) => ms >= 0 && ms <= MAX_TIMEOUT, "must be between 0 and 24h"),
    ),
    0,
  ),
  skip_values_schema_validation: v.optional(flag, false),
});

/** The longest time that one release may be given, in milliseconds. */
const MAX_TIMEOUT = 24 * 3_600_000;

/** What is done about each key of a section: `read`, `ignored`, or refused, and why. */
type Keys = Readonly<Record<string, string>>;

/** Zarf 0.84, src/cmd/viper.go; the rest of its keys is about the machine that runs `zarf`. */
const TOP_KEYS: Keys = {
  package: "read",
  init: "read",
  ...ignoring("log_level log_format no_color features architecture cache zarf_cache tmp_dir"),
  ...ignoring("plain_http insecure_skip_tls_verify dev"),
};

const KEYS_ARE_SETTINGS = "signatures are checked with the agent's --trust-key";
const PACKAGE_KEYS: Keys = {
  deploy: "read",
  ...ignoring("oci_concurrency create publish sign pull remove"),
  verify: KEYS_ARE_SETTINGS,
  public_key: KEYS_ARE_SETTINGS,
  certificate_identity: KEYS_ARE_SETTINGS,
  certificate_identity_regexp: KEYS_ARE_SETTINGS,
  certificate_oidc_issuer: KEYS_ARE_SETTINGS,
  certificate_oidc_issuer_regexp: KEYS_ARE_SETTINGS,
  trusted_root: KEYS_ARE_SETTINGS,
  insecure_ignore_tlog: KEYS_ARE_SETTINGS,
  use_signed_timestamps: KEYS_ARE_SETTINGS,
};

const DEPLOY_KEYS: Keys = {
  set: "read",
  components: "read",
  values: "read",
  set_values: "read",
  timeout: "read",
  skip_values_schema_validation: "read",
  // What fails and may pass is tried again in any case.
  retries: "ignored",
  shasum: "the package is known by its own checksums and signature",
  namespace: "packages go to the namespaces that they name",
  connected: "packages are deployed from the store, without a network",
  take_ownership: "what somebody else has deployed is left alone",
  adopt_existing_resources: "what somebody else has deployed is left alone",
  force_conflicts: "what somebody else has deployed is left alone",
  skip_version_check: "a package that needs a newer Zarf waits for a newer agent",
};

function ignoring(names: string): Keys {
  return Object.fromEntries(names.split(" ").map((name) => [name, "ignored"]));
}

/** What Zarf takes for not given, or for the default. */
const NOT_GIVEN: ReadonlySet<unknown> = new Set([undefined, null, "", false, "false", 0, "0"]);

/** A section's keys in their normal form, those that are read. */
function sectionAt(
  section: unknown,
  file: string,
  path: string,
  keys: Keys,
): Record<string, unknown> {
  if (section === undefined || section === null || section === "") return {};
  if (typeof section !== "object" || Array.isArray(section)) {
    throw invalidSettings(file, `${path || "it"} is not a section with keys`);
  }
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(section)) {
    const key = name.toLowerCase().replaceAll("-", "_");
    const whole = path === "" ? key : `${path}.${key}`;
    const use = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (use === undefined) throw invalidSettings(file, `there is no setting ${whole}`);
    if (use === "read") found[key] = value ?? "";
    else if (use !== "ignored" && !NOT_GIVEN.has(value)) {
      throw invalidSettings(file, `${whole} is not done here: ${use}`);
    }
  }
  return found;
}

function mapKeys(
  record: Readonly<Record<string, string>>,
  rename: (key: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [rename(key), value]));
}
