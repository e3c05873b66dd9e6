import * as v from "valibot";
import {
  type GoTemplates,
  invalidSettings,
  MAX_SETTINGS_FILE,
  mergeSiteSettings,
  NO_SETTINGS,
  parseZarfConfig,
  readSettingsText,
  type SiteInputs,
  type SiteSettings,
  siteValues,
} from "../deploy/mod.ts";
import { describeError, dirname, isFile } from "../std/mod.ts";

/** The ends of a settings file's name, after the whole name of the package file. */
const SIDECAR_ENDS = [".config.yaml", ".config.yml", ".config.json", ".config.toml"] as const;

/** How many TOML files are remembered. */
const MAX_TOML_FILES = 20;

const keptFile = v.object({ name: v.string(), text: v.string() });
/** See {@linkcode BesidePackage}. */
export const BesidePackageSchema = v.object({
  /** The settings file. */
  file: keptFile,
  /** The values files that it names. */
  values: v.array(keptFile),
  /** Why they cannot be used, where that was found when they were read. */
  problem: v.exactOptional(v.string()),
});
/** What lies beside a package; it may hold secrets. */
export type BesidePackage = v.InferOutput<typeof BesidePackageSchema>;

/** What one deployment is given. */
export interface DeploySettings extends SiteInputs {
  /** Milliseconds for each release. */
  readonly timeout?: number;
  /** See {@linkcode SiteSettings}. */
  readonly init: SiteSettings["init"];
}

/** Reads what a site has decided about packages. */
export class SiteSettingsReader {
  readonly #templates: () => GoTemplates;
  /** TOML files that were read: reading one starts a program. */
  readonly #toml = new Map<string, SiteSettings>();

  /** @param templates what reads TOML; it may throw while the program for it is not there. */
  constructor(templates: () => GoTemplates) {
    this.#templates = templates;
  }

  /** What lies beside the first of a package's paths that has something beside it. */
  async beside(paths: readonly string[]): Promise<BesidePackage | undefined> {
    for (const path of paths) {
      const there = SIDECAR_ENDS.map((end) => path + end).filter(isFile);
      const [first] = there;
      if (first !== undefined) return await this.#beside(first, there);
    }
    return undefined;
  }

  /**
   * What a package is deployed with.
   *
   * @param configured in the agent's configuration; values files are absolute paths
   * @param found beside the package
   * @param above wins over both; its values files are read already
   * @throws {DeployError} `SettingsInvalid`.
   */
  async settings(
    configured: SiteSettings = NO_SETTINGS,
    found?: BesidePackage,
    above: SiteSettings = NO_SETTINGS,
    valuesAbove: readonly string[] = [],
  ): Promise<DeploySettings> {
    if (found?.problem !== undefined) throw invalidSettings(found.file.name, found.problem);
    const beside = found === undefined ? NO_SETTINGS : await this.#parse(found.file);
    const settings = mergeSiteSettings(mergeSiteSettings(configured, beside), above);
    const files = beside.valuesFiles.length > 0
      ? found?.values ?? []
      : configured.valuesFiles.map((name) => readOrThrow(name));
    const texts = valuesAbove.length > 0 ? valuesAbove : files.map(({ text }) => text);
    const { components, variables, skipValuesSchema, timeout, init } = settings;
    return {
      init,
      ...{ components, variables, skipValuesSchema, values: siteValues(texts, settings.setValues) },
      ...(timeout === undefined ? {} : { timeout }),
    };
  }

  async #beside(path: string, there: readonly string[]): Promise<BesidePackage> {
    const { text, problem } = readFile(path);
    const file = { name: basename(path), text };
    const none = { file, values: [] };
    if (there.length > 1) {
      return { ...none, problem: `there are others: ${there.slice(1).map(basename).join(", ")}` };
    }
    if (problem !== undefined) return { ...none, problem };
    try {
      const { valuesFiles } = await this.#parse(file);
      const values = valuesFiles.map((name) => ({ name, ...readBeside(dirname(path), name) }));
      const bad = values.find((each) => each.problem !== undefined);
      return {
        file,
        values: values.map(({ name, text }) => ({ name, text })),
        ...(bad?.problem === undefined ? {} : { problem: `${bad.name}: ${bad.problem}` }),
      };
    } catch {
      // Said when it is deployed, by the same parser.
      return none;
    }
  }

  async #parse({ name, text }: { readonly name: string; readonly text: string }) {
    if (!name.endsWith(".toml")) return parseZarfConfig(readSettingsText(text, name), name);
    const known = this.#toml.get(text);
    if (known !== undefined) return known;
    const read = await this.#templates().toml(text);
    if ("error" in read) throw invalidSettings(name, read.error);
    const settings = parseZarfConfig(read.value, name);
    if (this.#toml.size >= MAX_TOML_FILES) this.#toml.clear();
    this.#toml.set(text, settings);
    return settings;
  }
}

/** A file as it was read. */
export interface FileText {
  /** Empty when there is a problem. */
  readonly text: string;
  readonly problem?: string;
}

function readBeside(directory: string, name: string): FileText {
  const plain = name !== "" && !name.startsWith("/") && !name.split("/").includes("..");
  if (!plain) return { text: "", problem: "values files must lie beside the package" };
  return readFile(`${directory}/${name}`);
}

function readOrThrow(path: string): FileText {
  const file = readFile(path);
  if (file.problem !== undefined) throw invalidSettings(path, file.problem);
  return file;
}

/** A text file of limited size. */
export function readFile(path: string): FileText {
  try {
    const { size } = Deno.statSync(path);
    if (size > MAX_SETTINGS_FILE) {
      return { text: "", problem: `it has ${size} bytes, the limit is ${MAX_SETTINGS_FILE}` };
    }
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path)) };
  } catch (error) {
    return { text: "", problem: `it cannot be read: ${describeError(error)}` };
  }
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
